package storetest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// traced is an entry with the trace context of a number; 0 is none.
func traced(e *thread.Event, n int) store.Entry {
	entry := store.Entry{Thread: e}
	if n > 0 {
		entry.Trace = traceparent(n)
	}
	return entry
}

func traceparent(n int) string { return fmt.Sprintf("00-%032x-%016x-01", n, n) }

// testTrace is about the trace context that the push of a thread continues: that of the event that last
// gave the thread a new revision.
func testTrace(t *testing.T, create func(t *testing.T) Open) {
	open := create(t)
	s := openStore(t, open)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	requireTrace := func(what, id string, n int) {
		t.Helper()
		want := traced(nil, n).Trace
		if got := readThread(t, s, id).Sync.Trace; got != want {
			t.Errorf("%s: the trace of %s is %q, want %q", what, id, got, want)
		}
	}
	first := updated("t", 5, message("m", 1))
	commitAt(t, s, at(1), traced(first, 1))
	requireTrace("a new thread", "t", 1)
	commitAt(t, s, at(2), traced(first, 2), traced(updated("t", 4, message("m", 1)), 3))
	requireTrace("nothing new", "t", 1)
	commitAt(t, s, at(3), traced(updated("t", 6), 4), traced(updated("t", 7), 5), traced(updated("t", 3), 6))
	requireTrace("several in a batch", "t", 5)
	commitAt(t, s, at(4), traced(updated("t", 8), 0))
	requireTrace("one that is not traced", "t", 0)
	commitAt(t, s, at(5), traced(split("child", "t", 9, message("m", 1)), 7))
	requireTrace("a split", "child", 7)
	requireTrace("a split takes from", "t", 7)

	// A claim reads it, and it stays when the push fails, so that the next attempt continues it too.
	other := openStore(t, open)
	claimed, err := other.Claim(t.Context(), store.ClaimRequest{Limit: 10, Lease: time.Minute, Items: 10})
	if err != nil || len(claimed.Work) != 2 {
		t.Fatalf("Claim: %d threads, %v", len(claimed.Work), err)
	}
	var pushes []store.Push
	for _, w := range claimed.Work {
		if w.Row.Sync.Trace != traceparent(7) {
			t.Errorf("claimed %s with the trace %q", w.ThreadID, w.Row.Sync.Trace)
		}
		pushes = append(pushes, store.Push{
			Claim: w.Claim, Rev: w.Row.Sync.Want, Status: http.StatusForbidden, Error: "no",
			Park: &store.DeadLetter{Kind: store.KindThreadPush, Key: w.ThreadID, Subject: w.ThreadID, Reason: "no", Received: at(6), Raw: []byte("{}")},
		})
	}
	if _, err := other.Record(t.Context(), pushes, at(6)); err != nil {
		t.Fatalf("Record: %v", err)
	}
	requireTrace("a failure", "t", 7)

	// A revision that an operator or a start causes comes from no event.
	if err := s.Wake(t.Context(), "t", 0, audit.Note{Action: audit.ActionReplay}, at(7)); err != nil {
		t.Fatalf("Wake: %v", err)
	}
	requireTrace("a wake", "t", 0)
	if woken, err := s.WakeParked(t.Context(), []int{http.StatusForbidden}, at(8)); err != nil || woken != 1 {
		t.Fatalf("WakeParked: %d, %v", woken, err)
	}
	requireTrace("a start", "child", 0)
}
