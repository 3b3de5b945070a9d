package api

import (
	"math"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

func TestCursor(t *testing.T) {
	for _, id := range []int64{1, 2, 9, 10, 255, 256, 1 << 40, math.MaxInt64} {
		if got, err := deadLetterCursor.parseBefore(deadLetterCursor.makeBefore(id)); err != nil || got != id {
			t.Errorf("%d became %d, %v", id, got, err)
		}
	}
	if got, err := deadLetterCursor.parseBefore(""); err != nil || got != 0 {
		t.Errorf("the empty cursor became %d, %v", got, err)
	}
	encode := func(text string) string { return cursorEncoding.EncodeToString([]byte(text)) }
	for _, cursor := range []string{
		"7", "=", "!", " ", "\n", deadLetterCursor.makeBefore(0), deadLetterCursor.makeBefore(-1), deadLetterCursor.makeBefore(7) + "\n", deadLetterCursor.makeBefore(7) + "=",
		encode("7"), encode("other:7"), auditCursor.makeBefore(7), encode(string(deadLetterCursor)), encode(string(deadLetterCursor) + "07"),
		encode(string(deadLetterCursor) + "+7"), encode(string(deadLetterCursor) + "7 "), encode(string(deadLetterCursor) + "9223372036854775808"),
	} {
		if got, err := deadLetterCursor.parseBefore(cursor); err == nil {
			t.Errorf("%q was taken for %d", cursor, got)
		}
	}
}

// FuzzCursor shows that a cursor is either refused or the one spelling of its id.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(deadLetterCursor.makeBefore(1))
	f.Add(deadLetterCursor.makeBefore(math.MaxInt64))
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := deadLetterCursor.parseBefore(cursor)
		switch {
		case err != nil || cursor == "":
		case id < 1:
			t.Errorf("%q became %d", cursor, id)
		case deadLetterCursor.makeBefore(id) != cursor:
			t.Errorf("%q and %q both are %d", cursor, deadLetterCursor.makeBefore(id), id)
		}
	})
}

func TestPosition(t *testing.T) {
	for _, p := range []store.ItemPosition{
		{}, {ID: "m"}, {At: time.Date(2026, 3, 1, 10, 0, 0, 1000, time.UTC), ID: "m:1"},
		{At: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), ID: "ü"}, {At: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), ID: ":"},
	} {
		cursor := ""
		if p.ID != "" {
			cursor = messageCursor.makePosition(p)
		}
		got, err := messageCursor.parsePosition(cursor)
		if err != nil || !got.At.Equal(p.At) || got.ID != p.ID {
			t.Errorf("%v became %v, %v", p, got, err)
		}
	}
	for _, place := range []string{"1", "x:m", "1:", "01:m", "+1:m", "9223372036854775807:m", "1:a\x00"} {
		if got, err := messageCursor.parsePosition(messageCursor.make(place)); err == nil {
			t.Errorf("%q was taken for %v", place, got)
		}
	}
	if got, err := messageCursor.parsePosition(participantCursor.makePosition(store.ItemPosition{ID: "p"})); err == nil {
		t.Errorf("a place among participants was taken for %v among messages", got)
	}
}

// FuzzPosition shows that a cursor is either refused or the one spelling of its position.
func FuzzPosition(f *testing.F) {
	f.Add("")
	f.Add(messageCursor.makePosition(store.ItemPosition{At: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), ID: "m"}))
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := messageCursor.parsePosition(cursor)
		if err == nil && cursor != "" && messageCursor.makePosition(p) != cursor {
			t.Errorf("%q and %q both are %v", cursor, messageCursor.makePosition(p), p)
		}
	})
}
