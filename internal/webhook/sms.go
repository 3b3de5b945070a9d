package webhook

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/refusal"
)

// SMSIntake is where the SMS webhook takes its events.
type SMSIntake interface {
	// ReadSMS reads one receipt. A text that is no JSON object gives a reading that is refused.
	// The reading keeps raw.
	ReadSMS(raw []byte, received time.Time) ingest.Reading

	// Submit returns when every reading is durable, with one answer for each, in their order. On
	// an error nothing is promised: an *ingest.BusyError, or that of the context.
	Submit(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error)
}

// SMS returns the handler of the SMS delivery receipts: one object, or an array of objects.
//
//	200  {"acknowledged":true,"messageId":…}, with "duplicate", "queuedForRetry" and "quarantined"
//	     where they are true, and "validationWarning" where the sender ID breaks the rules. For an
//	     array {"acknowledged":true,"accepted":n,"duplicates":n,"rejected":[{"index","error"}]},
//	     with "flagged" and "quarantined", both counts of accepted ones, where they are not 0, and
//	     "queuedForRetry" where it is true of any item. An empty array is an array.
//	400  malformed JSON; kept as a dead letter
//	422  invalid, with "fields":[{"path","error"}] and "messageId" where it is known; for an array
//	     of which every item is. Kept as dead letters
//
// and, as all webhooks: 401, 405, 413, 415, and 503 with Retry-After. These promise nothing of the
// events. Every error has the form {"error":…}.
func (g *Gate) SMS(intake SMSIntake) http.Handler {
	return g.handler("sms", smsWebhook{intake}.accept)
}

type smsWebhook struct{ intake SMSIntake }

func (s smsWebhook) accept(ctx context.Context, d *delivery) (reply, error) {
	if d.array && d.broken == nil {
		return s.acceptAll(ctx, d)
	}
	reading := s.intake.ReadSMS(d.body, d.received)
	if d.broken != nil {
		reading.Refused = &refusal.MalformedError{Reason: d.broken.Error()}
	}
	answers, err := s.submit(ctx, []ingest.Reading{reading})
	if err != nil {
		return reply{}, err
	}
	return answerOne(&reading, &answers[0]), nil
}

func (s smsWebhook) acceptAll(ctx context.Context, d *delivery) (reply, error) {
	if len(d.items) == 0 {
		return answerAll(nil, nil), nil
	}
	readings := make([]ingest.Reading, len(d.items))
	for i, item := range d.items {
		readings[i] = s.intake.ReadSMS(item, d.received)
	}
	answers, err := s.submit(ctx, readings)
	if err != nil {
		return reply{}, err
	}
	return answerAll(readings, answers), nil
}

// submit makes sure that there is an answer for every reading, as a 2xx rests on it.
func (s smsWebhook) submit(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
	answers, err := s.intake.Submit(ctx, readings)
	if err == nil && len(answers) != len(readings) {
		err = errors.New("webhook: readings without an answer")
	}
	return answers, err
}
