package ingest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

func threadLetter(kind store.Kind, subject string, raw []byte) *store.DeadLetter {
	return &store.DeadLetter{ID: 7, Kind: kind, Subject: subject, Reason: "old", Raw: raw, Received: received}
}

// replayNote is the note of a replay of dead letter 7.
func replayNote(subject string, kind store.Kind, outcome string) audit.Note {
	return audit.Note{Subject: subject, Action: audit.ActionReplay, Outcome: outcome,
		Detail: audit.Detail{"deadLetter": int64(7), "kind": kind}}
}

// What the store notes with the event is not noted again; everything else is.
func TestReplayIsAudited(t *testing.T) {
	withReason := func(n audit.Note, reason string) []audit.Note {
		n.Detail["reason"] = reason
		return []audit.Note{n}
	}
	const sms, thread = store.KindSMS, store.KindThread
	for _, test := range []struct {
		name   string
		letter *store.DeadLetter
		answer Answer
		want   []audit.Note
	}{
		{"receipt", letterOf(string(receipt("m-1"))), Answer{}, []audit.Note{replayNote("message:m-1", sms, "accepted")}},
		{"known receipt", letterOf(string(receipt("m-1"))), Answer{Duplicate: true}, []audit.Note{replayNote("message:m-1", sms, "duplicate")}},
		{"spooled receipt", letterOf(string(receipt("m-1"))), Answer{Spooled: true}, nil},
		{"receipt that the database refuses", letterOf(string(receipt("m-1"))), Answer{Refused: true},
			withReason(replayNote("message:m-1", sms, "refused"), "the database refuses the data")},
		{"refused receipt", letterOf(`{"messageId":"m-1"}`), Answer{},
			withReason(replayNote("message:m-1", sms, "refused"), "/status: is required, unless SMPP fields tell the state")},
		{"receipt without id", letterOf(`{"status":"SENT"}`), Answer{},
			withReason(replayNote("dead-letter:7", sms, "refused"), "/messageId: is required")},
		{"event", threadLetter(thread, "t", event("t", 1)), Answer{Rev: 1}, nil},
		{"stale event", threadLetter(thread, "t", event("t", 1)), Answer{Stale: true}, []audit.Note{replayNote("dead-letter:7", thread, "stale")}},
		{"known event", threadLetter(thread, "t", event("t", 1)), Answer{Duplicate: true, Stale: true},
			[]audit.Note{replayNote("dead-letter:7", thread, "duplicate")}},
		{"spooled event", threadLetter(thread, "t", event("t", 1)), Answer{Spooled: true}, nil},
		{"refused event", threadLetter(thread, "t", []byte(`{"event":"THREAD_UPDATED","data":{"threadId":"t","version":-1}}`)), Answer{},
			withReason(replayNote("dead-letter:7", thread, "refused"), "/data/version: must be a whole number from 0")},
		{"parked thread", threadLetter(store.KindThreadPush, "t", nil), Answer{}, []audit.Note{replayNote("t", store.KindThreadPush, "woken")}},
		{"item set aside", threadLetter(store.KindThreadItem, "t", nil), Answer{}, []audit.Note{replayNote("t", store.KindThreadItem, "woken")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			letters := &fakeLetters{letter: test.letter}
			_, _, err := replay(t, letters, Flag, []Answer{test.answer}, nil)
			if _, refused := errors.AsType[*StillRefusedError](err); err != nil && !refused {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, letters.notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

// The operator is not told of a success that the audit does not tell of.
func TestReplayThatIsNotAuditedFails(t *testing.T) {
	away := fmt.Errorf("%w: dial", store.ErrUnavailable)
	for _, raw := range []string{string(receipt("m-1")), "{}"} {
		letters := &fakeLetters{letter: letterOf(raw), auditErr: away}
		if _, _, err := replay(t, letters, Flag, []Answer{{}}, nil); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}

func TestReplayOfAThreadEvent(t *testing.T) {
	letters := &fakeLetters{letter: threadLetter(store.KindThread, "", event("t", 1))}
	replayed, submitted, err := replay(t, letters, Flag, []Answer{{Rev: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Replayed{Kind: store.KindThread, Subject: "t"}, replayed); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(submitted) != 1 {
		t.Fatalf("%d readings were submitted", len(submitted))
	}
	e := submitted[0].Entry
	if e.Resolves != 7 || e.Thread == nil || !e.Thread.Received.Equal(received) || string(e.Thread.Raw) != string(event("t", 1)) {
		t.Errorf("entry %+v", e)
	}
}

// A thread that the CRM refused is made due, and whoever pushes is told.
func TestReplayMakesAThreadDue(t *testing.T) {
	for _, kind := range []store.Kind{store.KindThreadPush, store.KindThreadItem} {
		t.Run(string(kind), func(t *testing.T) {
			letters := &fakeLetters{letter: threadLetter(kind, "t", []byte(`{"threadId":"t"}`))}
			woken := 0
			rp := Replayer{Store: letters, Reader: newReader(t), Wake: func() { woken++ }}
			replayed, err := rp.Replay(context.Background(), 7)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Replayed{Kind: kind, Subject: "t"}, replayed); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff([]int64{7}, letters.woken); diff != "" || woken != 1 {
				t.Errorf("the dead letters whose threads are due (-want +got), told %d times:\n%s", woken, diff)
			}
			letters.wakeErr = store.ErrNotFound
			if _, err := rp.Replay(context.Background(), 7); !errors.Is(err, store.ErrNotFound) || woken != 1 {
				t.Errorf("got %v, told %d times", err, woken)
			}
		})
	}
}

// A thread can be made due without a dead letter, too.
func TestWakeThread(t *testing.T) {
	letters := &fakeLetters{}
	woken := 0
	rp := Replayer{Store: letters, Wake: func() { woken++ }}
	if err := rp.WakeThread(context.Background(), "t"); err != nil {
		t.Fatal(err)
	}
	note := audit.Note{Subject: "t", Action: audit.ActionReconcile, Outcome: "woken"}
	if diff := cmp.Diff([]audit.Note{note}, letters.notes); diff != "" || woken != 1 || letters.woken[0] != 0 {
		t.Errorf("told %d times, resolved %v, notes (-want +got)\n%s", woken, letters.woken, diff)
	}
	letters.wakeErr = store.ErrNotFound
	if err := rp.WakeThread(context.Background(), "t"); !errors.Is(err, store.ErrNotFound) || woken != 1 {
		t.Errorf("got %v, told %d times", err, woken)
	}
}

// Through a running Ingest, the replay of an event wakes whoever pushes, and one that is refused by
// the database leaves the dead letter where it is.
func TestReplayOfAThreadEventReachesStore(t *testing.T) {
	for _, test := range []struct {
		poison   string
		resolves int64
		woken    int
	}{{"", 7, 1}, {"t", 0, 0}} {
		woken := make(chan struct{}, 10)
		st := &fakeStore{poison: test.poison}
		in := startWith(t, Config{Store: st, Wake: func() { woken <- struct{}{} }})
		letters := &fakeLetters{letter: threadLetter(store.KindThread, "t", event("t", 1))}
		rp := Replayer{Store: letters, Reader: in.Reader(), Submit: in.Submit}
		_, err := rp.Replay(context.Background(), 7)
		if refused := test.poison != ""; (err != nil) != refused {
			t.Errorf("poison %q: error %v", test.poison, err)
		}
		if len(st.committed) != 1 || st.committed[0].Resolves != test.resolves || len(woken) != test.woken {
			t.Errorf("poison %q: committed %+v, woken %d times", test.poison, st.committed, len(woken))
		}
	}
}
