package console

import (
	"math"
	"testing"
)

func TestCursor(t *testing.T) {
	for _, id := range []int64{1, 2, 9, 10, 255, 256, 1 << 40, math.MaxInt64} {
		if got, err := parseCursor(makeCursor(id)); err != nil || got != id {
			t.Errorf("%d became %d, %v", id, got, err)
		}
	}
	if got, err := parseCursor(""); err != nil || got != 0 {
		t.Errorf("the empty cursor became %d, %v", got, err)
	}
	encode := func(text string) string { return cursorEncoding.EncodeToString([]byte(text)) }
	for _, cursor := range []string{
		"7", "=", "!", " ", "\n", makeCursor(0), makeCursor(-1), makeCursor(7) + "\n", makeCursor(7) + "=",
		encode("7"), encode("other:7"), encode(deadLetterCursor), encode(deadLetterCursor + "07"),
		encode(deadLetterCursor + "+7"), encode(deadLetterCursor + "7 "), encode(deadLetterCursor + "9223372036854775808"),
	} {
		if got, err := parseCursor(cursor); err == nil {
			t.Errorf("%q was taken for %d", cursor, got)
		}
	}
}

// FuzzCursor shows that a cursor is either refused or the one spelling of its id.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(makeCursor(1))
	f.Add(makeCursor(math.MaxInt64))
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := parseCursor(cursor)
		switch {
		case err != nil || cursor == "":
		case id < 1:
			t.Errorf("%q became %d", cursor, id)
		case makeCursor(id) != cursor:
			t.Errorf("%q and %q both are %d", cursor, makeCursor(id), id)
		}
	})
}
