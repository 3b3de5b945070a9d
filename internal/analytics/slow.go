package analytics

import "time"

// SlowShare is how many of the final messages of a carrier took longer than a limit.
type SlowShare struct {
	Carrier string
	Timed   int64 // messages in a final state with a known delivery time
	Slow    int64 // of them, how many took longer; within 2 % of the limit a message may be on either side
}

// SlowShares returns, by carrier and sorted by name, how many messages of the window were slower than
// a limit. Carriers without a known delivery time are left out.
func (s *Sum) SlowShares(limit time.Duration) []SlowShare {
	var shares []SlowShare
	for _, l := range s.lanes() {
		c := s.routes[l]
		timed := c.Times.Count()
		if timed == 0 {
			continue
		}
		if n := len(shares); n == 0 || shares[n-1].Carrier != l.carrier {
			shares = append(shares, SlowShare{Carrier: l.carrier})
		}
		last := &shares[len(shares)-1]
		last.Timed += timed
		last.Slow += c.Times.Above(limit)
	}
	return shares
}
