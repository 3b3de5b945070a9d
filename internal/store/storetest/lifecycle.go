package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func ctx() context.Context { return context.Background() }

func testCancel(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)

	t.Run("BeforeItBegins", func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Commit(ended, batchOf(receipts(receipt("ended", sms.Pending, at(0), at(1)))))
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("Commit: %v, want ErrUnavailable and context.Canceled", err)
		}
		if _, _, err := s.Message(t.Context(), "ended"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Message: %v, want ErrNotFound", err)
		}
	})

	// Wherever the end of the context meets it, a batch is there as a whole or not at all.
	t.Run("WhileItRuns", func(t *testing.T) {
		for round := range 40 {
			var all []*sms.Receipt
			for i := range 20 {
				all = append(all, receipt(fmt.Sprintf("%d-%d", round, i), sms.Pending, at(0), at(1)))
			}
			running, cancel := context.WithCancel(t.Context())
			cancelled := make(chan struct{})
			go func() {
				defer close(cancelled)
				cancel()
			}()
			_, err := s.Commit(running, batchOf(receipts(all...)))
			<-cancelled
			if err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("Commit: %v, want ErrUnavailable", err)
			}
			there := stored(t, s, all)
			if there > 0 && there < len(all) {
				there = stored(t, s, all) // all of them, if it was committed between two looks
			}
			if there != 0 && there != len(all) || err == nil && there == 0 {
				t.Fatalf("%d of %d receipts are there after the error %v", there, len(all), err)
			}
		}
		commit(t, s, receipts(receipt("afterwards", sms.Pending, at(0), at(1)))...)
	})
}

// stored returns how many of some messages are there.
func stored(t *testing.T, s store.Store, receipts []*sms.Receipt) (n int) {
	t.Helper()
	for _, r := range receipts {
		if _, _, err := s.Message(t.Context(), r.MessageID); err == nil {
			n++
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	return n
}

func testClose(t *testing.T, create func(t *testing.T) Open) {
	open := create(t)
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var (
		committed sync.Map
		group     sync.WaitGroup
		started   = make(chan struct{}, 4)
	)
	for worker := range cap(started) {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", worker, i)
				_, err := s.Commit(ctx(), batchOf(receipts(receipt(id, sms.Delivered, at(0), at(1)))))
				if i == 0 {
					if err != nil {
						t.Errorf("Commit of an open store: %v", err)
					}
					started <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("Commit of a closed store: %v, want ErrUnavailable", err)
					}
					return
				}
				committed.Store(id, true)
			}
		})
	}
	for range cap(started) {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	group.Wait()
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping of a closed store: %v, want ErrUnavailable", err)
	}
	again := openStore(t, open)
	committed.Range(func(id, _ any) bool {
		read(t, again, id.(string))
		return true
	})
}
