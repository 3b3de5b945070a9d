package deadletter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// fakeStore holds dead letters, and what is told of them.
type fakeStore struct {
	letters  map[int64]store.DeadLetter
	did      []string
	auditErr error
}

func newFake(kinds ...store.Kind) *fakeStore {
	f := &fakeStore{letters: make(map[int64]store.DeadLetter)}
	for i, kind := range kinds {
		id := int64(i + 1)
		f.letters[id] = store.DeadLetter{ID: id, Kind: kind, Subject: fmt.Sprintf("s-%d", id), Reason: "bad"}
	}
	return f
}

func (f *fakeStore) DeadLetter(_ context.Context, id int64) (*store.DeadLetter, error) {
	letter, ok := f.letters[id]
	if !ok {
		return nil, store.ErrNotFound
	}
	return &letter, nil
}

func (f *fakeStore) DeleteDeadLetter(_ context.Context, id int64) error {
	if _, ok := f.letters[id]; !ok {
		return store.ErrNotFound
	}
	delete(f.letters, id)
	f.did = append(f.did, fmt.Sprintf("delete %d", id))
	return nil
}

func (f *fakeStore) FindDeadLetters(_ context.Context, filter store.LetterFilter, before int64, limit int) (found []store.DeadLetter, err error) {
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(f.letters))) {
		if (before == 0 || id < before) && len(found) < limit && (filter.Kind == "" || filter.Kind == f.letters[id].Kind) {
			found = append(found, f.letters[id])
		}
	}
	return found, nil
}

func (f *fakeStore) Audit(_ context.Context, note audit.Note, now time.Time) error {
	if f.auditErr != nil {
		return f.auditErr
	}
	if !now.Equal(now.Truncate(time.Microsecond)) || now.Location() != time.UTC {
		return fmt.Errorf("the note is of %v", now)
	}
	f.did = append(f.did, fmt.Sprintf("note %s %s %v %v", note.Subject, note.Outcome, note.Detail["about"], note.Detail["reason"]))
	return nil
}

type replayFunc func(id int64) (ingest.Replayed, error)

func (f replayFunc) Replay(_ context.Context, id int64) (ingest.Replayed, error) { return f(id) }

const sms, push = store.KindSMS, store.KindThreadPush

func TestDelete(t *testing.T) {
	f := newFake(sms)
	o := &Office{Store: f}
	if err := o.Delete(t.Context(), 2); !errors.Is(err, store.ErrNotFound) || len(f.did) > 0 {
		t.Errorf("one that is gone: %v, %v", err, f.did)
	}
	f.auditErr = store.ErrUnavailable
	if err := o.Delete(t.Context(), 1); !errors.Is(err, store.ErrUnavailable) || len(f.did) > 0 {
		t.Errorf("what cannot be noted is done: %v, %v", err, f.did)
	}
	f.auditErr = nil
	if err := o.Delete(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"note dead-letter:1 deleted s-1 bad", "delete 1"}, f.did); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteAll(t *testing.T) {
	f := newFake(sms, push, sms, sms)
	got, err := (&Office{Store: f}).DeleteAll(t.Context(), store.LetterFilter{Kind: sms}, 4)
	if diff := cmp.Diff(Result{Deleted: 2}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if left := slices.Sorted(maps.Keys(f.letters)); !slices.Equal(left, []int64{2, 4}) {
		t.Errorf("left %v", left)
	}
}

func TestReplayAll(t *testing.T) {
	f := newFake(sms, sms, push, sms, sms, push)
	var asked []int64
	o := &Office{Store: f, Replayer: replayFunc(func(id int64) (ingest.Replayed, error) {
		asked = append(asked, id)
		switch id {
		case 6: // somebody else was quicker
			delete(f.letters, id)
			return ingest.Replayed{}, store.ErrNotFound
		case 5:
			return ingest.Replayed{}, &ingest.StillRefusedError{Reason: "bad"}
		case 3: // its thread is gone
			return ingest.Replayed{}, store.ErrNotFound
		}
		delete(f.letters, id)
		return ingest.Replayed{}, nil
	})}
	got, err := o.ReplayAll(t.Context(), store.LetterFilter{}, 0)
	if diff := cmp.Diff(Result{Replayed: 3, Refused: 2}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if !slices.Equal(asked, []int64{6, 5, 4, 3, 2, 1}) {
		t.Errorf("asked for %v", asked)
	}
}

// What was done before an error is told, and the one that failed is where to go on.
func TestReplayAllEndsEarly(t *testing.T) {
	for _, test := range []struct {
		name     string
		replayed ingest.Replayed
		err      error
		want     Result
	}{
		{"an error", ingest.Replayed{}, store.ErrUnavailable, Result{Replayed: 1, Next: 3}},
		{"busy", ingest.Replayed{}, &ingest.BusyError{Reason: "full"}, Result{Replayed: 1, Next: 3}},
		{"the database went away", ingest.Replayed{Spooled: true}, nil, Result{Replayed: 1, Spooled: 1, Next: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(sms, sms, sms)
			o := &Office{Store: f, Replayer: replayFunc(func(id int64) (ingest.Replayed, error) {
				if id == 2 {
					return test.replayed, test.err
				}
				delete(f.letters, id)
				return ingest.Replayed{}, nil
			})}
			got, err := o.ReplayAll(t.Context(), store.LetterFilter{}, 0)
			if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) {
				t.Error(diff, err)
			}
		})
	}
}

// One call is bounded by a number and by the caller's time, and others go on where it ended.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(make([]store.Kind, AtOnce+10)...)
		took := time.Duration(0)
		o := &Office{Store: f, Replayer: replayFunc(func(int64) (ingest.Replayed, error) {
			time.Sleep(took)
			return ingest.Replayed{}, &ingest.StillRefusedError{}
		})}
		got, err := o.ReplayAll(t.Context(), store.LetterFilter{}, 0)
		if diff := cmp.Diff(Result{Refused: AtOnce, Next: 11}, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
		got, err = o.ReplayAll(t.Context(), store.LetterFilter{}, got.Next)
		if diff := cmp.Diff(Result{Refused: 10}, got); diff != "" || err != nil {
			t.Error(diff, err)
		}

		took = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), reserve+5*time.Second)
		defer cancel()
		got, err = o.ReplayAll(ctx, store.LetterFilter{}, 0)
		if got.Refused < 4 || got.Refused > 6 || got.Next != int64(AtOnce+10-got.Refused)+1 || err != nil || ctx.Err() != nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
