package ingest

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/cxbridge/cxbridge/internal/fault"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Policy says what happens to a receipt whose sender ID breaks the rules of its destination.
type Policy string

// The policies.
const (
	Flag       Policy = "flag"       // stored and marked, with a warning in the answer
	Quarantine Policy = "quarantine" // kept as a dead letter, and not in sms_messages
)

// Reader turns the raw text of an event into what is to be stored. The webhook, the spool and the
// replay of dead letters all read through it, so an event means the same whichever way it comes.
type Reader struct {
	Judge     *sms.Judge
	Policy    Policy
	Zones     sms.Zones
	ThreadIDs thread.IDFormat
	Log       *slog.Logger // gets faults of the program, when an event is read once more; slog.Default when nil
}

// Reading is what a Reader makes of one event. Its Entry is to be submitted in any case: a refusal is
// kept, too.
type Reading struct {
	Entry   store.Entry
	Subject string // the id of the message or thread; "" when it could not be read

	// Refused is a *refusal.InvalidError or a *refusal.MalformedError when the event cannot be applied
	// as it is. Its Entry is a dead letter then.
	Refused error

	// Warning says why the sender ID breaks the rules; "" when it does not.
	Warning     string
	Quarantined bool // by the policy; the Entry is a dead letter then
}

// source returns the event as it came, so that it can be read again.
func (r *Reading) source() SpoolEvent {
	switch e := &r.Entry; {
	case e.Receipt != nil:
		return SpoolEvent{Kind: store.KindSMS, Received: e.Receipt.Received, Raw: e.Receipt.Raw}
	case e.Thread != nil:
		return SpoolEvent{Kind: store.KindThread, Received: e.Thread.Received, Raw: e.Thread.Raw, Trace: e.Trace}
	default:
		return SpoolEvent{Kind: e.DeadLetter.Kind, Received: e.DeadLetter.Received, Raw: e.DeadLetter.Raw}
	}
}

// deadLetter returns the entry of an event that is not applied.
func (e SpoolEvent) deadLetter(subject, reason string) store.Entry {
	return store.Entry{DeadLetter: &store.DeadLetter{
		Kind: e.Kind, Subject: subject, Reason: reason, Received: e.Received, Raw: e.Raw,
	}}
}

// ReadSMS reads one SMS delivery receipt: an object as it came, not an array. The reading keeps
// raw, so the caller must not reuse its bytes.
func (rd *Reader) ReadSMS(raw []byte, received time.Time) Reading {
	source := SpoolEvent{Kind: store.KindSMS, Received: received, Raw: raw}
	r, err := sms.Decode(raw, rd.Zones)
	if err != nil {
		var id string
		if r != nil {
			id = r.MessageID
		}
		return Reading{Subject: id, Refused: err, Entry: source.deadLetter(id, err.Error())}
	}
	r.Raw, r.Received = sms.UTF8(raw), received // databases keep JSON in UTF-8 alone
	reading := Reading{Subject: r.MessageID, Entry: store.Entry{Receipt: r}}
	if v := rd.Judge.Examine(r); v.Compliance == sms.Violation {
		reading.Warning = v.Reason
		if rd.Policy == Quarantine {
			reading.Quarantined = true
			reading.Entry = source.deadLetter(r.MessageID, "sender ID: "+v.Reason)
		}
	}
	return reading
}

// ReadThread reads one event of a social thread: an object as it came, not an array. The reading
// keeps raw, so the caller must not reuse its bytes.
func (rd *Reader) ReadThread(raw []byte, received time.Time) Reading {
	e, err := thread.Decode(raw, rd.ThreadIDs)
	if err != nil {
		source := SpoolEvent{Kind: store.KindThread, Received: received, Raw: raw}
		var id string
		if e != nil {
			id = e.ThreadID
		}
		return Reading{Subject: id, Refused: err, Entry: source.deadLetter(id, err.Error())}
	}
	e.Raw, e.Received = raw, received
	return Reading{Subject: e.ThreadID, Entry: store.Entry{Thread: e}}
}

// read reads an event once more: one of the spool, or that of a dead letter. Kinds that no sender delivers are
// not known. An event that makes the program panic is refused: the spool would hand it out again at every start.
func (rd *Reader) read(e SpoolEvent) (reading Reading, known bool) {
	defer func() {
		if p := recover(); p != nil {
			cmp.Or(rd.Log, slog.Default()).Error("an event could not be read because of a fault in the program", "kind", e.Kind, "error", fault.Error(p))
			reading = e.refused(errors.New("it could not be read because of a fault in the program; the log says more"))
			known = true
		}
	}()
	switch e.Kind {
	case store.KindSMS:
		return rd.ReadSMS(e.Raw, e.Received), true
	case store.KindThread:
		reading := rd.ReadThread(e.Raw, e.Received)
		reading.Entry.Trace = e.Trace
		return reading, true
	}
	return Reading{}, false
}

// Answer says what became of a submitted reading.
type Answer struct {
	Duplicate bool // the event was already known
	Spooled   bool // it is durable in the spool; whether it was known shows when the spool drains

	Refused bool // the database will never take it; it is kept as a dead letter

	// For a thread event that is in the database. Stale: it brought nothing new. Rev and ParentRev: the
	// CRM has the event once it has these revisions of the thread and, unless it is 0, of the parent.
	Stale     bool
	Rev       int64
	ParentRev int64
}

// BusyError says that not all events of a request are durable: the queue, the spool or the disk is
// full, or the program is stopping. The sender should try again.
type BusyError struct {
	RetryAfter time.Duration
	Reason     string // fit to be shown to the sender
	Storage    bool   // neither database nor spool takes them; else too much comes in, or the program is stopping
}

func (e *BusyError) Error() string { return e.Reason }
