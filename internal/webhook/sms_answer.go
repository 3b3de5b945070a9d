package webhook

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/refusal"
)

// errNeverStored is told for an event that the database will never take. What the database says of
// it is for the operator, who finds it in the dead letter.
var errNeverStored = errors.New("the receipt cannot be stored; it is kept as a dead letter")

// refusedWhy returns why an event was refused, by its reader or by the database; nil if it was not.
func refusedWhy(reading *ingest.Reading, answer *ingest.Answer) error {
	if reading.Refused == nil && answer.Refused {
		return errNeverStored
	}
	return reading.Refused
}

// count adds one event that is durable.
func (t *tally) count(reading *ingest.Reading, answer *ingest.Answer) {
	t.items++
	if answer.Spooled {
		t.spooled++
	}
	switch {
	case refusedWhy(reading, answer) != nil:
		t.refused++
	case answer.Duplicate:
		t.duplicates++
	default:
		t.accepted++
		if reading.Quarantined {
			t.quarantined++
		} else if reading.Warning != "" {
			t.flagged++
		}
	}
}

// outcome sums a request up in a word.
func (t *tally) outcome() string {
	switch {
	case t.accepted > 0:
		return "accepted"
	case t.duplicates > 0:
		return "duplicate"
	case t.refused > 0:
		return "refused"
	}
	return "empty"
}

// answerOne answers a request of a single receipt.
func answerOne(reading *ingest.Reading, answer *ingest.Answer) reply {
	rep := reply{status: http.StatusOK, subject: reading.MessageID}
	rep.tally.count(reading, answer)
	rep.outcome = rep.tally.outcome()
	if refused := refusedWhy(reading, answer); refused != nil {
		rep.status, rep.body = refuseOne(reading.MessageID, refused)
		return rep
	}
	b := append(make([]byte, 0, 128), `{"acknowledged":true,"messageId":`...)
	b = appendText(b, reading.MessageID)
	if reading.Warning != "" {
		b = appendText(append(b, `,"validationWarning":`...), reading.Warning)
	}
	if answer.Duplicate {
		b = append(b, `,"duplicate":true`...)
	}
	if answer.Spooled {
		b = append(b, `,"queuedForRetry":true`...)
	}
	if reading.Quarantined {
		b = append(b, `,"quarantined":true`...)
	}
	rep.body = append(b, '}')
	return rep
}

// refuseOne tells why a receipt is a dead letter, field by field where the reader said so.
func refuseOne(id string, refused error) (status int, body []byte) {
	b := appendText([]byte(`{"error":`), refused.Error())
	var malformed *refusal.MalformedError
	if errors.As(refused, &malformed) {
		return http.StatusBadRequest, append(b, '}')
	}
	if id != "" {
		b = appendText(append(b, `,"messageId":`...), id)
	}
	var invalid *refusal.InvalidError
	if errors.As(refused, &invalid) {
		b = append(b, `,"fields":[`...)
		for i, p := range invalid.Problems {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(append(b, `{"path":`...), p.Path)
			b = appendText(append(b, `,"error":`...), p.Reason)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return http.StatusUnprocessableEntity, append(b, '}')
}

// answerAll answers a request of an array, whose readings and answers go by index.
func answerAll(readings []ingest.Reading, answers []ingest.Answer) reply {
	rep := reply{status: http.StatusOK}
	rejected := []byte{'['}
	for i := range readings {
		rep.tally.count(&readings[i], &answers[i])
		if refused := refusedWhy(&readings[i], &answers[i]); refused != nil {
			if len(rejected) > 1 {
				rejected = append(rejected, ',')
			}
			rejected = appendRejected(rejected, i, refused)
		}
	}
	rejected = append(rejected, ']')
	t := &rep.tally
	rep.outcome = t.outcome()

	b := append(make([]byte, 0, 128+len(rejected)), '{')
	if t.items > 0 && t.refused == t.items {
		rep.status = http.StatusUnprocessableEntity
		b = append(b, `"error":"every item is refused","acknowledged":false`...)
	} else {
		b = append(b, `"acknowledged":true`...)
	}
	b = appendCount(b, "accepted", t.accepted)
	b = appendCount(b, "duplicates", t.duplicates)
	b = append(append(b, `,"rejected":`...), rejected...)
	if t.flagged > 0 {
		b = appendCount(b, "flagged", t.flagged)
	}
	if t.quarantined > 0 {
		b = appendCount(b, "quarantined", t.quarantined)
	}
	if t.spooled > 0 {
		b = append(b, `,"queuedForRetry":true`...)
	}
	rep.body = append(b, '}')
	return rep
}

func appendRejected(b []byte, index int, refused error) []byte {
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(index), 10)
	b = appendText(append(b, `,"error":`...), refused.Error())
	return append(b, '}')
}
