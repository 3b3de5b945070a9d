package webhook

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/refusal"
)

// Submitter makes events durable.
type Submitter interface {
	// Submit returns when every reading is durable, with one answer for each, in their order. After
	// an error, an *ingest.BusyError or that of the context, nothing is promised.
	Submit(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error)
}

// reader reads one event. A text that is not a JSON object gives a reading that is refused. The reading
// keeps raw.
type reader func(raw []byte, received time.Time) ingest.Reading

// events are what a request delivered, and what became of it. Readings and answers go by index.
type events struct {
	readings []ingest.Reading
	answers  []ingest.Answer
	tally    tally
}

// takeIn reads what a request delivers and makes it durable. There is an answer for every reading, as
// a 2xx rests on it.
func takeIn(ctx context.Context, d *delivery, read reader, s Submitter) (ev events, err error) {
	ev.readings = readAll(d, read)
	if len(ev.readings) == 0 {
		return ev, nil
	}
	if ev.answers, err = commit(ctx, s, ev.readings); err != nil {
		return events{}, err
	}
	if len(ev.answers) != len(ev.readings) {
		return events{}, errors.New("webhook: readings without an answer")
	}
	for i := range ev.readings {
		ev.count(i)
	}
	return ev, nil
}

// readAll reads each event. A broken array counts as one event, which is malformed.
func readAll(d *delivery, read reader) []ingest.Reading {
	if !d.isArray() {
		reading := read(d.body, d.received)
		if d.broken != nil {
			reading.Refused = &refusal.MalformedError{Reason: d.broken.Error()}
		}
		return []ingest.Reading{reading}
	}
	readings := make([]ingest.Reading, len(d.items))
	for i, item := range d.items {
		readings[i] = read(item, d.received)
	}
	return readings
}

// errNeverStored is the answer for an event that the database will never accept. The reason that the
// database gives is for the operator, who finds it in the dead letter.
var errNeverStored = errors.New("the event cannot be stored; it is kept as a dead letter")

// refused returns why event i was refused, by its reader or by the database; nil if it was not.
func (ev *events) refused(i int) error {
	if ev.readings[i].Refused == nil && ev.answers[i].Refused {
		return errNeverStored
	}
	return ev.readings[i].Refused
}

// refuseOne answers a request whose only event is kept as a dead letter. It says why, field by field
// where the reader did. The member is the answer's name for the id of the message or thread.
func refuseOne(ev *events, member string) reply {
	id, refused := ev.readings[0].Subject, ev.refused(0)
	rep := reply{status: http.StatusUnprocessableEntity, tally: ev.tally, subject: id}
	b := appendText([]byte(`{"error":`), refused.Error())
	if _, malformed := errors.AsType[*refusal.MalformedError](refused); malformed {
		rep.status, rep.body = http.StatusBadRequest, append(b, '}')
		return rep
	}
	if id != "" {
		b = appendText(append(append(append(b, `,"`...), member...), `":`...), id)
	}
	rep.body = append(appendFields(b, refused), '}')
	return rep
}

// appendFields appends a member that says what is wrong with each field, where the reader did.
func appendFields(b []byte, refused error) []byte {
	invalid, ok := errors.AsType[*refusal.InvalidError](refused)
	if !ok {
		return b
	}
	b = append(b, `,"fields":[`...)
	for i, p := range invalid.Problems {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"path":`...), p.Path)
		b = appendText(append(b, `,"error":`...), p.Reason)
		b = append(b, '}')
	}
	return append(b, ']')
}

// tally counts the events of a request. Accepted, duplicates and refused add up to items; the
// others say more about some of these.
type tally struct {
	items, accepted, duplicates, refused int
	flagged, quarantined, spooled        int

	stale  int // accepted events that brought nothing new
	synced int // accepted events that the CRM had in time for the answer
}

// count adds event i.
func (ev *events) count(i int) {
	t, reading, answer := &ev.tally, &ev.readings[i], &ev.answers[i]
	t.items++
	if answer.Spooled {
		t.spooled++
	}
	switch {
	case ev.refused(i) != nil:
		t.refused++
	case answer.Duplicate:
		t.duplicates++
	default:
		t.accepted++
		if answer.Stale {
			t.stale++
		}
		if reading.Quarantined {
			t.quarantined++
		} else if reading.Warning != "" {
			t.flagged++
		}
	}
}

func (t *tally) allRefused() bool { return t.items > 0 && t.refused == t.items }

// outcome sums up a request in a word.
func (t *tally) outcome() string {
	switch {
	case t.synced > 0 && t.synced == t.accepted-t.stale:
		return "synced"
	case t.accepted > t.stale:
		return "accepted"
	case t.stale > 0:
		return "stale"
	case t.duplicates > 0:
		return "duplicate"
	case t.refused > 0:
		return "refused"
	}
	return "empty"
}
