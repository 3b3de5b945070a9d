package webhook

import (
	"net/http"
	"strconv"
)

// answerReceipt answers a request of a single receipt.
func answerReceipt(ev *events) reply {
	if ev.refused(0) != nil {
		return refuseOne(ev, "messageId")
	}
	reading, answer := &ev.readings[0], &ev.answers[0]
	rep := reply{status: http.StatusOK, tally: ev.tally, subject: reading.Subject}
	b := append(make([]byte, 0, 128), `{"acknowledged":true,"messageId":`...)
	b = appendText(b, reading.Subject)
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

// answerReceipts answers a request of an array.
func answerReceipts(ev *events) reply {
	rep := reply{status: http.StatusOK, tally: ev.tally}
	rejected := []byte{'['}
	for i := range ev.readings {
		if refused := ev.refused(i); refused != nil {
			if len(rejected) > 1 {
				rejected = append(rejected, ',')
			}
			rejected = appendRejected(rejected, i, refused)
		}
	}
	rejected = append(rejected, ']')
	t := &rep.tally

	b := append(make([]byte, 0, 128+len(rejected)), '{')
	if t.allRefused() {
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
