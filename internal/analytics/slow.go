package analytics

import (
	"maps"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// SlowShare is how many of the final receipts of a carrier were slow.
type SlowShare struct {
	Carrier string
	Timed   int64 // messages in a final state with a known delivery time
	Slow    int64 // of them, how many took longer; within 2 % of the limit a message may be on either side
}

// SlowShares returns, by carrier and sorted by name, how many of the messages whose final receipt came
// in the window took longer than a limit. When a message was first seen does not count: those that took
// longest were first seen long before. Carriers without a known delivery time are left out, and so are
// messages that name no carrier.
func (s *Sum) SlowShares(limit time.Duration) []SlowShare {
	var shares []SlowShare
	for _, carrier := range slices.Sorted(maps.Keys(s.finals)) {
		times := s.finals[carrier]
		if timed := times.Count(); timed > 0 && carrier != sms.UnknownCarrier {
			shares = append(shares, SlowShare{Carrier: carrier, Timed: timed, Slow: times.Above(limit)})
		}
	}
	return shares
}
