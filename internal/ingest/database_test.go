package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/store"
)

func TestEventsGoThroughTheSpoolWhileTheDatabaseIsAway(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		in := start(t, st, spool)
		mustSubmit(t, in, "before")
		st.setAway(true)
		var want = []string{"before"}
		for i := range 1000 { // more than one batch
			id := fmt.Sprintf("m%04d", i)
			want = append(want, id)
			if a := mustSubmit(t, in, id); !a[0].Spooled || a[0].Duplicate {
				t.Fatalf("event %d: %+v, want it spooled", i, a[0])
			}
		}
		if in.DatabaseUp() {
			t.Error("the database counts as there")
		}
		time.Sleep(time.Hour) // of the fake clock: it stays away for long
		st.setAway(false)
		time.Sleep(reconnectMost + time.Second)
		synctest.Wait()
		if diff := cmp.Diff(want, st.ids()); diff != "" {
			t.Errorf("the order after draining (-want +got):\n%s", diff)
		}
		if n, b := spool.Events(), spool.Bytes(); n != 0 || b != 0 {
			t.Errorf("%d events and %d bytes are left in the spool", n, b)
		}
		if a := mustSubmit(t, in, "after"); a[0].Spooled {
			t.Error("an event after the return of the database was spooled")
		}
		// An hour of attempts every 15 s in the mean; an attempt a second would be a hammer.
		if st.migrated < 10 || st.migrated > 1000 {
			t.Errorf("%d attempts to connect in an hour", st.migrated)
		}
	})
}

func TestSpoolDrainsAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first := newSpool(t, dir, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		in := start(t, &fakeStore{away: true}, first)
		mustSubmit(t, in, "a", "b")
		mustSubmit(t, in, "c")
		in.Stop()
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := newSpool(t, dir, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		start(t, st, second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "b", "c"}, st.ids()); diff != "" {
			t.Errorf("after the restart (-want +got):\n%s", diff)
		}
	})
}

func TestHungDatabaseCountsAsAway(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{before: func(ctx context.Context, _ []store.Entry) error {
			<-ctx.Done()
			return errors.Join(store.ErrUnavailable, ctx.Err())
		}}
		in := start(t, st, spool)
		began := time.Now()
		if a := mustSubmit(t, in, "m"); !a[0].Spooled {
			t.Errorf("got %+v, want it spooled", a[0])
		}
		if waited := time.Since(began); waited > commitTimeout {
			t.Errorf("the sender waited %v", waited)
		}
	})
}

func TestFullSpoolIsBusyAndSmallerEventsStillFit(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 3*(int64(len(receipt("m")))+eventOverhead))
	synctest.Test(t, func(t *testing.T) {
		in := start(t, &fakeStore{away: true}, spool)
		if _, err := submit(in, "a", "b", "c", "d"); !isUnstored(err) {
			t.Errorf("four events where three fit: got %v, want one that tells of the storage", err)
		}
		mustSubmit(t, in, "a", "b", "c")
		if _, err := submit(in, "d"); !isUnstored(err) {
			t.Errorf("a full spool: got %v, want one that tells of the storage", err)
		}
	})
}

// The sender learns that the spool fails, and the log also why.
func TestFailingSpoolIsBusy(t *testing.T) {
	const cause = "database is closed"
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		in := startWith(t, Config{Store: &fakeStore{away: true}, Spool: spool, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err := spool.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := submit(in, "m"); !isUnstored(err) || strings.Contains(err.Error(), cause) {
			t.Errorf("got %v, want one that tells of the storage", err)
		}
		in.Stop()
		if want := `msg="the spool cannot be written" error="spool: append: sql: ` + cause; !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say why:\n%s", log.String())
		}
	})
}

// A migration may take as long as it likes: events come in meanwhile.
func TestSlowMigrationKeepsNobodyOut(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{migrating: make(chan struct{})}
		in := start(t, st, spool)
		if a := mustSubmit(t, in, "early"); !a[0].Spooled {
			t.Error("an event during the migration was not spooled")
		}
		time.Sleep(migrateTimeout / 2)
		close(st.migrating)
		synctest.Wait()
		if a := mustSubmit(t, in, "late"); a[0].Spooled {
			t.Error("an event after the migration was spooled")
		}
		if diff := cmp.Diff([]string{"early", "late"}, st.ids()); diff != "" {
			t.Errorf("committed (-want +got):\n%s", diff)
		}
	})
}

func TestStopEndsAMigration(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		in := start(t, &fakeStore{migrating: make(chan struct{})}, spool)
		stopping := time.Now()
		in.Stop()
		if took := time.Since(stopping); took > 0 {
			t.Errorf("Stop waited %v", took)
		}
	})
}

func TestStartWithoutASpoolNeedsTheDatabase(t *testing.T) {
	in := New(Config{Store: &fakeStore{away: true}, Reader: newReader(t), Metrics: newMetrics(), Log: slog.New(slog.DiscardHandler)})
	if err := in.Start(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestRefusedEventInTheSpoolDoesNotStopTheOthers(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{away: true, poison: "poison"}
		in := start(t, st, spool)
		mustSubmit(t, in, "a", "poison", "b")
		st.setAway(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a", "dead: poison", "b"}, st.ids()); diff != "" {
			t.Errorf("drained (-want +got):\n%s", diff)
		}
	})
}

func TestEventOfTheSpoolThatMakesTheReaderPanicIsKept(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{away: true}
		in := start(t, st, spool)
		mustSubmit(t, in, "a")
		in.reader = &Reader{Log: in.log} // has no Judge to ask
		st.setAway(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"dead: "}, st.ids()); diff != "" {
			t.Errorf("drained (-want +got):\n%s", diff)
		}
	})
}

func TestLargeEventsDrainInBatchesOfABoundedSize(t *testing.T) {
	dir := t.TempDir()
	spool := newSpool(t, dir, 1<<30)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{away: true}
		in := start(t, st, spool)
		note := strings.Repeat("x", batchBytes/2)
		for i := range 5 {
			raw := fmt.Appendf(nil, `{"messageId":"m%d","status":"SENT","from":"+12025550100","note":%q}`, i, note)
			if _, err := in.Submit(context.Background(), []Reading{in.ReadSMS(raw, time.Now())}); err != nil {
				t.Fatal(err)
			}
		}
		st.setAway(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := sizes(st.batches); !slices.Equal(got, []int{2, 2, 1}) {
			t.Errorf("the events drained in batches of %v, want [2 2 1]", got)
		}
	})
	file, err := os.Stat(filepath.Join(dir, "spool.db"))
	if err != nil {
		t.Fatal(err)
	}
	if file.Size() > batchBytes/2 {
		t.Errorf("the file of the empty spool has %d bytes", file.Size())
	}
}

func TestSpoolThatFailsDoesNotTakeTheDatabaseAway(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		in := start(t, st, spool)
		st.setAway(true)
		mustSubmit(t, in, "spooled")
		st.setAway(false)
		if err := spool.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if a := mustSubmit(t, in, "direct"); a[0].Spooled || !in.DatabaseUp() {
			t.Errorf("got %+v, want the event in the database", a[0])
		}
	})
}

func TestDrainThatTakesTooLongDoesNotTakeTheDatabaseAway(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		var blocked atomic.Bool
		blocked.Store(true)
		st := &fakeStore{away: true}
		st.before = func(ctx context.Context, entries []store.Entry) error {
			if blocked.Load() && entries[0].Receipt.MessageID == "locked" {
				<-ctx.Done()
				return errors.Join(store.ErrUnavailable, ctx.Err())
			}
			return nil
		}
		in := start(t, st, spool)
		mustSubmit(t, in, "locked")
		st.setAway(false)
		time.Sleep(2 * time.Minute)
		if a := mustSubmit(t, in, "direct"); a[0].Spooled {
			t.Errorf("got %+v, want the event in the database", a[0])
		}
		blocked.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"direct", "locked"}, st.ids()); diff != "" {
			t.Errorf("in the end (-want +got):\n%s", diff)
		}
	})
}

func TestSpoolKeepsOrderAndCountsAcrossReopening(t *testing.T) {
	dir := t.TempDir()
	s := newSpool(t, dir, 1<<20)
	at := time.Date(2026, 3, 1, 10, 0, 0, 123456000, time.UTC)
	events := []SpoolEvent{
		{Kind: store.KindSMS, Received: at, Raw: []byte("first")},
		{Kind: store.KindSMS, Received: at.Add(-time.Hour), Raw: []byte{0, 0xff, 1}},
		{Kind: "other", Received: at, Raw: nil},
	}
	if err := s.Append(events); err != nil {
		t.Fatal(err)
	}
	bytesBefore := s.Bytes()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = newSpool(t, dir, 1<<20)
	if s.Events() != 3 || s.Bytes() != bytesBefore {
		t.Errorf("reopened: %d events, %d bytes; want 3 and %d", s.Events(), s.Bytes(), bytesBefore)
	}
	got, err := s.Oldest(2, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].ID = 0
	}
	if diff := cmp.Diff(events[:2], got); diff != "" {
		t.Errorf("oldest (-want +got):\n%s", diff)
	}
}

// Two that count the same events would both be wrong, and bring in each other's.
func TestSpoolHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	first := newSpool(t, dir, 1<<20)
	if _, err := OpenSpool(dir, 1<<20, newMetrics()); err == nil || !strings.Contains(err.Error(), "SPOOL_DIR "+dir+" is in use by another cxbridge") {
		t.Errorf("a second spool in the folder: %v", err)
	}
	if err := first.Append([]SpoolEvent{{Kind: store.KindSMS, Raw: []byte("x")}}); err != nil {
		t.Errorf("the owner cannot write any more: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if second := newSpool(t, dir, 1<<20); second.Events() != 1 {
		t.Errorf("the next owner finds %d events, want 1", second.Events())
	}
}
