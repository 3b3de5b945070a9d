package api

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/store"
)

// A cursorKind is the kind of cursor of one list. A cursor says where the next page begins. Clients must not
// read cursors, so they are encoded. The word in front keeps those of different lists apart.
type cursorKind string

const (
	deadLetterCursor  cursorKind = "dead-letters-before:"
	auditCursor       cursorKind = "audit-before:"
	threadCursor      cursorKind = "threads-after:"
	messageCursor     cursorKind = "messages-after:" // of a thread
	smsCursor         cursorKind = "sms-after:"
	participantCursor cursorKind = "participants-after:"
)

var errBadCursor = errors.New("this is not a cursor of this list")

// badCursor returns the problem about an invalid cursor.
func badCursor(cursor string, err error) error { return badCursorIn("cursor", cursor, err) }

// badCursorIn returns the problem about an invalid cursor in a query parameter.
func badCursorIn(name, cursor string, err error) error {
	return huma.Error422UnprocessableEntity("validation failed",
		&huma.ErrorDetail{Message: err.Error(), Location: "query." + name, Value: cursor})
}

// cursorEncoding is strict: every cursor has one spelling.
var cursorEncoding = base64.RawURLEncoding.Strict()

// make returns the cursor of a place in the list.
func (k cursorKind) make(place string) string {
	return cursorEncoding.EncodeToString([]byte(string(k) + place))
}

// parse returns what make was given, and "" for the empty cursor, which is the beginning of the list.
func (k cursorKind) parse(cursor string) (place string, err error) {
	if cursor == "" {
		return "", nil
	}
	text, err := cursorEncoding.DecodeString(cursor)
	if err != nil {
		return "", errBadCursor
	}
	place, ok := strings.CutPrefix(string(text), string(k))
	if !ok || place == "" || !store.IsAskable(place) {
		return "", errBadCursor
	}
	return place, nil
}

// makeBefore returns the cursor of the entries with an id below before.
func (k cursorKind) makeBefore(before int64) string { return k.make(strconv.FormatInt(before, 10)) }

// parseBefore returns what makeBefore was given, and 0 for the empty cursor.
func (k cursorKind) parseBefore(cursor string) (before int64, err error) {
	place, err := k.parse(cursor)
	if err != nil || place == "" {
		return 0, err
	}
	before, err = strconv.ParseInt(place, 10, 64)
	if err != nil || before < 1 || k.makeBefore(before) != cursor {
		return 0, errBadCursor
	}
	return before, nil
}

// makePosition returns the cursor of what follows an item. Its time is kept in microseconds since 1970.
func (k cursorKind) makePosition(p store.ItemPosition) string {
	return k.make(strconv.FormatInt(p.At.UnixMicro(), 10) + ":" + p.ID)
}

// parsePosition returns what makePosition was given, and the zero position for the empty cursor.
func (k cursorKind) parsePosition(cursor string) (p store.ItemPosition, err error) {
	place, err := k.parse(cursor)
	if err != nil || place == "" {
		return p, err
	}
	micros, id, ok := strings.Cut(place, ":")
	at, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || !ok || id == "" {
		return p, errBadCursor
	}
	p = store.ItemPosition{At: time.UnixMicro(at).UTC(), ID: id}
	if k.makePosition(p) != cursor || p.At.Year() < 0 || p.At.Year() > 9999 {
		return store.ItemPosition{}, errBadCursor
	}
	return p, nil
}
