package webhook

import (
	"context"
	"net/http"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

// SMSIntake is where the SMS webhook takes its events.
type SMSIntake interface {
	// ReadSMS reads one receipt. A text that is not a JSON object gives a reading that is refused.
	// The reading keeps raw.
	ReadSMS(raw []byte, received time.Time) ingest.Reading

	Submitter
}

// SMS returns the handler of the SMS delivery receipts: one object, or an array of objects.
//
//	200  {"acknowledged":true,"messageId":…}, with "duplicate", "queuedForRetry" and "quarantined"
//	     where they are true, and "validationWarning" where the sender ID breaks the rules. For an
//	     array {"acknowledged":true,"accepted":n,"duplicates":n,"rejected":[{"index","error"}]},
//	     with "flagged" and "quarantined", both counts of accepted ones, where they are not 0, and
//	     "queuedForRetry" where it is true of any item. An empty array is an array.
//	400  malformed JSON; kept as a dead letter
//	422  invalid, with "fields":[{"path","error"}] and "messageId" where it is known; for an array,
//	     if every item is invalid. Kept as dead letters
//
// and, as all webhooks: 401, 405, 413, 415, 429 to callers with too many wrong secrets, and 503 with
// Retry-After. These promise nothing about the events. Every error has the form {"error":…}.
func (g *Gate) SMS(intake SMSIntake) http.Handler {
	return g.handler("sms", "message_id", smsWebhook{intake}.accept)
}

type smsWebhook struct{ intake SMSIntake }

func (s smsWebhook) accept(ctx context.Context, d *delivery) (reply, error) {
	ev, err := takeIn(ctx, d, s.intake.ReadSMS, s.intake)
	if err != nil {
		return reply{}, err
	}
	if d.isArray() {
		return answerReceipts(&ev), nil
	}
	return answerReceipt(&ev), nil
}
