package analytics

import "time"

// SlowShare is how many of the final receipts of a carrier were slow.
type SlowShare struct {
	Carrier string
	Timed   int64 // messages in a final state with a known delivery time
	Slow    int64 // of them, how many took longer; within 2 % of the limit a message may be on either side
}

// SlowShares returns, by carrier and sorted by name, how many of the messages whose final receipt came
// in the window took longer than a limit. When a message was first seen does not count: those that took
// longest were first seen long before. Carriers without a known delivery time are left out, and so is what
// is nobody's: messages that name no carrier, and OtherCarriers.
func (s *Sum) SlowShares(limit time.Duration) []SlowShare {
	var shares []SlowShare
	s.finals.fold(MaxNames)
	for _, e := range s.finals.entries() {
		timed := e.Times.Count()
		if timed > 0 && !isNobody(e.key.Carrier) {
			shares = append(shares, SlowShare{Carrier: e.key.Carrier, Timed: timed, Slow: e.Times.Above(limit)})
		}
	}
	return shares
}
