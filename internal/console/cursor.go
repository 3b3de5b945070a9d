package console

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// A cursor says where the next page of a list begins. Clients must not read it, so it is encoded;
// the word in front tells cursors of different lists apart.
const deadLetterCursor = "dead-letters-before:"

var errBadCursor = errors.New("this is not a cursor of this list")

// cursorEncoding is strict: every cursor has one spelling.
var cursorEncoding = base64.RawURLEncoding.Strict()

// makeCursor returns the cursor of the dead letters with an id below before.
func makeCursor(before int64) string {
	return cursorEncoding.EncodeToString([]byte(deadLetterCursor + strconv.FormatInt(before, 10)))
}

// parseCursor returns what makeCursor was given. The empty cursor is the beginning of the list,
// and 0.
func parseCursor(cursor string) (before int64, err error) {
	if cursor == "" {
		return 0, nil
	}
	text, err := cursorEncoding.DecodeString(cursor)
	if err != nil {
		return 0, errBadCursor
	}
	id, ok := strings.CutPrefix(string(text), deadLetterCursor)
	if !ok {
		return 0, errBadCursor
	}
	before, err = strconv.ParseInt(id, 10, 64)
	if err != nil || before < 1 || makeCursor(before) != cursor {
		return 0, errBadCursor
	}
	return before, nil
}
