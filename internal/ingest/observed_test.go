package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Whoever asks after an answer finds the receipt counted, and a question on its own costs no commit.
func TestCommitObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		st := &fakeStore{alone: func(context.Context) error { commits++; return nil }}
		in := startWith(t, Config{Store: st, SLA: testSLA})
		for want := range int64(4) {
			if want > 0 {
				mustSubmit(t, in, fmt.Sprint("m", want))
			}
			for range 2 {
				in.CommitObserved(t.Context())
				if got := st.receipts(t); got != want || commits != int(want) {
					t.Errorf("%d receipts are counted by %d commits, want %d", got, commits, want)
				}
			}
		}
	})
}

// A commit that is under way has taken along what was observed before. It is waited for, and when it fails
// nobody waits for the next one.
func TestCommitObservedByOthers(t *testing.T) {
	for name, outcome := range map[string]error{"succeeds": nil, "fails": errAway, "is refused": store.ErrRefused} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := &fakeStore{before: func(_ context.Context, entries []store.Entry) error {
					if r := entries[0].Receipt; r != nil && r.MessageID == "slow" {
						time.Sleep(time.Second)
						return outcome
					}
					return nil
				}}
				in := startWith(t, Config{Store: st, SLA: testSLA})
				mustSubmit(t, in, "a", "b")
				var sender sync.WaitGroup
				sender.Go(func() { _, _ = submit(in, "slow") })
				synctest.Wait()
				if got := st.receipts(t); got != 0 {
					t.Fatalf("%d receipts are counted too early", got)
				}
				start := time.Now()
				in.CommitObserved(t.Context())
				if got, took := st.receipts(t), time.Since(start); got < 2 || took != time.Second {
					t.Errorf("after %v %d receipts are counted, want those of before", took, got)
				}
				sender.Wait()
			})
		})
	}
}

// A question does not wait for a database that does not take what was observed, and nothing is lost.
func TestCommitObservedInVain(t *testing.T) {
	for name, c := range map[string]struct {
		alone func(ctx context.Context) error
		takes time.Duration
	}{
		"it fails": {func(context.Context) error { return errAway }, 0},
		"it hangs": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, commitTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := &fakeStore{alone: c.alone}
				in := startWith(t, Config{Store: st, SLA: testSLA})
				mustSubmit(t, in, "a")
				start := time.Now()
				in.CommitObserved(t.Context())
				if took := time.Since(start); took != c.takes {
					t.Errorf("it takes %v, want %v", took, c.takes)
				}
				st.alone = nil
				in.CommitObserved(t.Context())
				if got := st.receipts(t); got != 1 {
					t.Errorf("%d receipts are counted, want 1", got)
				}
			})
		})
	}
}

// While it is known that the database is away, nothing is tried.
func TestCommitObservedWhileAway(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{alone: func(context.Context) error { t.Error("it is tried"); return errAway }}
		in := startWith(t, Config{Store: st, Spool: spool, SLA: testSLA})
		synctest.Wait()
		st.setAway(true)
		mustSubmit(t, in, "a")
		in.CommitObserved(t.Context())
		st.alone = nil
		st.setAway(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		in.CommitObserved(t.Context())
		if got := st.receipts(t); got != 1 {
			t.Errorf("%d receipts are counted, want 1", got)
		}
	})
}

// Without a spool, too, nothing is tried while it is known that the database is away.
func TestCommitObservedWithoutASpoolWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{alone: func(context.Context) error { t.Error("it is tried"); return errAway }}
		in := startWith(t, Config{Store: st, SLA: testSLA})
		mustSubmit(t, in, "a")
		st.setAway(true)
		if _, err := submit(in, "b"); !isUnstored(err) {
			t.Fatalf("got %v, want one that tells of the storage", err)
		}
		in.CommitObserved(t.Context())
		st.alone = nil
		st.setAway(false)
		time.Sleep(lookEvery)
		synctest.Wait()
		in.CommitObserved(t.Context())
		if got := st.receipts(t); got != 1 {
			t.Errorf("%d receipts are counted, want 1", got)
		}
	})
}

// Whatever commits meanwhile, and fails: a question finds every receipt that was acknowledged before it, and
// none twice.
func TestCommitObservedIsExact(t *testing.T) {
	st := &fakeStore{poison: "poison", before: func(context.Context, []store.Entry) error {
		if rand.IntN(5) == 0 {
			return errAway
		}
		return nil
	}}
	in := startWith(t, Config{Store: st, Writers: 2, SLA: testSLA})
	var sent, acknowledged atomic.Int64
	var senders sync.WaitGroup
	for sender := range 8 {
		senders.Go(func() {
			for i := range 100 {
				ids := []string{fmt.Sprint("m", sender, "-", i), fmt.Sprint("n", sender, "-", i)}
				if rand.IntN(10) == 0 {
					ids = append(ids, "poison")
				}
				sent.Add(2)
				if _, err := submit(in, ids...); err == nil {
					acknowledged.Add(2)
				}
				least := acknowledged.Load()
				in.commitObserved(context.Background()) // though the database counts as away
				got, most := st.receipts(t), sent.Load()
				if got < least || got > most {
					t.Errorf("%d receipts are counted, want from %d to %d", got, least, most)
				}
			}
		})
	}
	senders.Wait()
	if got := st.receipts(t); got != acknowledged.Load() {
		t.Errorf("%d receipts are counted, and %d were acknowledged", got, acknowledged.Load())
	}
}
