package thread_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/refusal"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(wholeEvent))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		e, err := thread.Decode(raw, thread.AnyID)
		if string(raw) != before {
			t.Fatal("the bytes changed")
		}
		again, errAgain := thread.Decode(raw, thread.AnyID)
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("not deterministic: %s", diff)
		}
		if (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("not deterministic: %v, then %v", err, errAgain)
		}
		checkDecoded(t, e, err)
		if err == nil {
			checkFolds(t, e)
		}
	})
}

// checkDecoded checks what holds for everything that Decode returns.
func checkDecoded(t *testing.T, e *thread.Event, err error) {
	if err == nil {
		checkEvent(t, e)
		return
	}
	if malformed, ok := errors.AsType[*refusal.MalformedError](err); ok {
		if e != nil || malformed.Reason == "" {
			t.Fatalf("malformed: %+v, %v", e, err)
		}
		return
	}
	invalid, ok := errors.AsType[*refusal.InvalidError](err)
	if !ok {
		t.Fatalf("the error is of another kind: %v", err)
	}
	if len(invalid.Problems) == 0 || len(invalid.Problems) > 101 || e != nil && !isID(e.ThreadID) {
		t.Fatalf("invalid: %+v, %v", e, err)
	}
}

func checkEvent(t *testing.T, e *thread.Event) {
	ids := []string{e.ThreadID}
	if e.Parent != "" {
		ids = append(ids, e.Parent)
	}
	for i := range e.Messages {
		ids = append(ids, e.Messages[i].ID)
	}
	for i := range e.Participants {
		ids = append(ids, e.Participants[i].ID)
	}
	for _, id := range ids {
		if !isID(id) {
			t.Fatalf("no id: %q", id)
		}
	}
	if e.Parent == e.ThreadID || e.Parent != "" && !e.NamesParent || e.Type == thread.Merged && e.Parent == "" || e.Type == thread.Split && !e.NamesParent {
		t.Fatalf("parent: %+v", e)
	}
	if at := e.UpdatedAt; at.Location() != time.UTC || at.Year() < 1 || at.Year() > 9999 || at.Nanosecond()%1000 != 0 {
		t.Fatalf("no time for a column: %v", at)
	}
	if e.Version < 0 || e.Raw != nil || !e.Received.IsZero() || e.Key == (thread.Key{}) {
		t.Fatalf("%+v", e)
	}
}

func isID(text string) bool {
	n := utf8.RuneCountInString(text)
	return n >= 1 && n <= 256 && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// checkFolds checks that an event can be applied, and that a second time changes nothing.
func checkFolds(t *testing.T, e *thread.Event) {
	s := thread.NewState()
	if shown := s.Fold(e); len(shown) == 0 {
		t.Fatal("the first event shows nothing")
	}
	clear(s.ChangedThreads)
	clear(s.ChangedItems)
	if shown := s.Fold(e); len(shown) > 0 || len(s.ChangedThreads) > 0 || len(s.ChangedItems) > 0 {
		t.Fatalf("the second time it changes %v, %v, %v", shown, s.ChangedThreads, s.ChangedItems)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{
		"2026-03-14T15:09:26.535Z", "2026-03-14 15:09:26+0100", "2016-12-31t23:59:60z", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59-01:00", "2026-02-30T00:00:00Z", "2026-03-14T15:09:26,5-0000",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := thread.ParseTime(text)
		canonical := thread.CanonicalTime(text)
		if !ok {
			if canonical != text || !at.IsZero() {
				t.Fatalf("%q is no time, and yet %q, %v", text, canonical, at)
			}
			return
		}
		if at.Location() != time.UTC || at.Year() < 1 || at.Year() > 9999 || at.Nanosecond()%1000 != 0 {
			t.Fatalf("no time for a column: %v", at)
		}
		if again, ok := thread.ParseTime(canonical); !ok || !again.Equal(at) || thread.CanonicalTime(canonical) != canonical {
			t.Fatalf("%q is not canonical", canonical)
		}
	})
}
