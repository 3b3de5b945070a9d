package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// eraseFrom goes on with an erasure until a condition holds, a step fails, or it is over.
func eraseFrom(s store.Store, p store.Person, cursor string, limit int, stop func() bool) (next string, err error) {
	for {
		e, err := s.Erase(ctx(), p, cursor, limit)
		if err != nil {
			return cursor, err
		}
		if cursor = e.Cursor; cursor == "" || stop() {
			return cursor, nil
		}
	}
}

func never() bool { return false }

// requireLeased goes on with an erasure until a lease is in its way, where it stays.
func requireLeased(t failer, s store.Store, p store.Person, cursor string, limit int) (stays string) {
	t.Helper()
	stays, err := eraseFrom(s, p, cursor, limit, never)
	for range 2 {
		if !errors.Is(err, store.ErrLeased) || errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("at %q while the thread is pushed: %v, want ErrLeased", stays, err)
		}
		_, err = s.Erase(ctx(), p, stays, limit)
	}
	return stays
}

// requireErased ends an erasure of the person of annsThread.
func requireErased(t failer, s store.Store, p store.Person, cursor string, limit int) {
	t.Helper()
	if cursor, err := eraseFrom(s, p, cursor, limit, never); err != nil {
		t.Fatalf("at %q: %v", cursor, err)
	}
	requireEqual(t, "traces", traces(t, s, p), map[string]int{})
	requireNoPlace(t, s, "Ann Example")
}

// annsThread has the person in a thread that is due. Another thread is leased all the time, and must not
// hinder the erasure.
func annsThread(t failer, s store.Store) {
	t.Helper()
	accept(t, s, updated("other", 1, message("m", 1)))
	claimOne(t, s)
	e := updated("t", 1, byAnn("m1", 1), message("m2", 2))
	e.Participants = []thread.Participant{ann(), person("author", "Bob")}
	accept(t, s, sealed(e))
}

// annsRefusal parks a thread: the CRM refuses everything that it was sent, and says so of each item.
func annsRefusal(w *store.Work) store.Push {
	push := parked(w, 422)
	push.Error = `participant "` + annID + `" is unknown`
	push.Park.Reason, push.Items = push.Error, w.Items
	for i, item := range w.Items {
		setAside(&push, i)
		push.SetAside[i].Raw = fmt.Appendf(nil, `{"threadId":"t","kind":%q,"item":%s}`, item.Kind, item.Content)
		if item.Kind == thread.KindParticipant && item.ID == annID {
			push.Park.Raw = fmt.Appendf(nil, `{"addedParticipants":[%s]}`, item.Content)
		}
	}
	return push
}

// testEraseLeased erases somebody whose thread a worker has claimed, at any time before the push ends.
func testEraseLeased(t *testing.T, create func(t *testing.T) Open) {
	for _, p := range []store.Person{{Participant: annID}, {Participant: annPlatform}} {
		for _, limit := range []int{1, 1000} {
			t.Run(fmt.Sprint(p.Participant == annID, limit), func(t *testing.T) {
				t.Run("Taken", func(t *testing.T) { testEraseTaken(t, migrated(t, create), p, limit) })
				t.Run("Refused", func(t *testing.T) { testEraseRefused(t, migrated(t, create), p, limit) })
				t.Run("ClaimedBetween", func(t *testing.T) { testEraseClaimedBetween(t, migrated(t, create), p, limit) })
				t.Run("RanOut", func(t *testing.T) { testEraseRanOut(t, migrated(t, create), p, limit) })
			})
		}
	}
}

// What the CRM has accepted by then is acknowledged, so the erasure makes nothing due.
func testEraseTaken(t *testing.T, s store.Store, p store.Person, limit int) {
	annsThread(t, s)
	w := claimOne(t, s)
	cursor := requireLeased(t, s, p, "", limit)
	record(t, s, done(w))
	requireErased(t, s, p, cursor, limit)
	requireNoneDue(t, s)
	accept(t, s, updated("t", 2, message("m3", 3)))
	requireEqual(t, "what is pushed next", ids(claimOne(t, s).Items), []string{"m3"})
}

func testEraseRefused(t *testing.T, s store.Store, p store.Person, limit int) {
	annsThread(t, s)
	w := claimOne(t, s)
	cursor := requireLeased(t, s, p, "", limit)
	record(t, s, annsRefusal(w))
	requireErased(t, s, p, cursor, limit)
	requireEqual(t, "what the CRM said", readThread(t, s, "t").Sync.LastError, store.ErasedText)
	if n := len(list(t, s, 0, 100)); n != 5 {
		t.Errorf("%d dead letters are left, want 5", n)
	}
}

// A push that begins after the messages were erased still knows the participant.
func testEraseClaimedBetween(t *testing.T, s store.Store, p store.Person, limit int) {
	annsThread(t, s)
	cursor, err := eraseFrom(s, p, "", limit, func() bool { return textsOf(t, s, "t")[0] == "" })
	if err != nil || cursor == "" {
		t.Fatalf("at %q: %v", cursor, err)
	}
	w := claimOne(t, s)
	cursor = requireLeased(t, s, p, cursor, limit)
	record(t, s, annsRefusal(w))
	requireErased(t, s, p, cursor, limit)
	requireEqual(t, "what the CRM said", readThread(t, s, "t").Sync.LastError, store.ErasedText)
}

// A worker whose lease has run out may still be alive. What it records later is ignored.
func testEraseRanOut(t *testing.T, s store.Store, p store.Person, limit int) {
	annsThread(t, s)
	w := claimOne(t, s)
	runOut(t, s, w.Claim)
	requireErased(t, s, p, "", limit)
	requireEqual(t, "held", recorded(t, s, annsRefusal(w)), []bool{false})
	requireEqual(t, "traces", traces(t, s, p), map[string]int{})
	next := claim(t, s, 1, time.Hour)
	if len(next) != 1 || !next[0].Row.Sync.Uncertain || next[0].Epoch != w.Epoch+1 {
		t.Errorf("claimed %+v after the worker was gone", next)
	}
}
