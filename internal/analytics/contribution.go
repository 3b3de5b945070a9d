package analytics

import (
	"cmp"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// Key is what counts are kept by.
type Key struct {
	Second   int64 // Unix time of first_seen_at in whole seconds; in a rollup, where its bucket begins
	Carrier  string
	Region   string
	Currency string // of the costs that receipts name; "" for messages whose cost no receipt names

	// Final marks what is counted of final receipts by when they came, rather than of messages by when
	// they were first seen: delivery times by carrier, and nothing else.
	Final bool
}

func (k *Key) route() route { return route{k.Carrier, k.Region} }

// NoCurrency stands for the currency of a cost that is named without one. It is the code of ISO 4217
// for no currency.
const NoCurrency = "XXX"

// maxDelivery bounds the delivery times that are believed. Networks keep a message for some days;
// more than this means that two clocks disagree.
const maxDelivery = 30 * 24 * time.Hour

// Contribution is what one message adds to the counts. Two versions of a message with equal
// contributions are the same to analytics.
type Contribution struct {
	Key
	Status   sms.Status
	Flagged  bool // its sender ID violates a rule
	Segments int64
	Cost     Money         // that receipts name; 0 where Currency is ""
	Timed    bool          // the delivery time is known
	Took     time.Duration // from submit to the final event
	Came     int64         // Unix time in seconds at which the final receipt came; 0 unless Timed
}

// ContributionOf returns what a settled message adds to the counts. A message of unknown length has
// one segment. Carriers are told apart without regard to case. A cost that no message can have counts
// as none. The delivery time is known for a final state whose time is from 0 to 30 days after the time
// of submission.
func ContributionOf(m *sms.Message) Contribution {
	c := Contribution{
		Key:      Key{Second: m.FirstSeen.Unix(), Carrier: strings.ToUpper(m.Carrier), Region: m.Region},
		Status:   m.Status,
		Flagged:  m.Compliance == sms.Violation,
		Segments: int64(max(m.Segments, 1)),
	}
	if m.Cost != "" {
		if cost, _, ok := parseMoney(m.Cost); ok {
			c.Cost, c.Currency = cost, cmp.Or(m.Currency, NoCurrency)
		}
	}
	if m.Status.Final() && !m.StatusAt.IsZero() && !m.Submitted.IsZero() {
		if took := m.StatusAt.Sub(m.Submitted); took >= 0 && took <= maxDelivery {
			c.Timed, c.Took, c.Came = true, took, m.Received.Unix()
		}
	}
	return c
}
