package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testThreadColumns is about values that a column might distort.
func testThreadColumns(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	lastYear := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	for name, change := range map[string]func(e *thread.Event){
		"NothingNamed": func(e *thread.Event) {
			*e = thread.Event{Type: thread.Updated, ThreadID: e.ThreadID, Received: e.Received, Messages: []thread.Message{{ID: "m"}}}
		},
		"NULInText": func(e *thread.Event) { e.Messages[0].Text = "a\x00b" },
		"Unicode": func(e *thread.Event) {
			e.Messages[0].Text, e.Participants[0].Name = "Größe 短信 🙂", "'); --\\\"%_"
		},
		"LongText":       func(e *thread.Event) { e.Messages[0].Text = strings.Repeat("é", 50_000) },
		"UnreadableTime": func(e *thread.Event) { e.Messages[0].Timestamp = "yesterday" },
		"FirstYear":      func(e *thread.Event) { e.UpdatedAt = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC) },
		"LastYear":       func(e *thread.Event) { e.UpdatedAt, e.Messages[0].Timestamp = lastYear, thread.FormatTime(lastYear) },
		"Microseconds":   func(e *thread.Event) { e.Messages[0].Timestamp = "2026-11-22T01:44:21.000001Z" },
		"HighestVersion": func(e *thread.Event) { e.Version = math.MaxInt64 },
		"LongIDs": func(e *thread.Event) {
			e.Messages[0].ID, e.Participants[0].ID = strings.Repeat("🙂", 256), strings.Repeat("é", 256)
		},
		"ManyItems": func(e *thread.Event) {
			for i := range 1500 {
				e.Messages = append(e.Messages, message(fmt.Sprint("many-", i), i%7))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := updated("columns/"+name, 2, message("m", 1))
			e.Parent, e.NamesParent = "parent/"+name, true
			e.Participants = []thread.Participant{person("p", "Ann")}
			change(e)
			accept(t, s, sealed(e))
			state := stateOf(e)
			got := make(map[string]*thread.Item)
			for _, item := range itemsOf(t, s, e.ThreadID, thread.KindMessage, 1000) {
				got[item.ID] = item
			}
			want := make(map[string]*thread.Item)
			for _, item := range present(state, e.ThreadID, thread.KindMessage) {
				want[item.ID] = item
			}
			requireEqual(t, "messages", got, want, revisions)
			requireEqual(t, "participants", itemsOf(t, s, e.ThreadID, thread.KindParticipant, 10), present(state, e.ThreadID, thread.KindParticipant), revisions)
			requireEqual(t, "thread", readThread(t, s, e.ThreadID).Thread, *state.Threads[e.ThreadID], revisions)
			requireEqual(t, "outcomes of a repetition", accept(t, s, e), []store.Outcome{outcomeKnown})
		})
	}

	t.Run("IDsStayApart", func(t *testing.T) {
		names := []string{"7", "007", "7.0", "a", "A", "é", "e\u0301", "1e1", "10", " 7", "7 ", `"`, `\`, "<&>\u2028", "%", "_", "null", "\uff9f", "🙂"}
		for i, name := range names {
			var messages []thread.Message
			for _, other := range names {
				messages = append(messages, message(other, i))
			}
			accept(t, s, updated(name, i+1, messages...))
		}
		for i, name := range names {
			row := readThread(t, s, name)
			items := itemsOf(t, s, name, thread.KindMessage, 100)
			if row.ID != name || row.Version != int64(i+1) || len(items) != len(names) {
				t.Errorf("thread %q: id %q, version %d, %d messages", name, row.ID, row.Version, len(items))
			}
		}
	})
}

// testThreadRefusal commits data that no decoder lets through and no database accepts.
func testThreadRefusal(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	kept := updated("kept", 1, message("m", 1))
	accept(t, s, kept)
	poisoned := func(change func(e *thread.Event)) *thread.Event {
		e := split("poison", "kept", 2, message("m", 1))
		e.Participants = []thread.Participant{person("p", "Ann")}
		change(e)
		return e
	}
	for name, poison := range map[string]*thread.Event{
		"NUL in the id":           poisoned(func(e *thread.Event) { e.ThreadID = "poison\x00" }),
		"NUL in the parent":       poisoned(func(e *thread.Event) { e.Parent = "a\x00b" }),
		"NUL in a message's id":   poisoned(func(e *thread.Event) { e.Messages[0].ID = "a\x00b" }),
		"not UTF-8":               poisoned(func(e *thread.Event) { e.Participants[0].ID = "\xff" }),
		"year of five digits":     poisoned(func(e *thread.Event) { e.UpdatedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"body that is not UTF-8":  poisoned(func(e *thread.Event) { e.Raw = []byte("{\"a\":\"\xff\"}") }),
		"body with a bare NUL":    poisoned(func(e *thread.Event) { e.Raw = []byte("{\"a\":\"\x00\"}") }),
		"received before year 0":  poisoned(func(e *thread.Event) { e.Received = time.Date(-1, 6, 1, 0, 0, 0, 0, time.UTC) }),
		"NUL in a participant id": poisoned(func(e *thread.Event) { e.Participants[0].ID = "\x00" }),
	} {
		t.Run(name, func(t *testing.T) {
			neighbour := updated("neighbour", 1)
			entries := append(events(neighbour, poison, updated("kept", 9)), letters(letter("x", "bad", "neighbour"))...)
			if _, err := s.Commit(t.Context(), batchOf(entries)); !errors.Is(err, store.ErrRefused) || errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("Commit: %v, want ErrRefused", err)
			}
			if _, err := s.Thread(t.Context(), "neighbour"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a neighbour of the refused event: %v, want ErrNotFound", err)
			}
			requireState(t, s, stateOf(kept), revisions)
			if left := list(t, s, 0, 10); len(left) != 0 {
				t.Errorf("dead letters of a refused batch: %+v", left)
			}
		})
	}
	t.Run("TheRestIsTaken", func(t *testing.T) {
		requireEqual(t, "outcomes", accept(t, s, updated("neighbour", 1)), []store.Outcome{outcomeFresh})
	})
}
