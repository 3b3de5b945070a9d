package store

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// CheckStorable returns an error that wraps ErrRefused when an entry of the batch holds what
// PostgreSQL cannot keep or SQLite would not sort: text that is not UTF-8 or holds a NUL, or a time
// outside the years 0 to 9999. Every implementation asks it first, so that all refuse the same and
// hold the same data.
func (b *Batch) CheckStorable() error {
	for i := range b.Entries {
		if !b.Entries[i].storable() {
			return fmt.Errorf("%w: text that is not UTF-8 or holds a NUL, or a time outside the years 0 to 9999", ErrRefused)
		}
	}
	return nil
}

func (e *Entry) storable() bool {
	switch {
	case e.Receipt != nil:
		r := e.Receipt
		return storableText(r.MessageID, r.RawStatus, r.Carrier, r.ErrorCode, r.SenderID, r.Recipient, r.Region, r.Cost, r.Currency) &&
			storableTime(r.At, r.Submitted, r.Received) &&
			utf8.Valid(r.Raw) && bytes.IndexByte(r.Raw, 0) < 0
	case e.Thread != nil:
		return storableEvent(e.Thread)
	case e.DeadLetter != nil:
		l := e.DeadLetter
		return storableText(string(l.Kind), l.Subject, l.Reason) && storableTime(l.Received)
	}
	return true
}

// storableEvent looks at ids and times: other texts are stored inside JSON, where a NUL is escaped.
func storableEvent(e *thread.Event) bool {
	for i := range e.Messages {
		at, _ := thread.ParseTime(e.Messages[i].Timestamp)
		if !storableText(e.Messages[i].ID) || !storableTime(at) {
			return false
		}
	}
	for i := range e.Participants {
		if !storableText(e.Participants[i].ID) {
			return false
		}
	}
	return storableText(e.ThreadID, e.Parent) && storableTime(e.UpdatedAt, e.Received) && utf8.Valid(e.Raw) && bytes.IndexByte(e.Raw, 0) < 0
}

// IsAskable reports whether a store can be asked for a text. A store holds no other text, and PostgreSQL
// fails when it is asked for one.
func IsAskable(text string) bool { return storableText(text) }

func storableText(texts ...string) bool {
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.IndexByte(t, 0) >= 0 {
			return false
		}
	}
	return true
}

var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	endTime   = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
)

func storableTime(times ...time.Time) bool {
	for _, t := range times {
		if t.Before(firstTime) || !t.Before(endTime) {
			return false
		}
	}
	return true
}
