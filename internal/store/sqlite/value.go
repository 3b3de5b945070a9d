package sqlite

import (
	"fmt"
	"time"
)

// timeLayout has a fixed width, so that times sort as text.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// timeText turns the zero time into null.
func timeText(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeLayout)
}

// text turns the empty text into null.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// number turns 0 into null.
func number(n int) any {
	if n == 0 {
		return nil
	}
	return int64(n)
}

// hash turns the zero hash into null.
func hash(h []byte) any {
	for _, b := range h {
		if b != 0 {
			return h
		}
	}
	return nil
}

// blob turns no bytes into null.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// instant reads a column of a time; null is the zero time.
type instant struct{ into *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(value any) (err error) {
	switch v := value.(type) {
	case nil:
		*i.into = time.Time{}
	case string:
		*i.into, err = time.Parse(timeLayout, v)
	default:
		err = fmt.Errorf("a time is stored as %T instead of text", v)
	}
	return err
}

// digest reads a column of a hash; null is the zero hash. It is the hash as a slice of its array.
type digest []byte

// Scan implements sql.Scanner.
func (d digest) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		clear(d)
	case []byte:
		if len(v) != len(d) {
			return fmt.Errorf("a hash is stored in %d bytes instead of %d", len(v), len(d))
		}
		copy(d, v)
	default:
		return fmt.Errorf("a hash is stored as %T instead of a blob", v)
	}
	return nil
}
