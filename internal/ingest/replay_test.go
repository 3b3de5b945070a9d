package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// fakeLetters holds one dead letter, and notes what a replay does with it.
type fakeLetters struct {
	letter  *store.DeadLetter
	readErr error
	noteErr error
	reasons []string // of the replays in vain

	wakeErr, auditErr error
	woken             []int64 // dead letters whose thread was made due
	notes             []audit.Note
}

func (f *fakeLetters) DeadLetter(_ context.Context, id int64) (*store.DeadLetter, error) {
	if f.readErr != nil {
		return nil, f.readErr
	}
	if f.letter == nil || f.letter.ID != id {
		return nil, store.ErrNotFound
	}
	return f.letter, nil
}

func (f *fakeLetters) FailReplay(_ context.Context, _ int64, reason string) error {
	if f.noteErr != nil {
		return f.noteErr
	}
	f.reasons = append(f.reasons, reason)
	return nil
}

func (f *fakeLetters) Wake(_ context.Context, threadID string, replays int64, note audit.Note, _ time.Time) error {
	if f.wakeErr != nil {
		return f.wakeErr
	}
	if threadID != note.Subject {
		return fmt.Errorf("the note is about %q", note.Subject)
	}
	f.woken, f.notes = append(f.woken, replays), append(f.notes, note)
	return nil
}

func (f *fakeLetters) Audit(_ context.Context, note audit.Note, at time.Time) error {
	if f.auditErr != nil {
		return f.auditErr
	}
	if !at.Equal(at.Truncate(time.Microsecond)) || at.Location() != time.UTC {
		return fmt.Errorf("the note is of %v", at)
	}
	f.notes = append(f.notes, note)
	return nil
}

const badSender = `{"messageId":"m-1","status":"DELIVERED","from":"not a sender id!","to":"+12025550101"}`

func letterOf(raw string) *store.DeadLetter {
	return &store.DeadLetter{
		ID: 7, Kind: store.KindSMS, Reason: "old", Raw: []byte(raw),
		Received: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
	}
}

// replay replays dead letter 7. It returns what was submitted, too.
func replay(t *testing.T, letters *fakeLetters, policy Policy, answers []Answer, err error) (Replayed, []Reading, error) {
	t.Helper()
	var submitted []Reading
	reader := newReader(t)
	reader.Policy = policy
	rp := Replayer{Store: letters, Reader: reader, Submit: func(_ context.Context, readings []Reading) ([]Answer, error) {
		submitted = append(submitted, readings...)
		return answers, err
	}}
	replayed, err := rp.Replay(context.Background(), 7)
	return replayed, submitted, err
}

func TestReplayApplied(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer Answer
		want   Replayed
	}{
		{"new", Answer{}, Replayed{Kind: store.KindSMS, Subject: "m-1"}},
		{"known", Answer{Duplicate: true}, Replayed{Kind: store.KindSMS, Subject: "m-1", Duplicate: true}},
		{"spooled", Answer{Spooled: true}, Replayed{Kind: store.KindSMS, Subject: "m-1", Spooled: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			letters := &fakeLetters{letter: letterOf(string(receipt("m-1")))}
			replayed, submitted, err := replay(t, letters, Flag, []Answer{test.answer}, nil)
			if err != nil || len(letters.reasons) > 0 {
				t.Fatalf("%v, counted as in vain: %q", err, letters.reasons)
			}
			if diff := cmp.Diff(test.want, replayed); diff != "" {
				t.Error(diff)
			}
			if len(submitted) != 1 {
				t.Fatalf("%d readings were submitted", len(submitted))
			}
			entry := submitted[0].Entry
			if entry.Resolves != 7 || entry.Receipt == nil || entry.DeadLetter != nil {
				t.Fatalf("entry %+v", entry)
			}
			if !entry.Receipt.Received.Equal(letters.letter.Received) {
				t.Errorf("received %v, want the time it first came, %v", entry.Receipt.Received, letters.letter.Received)
			}
			if string(entry.Receipt.Raw) != string(letters.letter.Raw) {
				t.Errorf("raw %s", entry.Receipt.Raw)
			}
		})
	}
}

// The policy may have been changed since: what was quarantined is stored now, and marked.
func TestReplayFlagged(t *testing.T) {
	letters := &fakeLetters{letter: letterOf(badSender)}
	replayed, submitted, err := replay(t, letters, Flag, []Answer{{}}, nil)
	if err != nil || len(submitted) != 1 {
		t.Fatalf("%v, %d readings", err, len(submitted))
	}
	if replayed.Warning == "" {
		t.Errorf("no warning: %+v", replayed)
	}
}

func TestReplayRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		raw    string
		policy Policy
		reason string
	}{
		{"no id", `{"status":"DELIVERED"}`, Flag, ""},
		{"not JSON", "\xff{", Flag, ""},
		{"empty", "", Flag, ""},
		{"quarantined", badSender, Quarantine, "sender ID: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			letters := &fakeLetters{letter: letterOf(test.raw)}
			_, submitted, err := replay(t, letters, test.policy, nil, nil)
			var refused *StillRefusedError
			if !errors.As(err, &refused) || refused.Reason == "" || !strings.HasPrefix(refused.Reason, test.reason) {
				t.Fatalf("error %v", err)
			}
			if len(submitted) > 0 {
				t.Error("it was submitted all the same")
			}
			if diff := cmp.Diff([]string{refused.Reason}, letters.reasons); diff != "" {
				t.Errorf("noted reasons (-want +got)\n%s", diff)
			}
		})
	}
}

func TestReplayRefusedByDatabase(t *testing.T) {
	letters := &fakeLetters{letter: letterOf(string(receipt("m-1")))}
	_, _, err := replay(t, letters, Flag, []Answer{{Refused: true}}, nil)
	var refused *StillRefusedError
	if !errors.As(err, &refused) || refused.Reason != "the database refuses the data" {
		t.Errorf("error %v", err)
	}
	if len(letters.reasons) != 1 {
		t.Errorf("counted %d times", len(letters.reasons))
	}
}

// A dead letter that a newer release wrote is left as it is.
func TestReplayUnknownKind(t *testing.T) {
	letter := letterOf(string(receipt("m-1")))
	letter.Kind = "fax"
	letters := &fakeLetters{letter: letter}
	_, submitted, err := replay(t, letters, Flag, nil, nil)
	var refused *StillRefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, `"fax"`) {
		t.Errorf("error %v", err)
	}
	if len(submitted) > 0 || len(letters.reasons) > 0 {
		t.Errorf("submitted %d, noted %q", len(submitted), letters.reasons)
	}
}

func TestReplayErrors(t *testing.T) {
	away := fmt.Errorf("%w: dial", store.ErrUnavailable)
	busy := &BusyError{Reason: "full", RetryAfter: time.Second}
	good, bad := letterOf(string(receipt("m-1"))), letterOf("{}")
	for _, test := range []struct {
		name    string
		letters fakeLetters
		submit  error
		want    error
	}{
		{"no such dead letter", fakeLetters{}, nil, store.ErrNotFound},
		{"away when it is read", fakeLetters{readErr: away}, nil, store.ErrUnavailable},
		{"away when it is counted", fakeLetters{letter: bad, noteErr: away}, nil, store.ErrUnavailable},
		{"deleted meanwhile", fakeLetters{letter: bad, noteErr: store.ErrNotFound}, nil, store.ErrNotFound},
		{"busy", fakeLetters{letter: good}, busy, busy},
		{"too late", fakeLetters{letter: good}, context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := replay(t, &test.letters, Flag, nil, test.submit); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if len(test.letters.reasons) > 0 {
				t.Errorf("counted as in vain: %q", test.letters.reasons)
			}
		})
	}
}

// Through a running Ingest the entry that reaches the store names the dead letter it resolves, and
// an entry that the database refuses does not: else the event would be gone from both tables.
func TestReplayReachesStore(t *testing.T) {
	for _, test := range []struct {
		poison   string
		resolves int64
	}{{"", 7}, {"m-1", 0}} {
		st := &fakeStore{poison: test.poison}
		in := start(t, st, nil)
		letters := &fakeLetters{letter: letterOf(string(receipt("m-1")))}
		rp := Replayer{Store: letters, Reader: in.Reader(), Submit: in.Submit}
		_, err := rp.Replay(context.Background(), 7)
		if refused := test.poison != ""; (err != nil) != refused {
			t.Errorf("poison %q: error %v", test.poison, err)
		}
		if len(st.committed) != 1 || st.committed[0].Resolves != test.resolves {
			t.Errorf("poison %q: committed %+v", test.poison, st.committed)
		}
	}
}

// A dead letter whose event makes the program panic does not keep the others from being replayed.
func TestReplayThatPanicsIsRefused(t *testing.T) {
	letters := &fakeLetters{letter: letterOf(string(receipt("m-1")))}
	rp := Replayer{
		Store: letters, Reader: &Reader{Log: slog.New(slog.DiscardHandler)}, // has no Judge to ask
		Submit: func(_ context.Context, readings []Reading) ([]Answer, error) {
			return make([]Answer, len(readings)), nil
		},
	}
	_, err := rp.Replay(context.Background(), 7)
	if _, refused := errors.AsType[*StillRefusedError](err); !refused || len(letters.reasons) != 1 {
		t.Errorf("got %v, counted as in vain: %q", err, letters.reasons)
	}
}
