package simulator

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// receipt is the payload of an SMS event.
type receipt struct {
	MessageID   string    `json:"messageId"`
	Status      string    `json:"status"`
	ErrorCode   *string   `json:"errorCode"`
	Carrier     string    `json:"carrier"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	Region      string    `json:"region"`
	SubmittedAt time.Time `json:"submittedAt"`
	Timestamp   time.Time `json:"timestamp"`
}

// idPrefix distinguishes simulated messages from real ones.
const idPrefix = "SIM-"

// drawn are the statuses to draw from when none is asked for.
var drawn = []string{"DELIVERED", "FAILED", "PENDING", "REJECTED"}

// maxDelivery bounds the time from submit to receipt.
const maxDelivery = 10 * time.Second

// drawReceipt makes up a receipt of a new message. The region, if one is asked for, must be known.
func drawReceipt(rng *rand.Rand, ask SMS, now time.Time) receipt {
	to, _ := sim.DrawDestination(rng, regionCode(ask.Region))
	now = now.UTC().Truncate(time.Millisecond)
	r := receipt{
		MessageID: idPrefix + sim.UUID(rng),
		Status:    cmp.Or(ask.Status, drawn[rng.IntN(len(drawn))]),
		Carrier:   cmp.Or(ask.Carrier, to.Carrier),
		From:      to.Sender, To: to.Recipient, Region: to.Region,
		SubmittedAt: now.Add(-time.Duration(rng.Int64N(int64(maxDelivery)))).Truncate(time.Millisecond), Timestamp: now,
	}
	if sms.StatusOf(r.Status) == sms.Failed {
		code := "404"
		r.ErrorCode = &code
	}
	return r
}

// regionCode reads a region as the intake does. It returns "" for a text that is not a region code.
func regionCode(region string) string {
	code, _ := sms.ParseRegion(region)
	return code
}

// body writes the event as CXone posts it.
func (r *receipt) body() []byte {
	return encode(struct {
		EventType string   `json:"eventType"`
		Payload   *receipt `json:"payload"`
	}{"messaging.status.update", r})
}

// encode writes strings, numbers and times as JSON, which cannot fail.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
