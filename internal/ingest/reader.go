package ingest

import (
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Policy says what happens to a receipt whose sender ID breaks the rules of its destination.
type Policy string

// The policies.
const (
	Flag       Policy = "flag"       // stored, marked, and told in the answer
	Quarantine Policy = "quarantine" // kept as a dead letter, and not in sms_messages
)

// Reader turns the raw text of an event into what is to be stored. The webhook, the spool and the
// replay of dead letters all read through it, so an event means the same on each of these ways.
type Reader struct {
	Judge  *sms.Judge
	Policy Policy
	Zones  sms.Zones
}

// Reading is what a Reader makes of one event. Whatever it is, its Entry is to be submitted: also
// a refusal is kept.
type Reading struct {
	Entry     store.Entry
	MessageID string // "" when it could not be read

	// Refused is an *refusal.InvalidError or an *refusal.MalformedError when the event cannot be applied
	// as it is. Its Entry is a dead letter then.
	Refused error

	// Warning says why the sender ID breaks the rules; "" when it does not.
	Warning     string
	Quarantined bool // by the policy; the Entry is a dead letter then
}

// raw returns the text that the reading was read from.
func (r *Reading) raw() []byte {
	if letter := r.Entry.DeadLetter; letter != nil {
		return letter.Raw
	}
	return r.Entry.Receipt.Raw
}

// ReadSMS reads one SMS delivery receipt: an object as it came, not an array. The reading keeps
// raw, so the caller must not reuse its bytes.
func (rd *Reader) ReadSMS(raw []byte, received time.Time) Reading {
	r, err := sms.Decode(raw, rd.Zones)
	if err != nil {
		id := subjectOf(r)
		return Reading{MessageID: id, Refused: err, Entry: deadLetter(id, err.Error(), raw, received)}
	}
	r.Raw, r.Received = raw, received
	reading := Reading{MessageID: r.MessageID, Entry: store.Entry{Receipt: r}}
	if v := rd.Judge.Examine(r); v.Compliance == sms.Violation {
		reading.Warning = v.Reason
		if rd.Policy == Quarantine {
			reading.Quarantined = true
			reading.Entry = deadLetter(r.MessageID, "sender ID: "+v.Reason, raw, received)
		}
	}
	return reading
}

func deadLetter(subject, reason string, raw []byte, received time.Time) store.Entry {
	return store.Entry{DeadLetter: &store.DeadLetter{
		Kind: store.KindSMS, Subject: subject, Reason: reason, Received: received, Raw: raw,
	}}
}

// subjectOf names the message of a receipt that was refused, where at least its id was read.
func subjectOf(r *sms.Receipt) string {
	if r == nil {
		return ""
	}
	return r.MessageID
}

// Answer tells what became of a submitted reading.
type Answer struct {
	Duplicate bool // the event was known
	Spooled   bool // it is durable in the spool; whether it was known shows when it drains

	Refused bool // the database will never take it; it is kept as a dead letter
}

// BusyError says that an event is not durable, and was not kept: the queue, the spool or the disk
// is full, or the program stops. The sender is to try again.
type BusyError struct {
	RetryAfter time.Duration
	Reason     string // fit to be shown to the sender
}

func (e *BusyError) Error() string { return e.Reason }
