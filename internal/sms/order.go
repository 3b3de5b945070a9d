package sms

import "time"

// Rank is the place of a receipt in the total order that decides a message's state: final above
// not final, then the later event time, then the fixed order of the statuses. No event time counts
// as earlier than any. The rank packs the three into one number, so that receipts are compared by
// comparing numbers, in Go and in SQL alike:
//
//	bit 62      final
//	bits 61–3   event time in microseconds since year 0, plus one; 0 for none
//	bits 2–0    status
type Rank int64

// yearZero is the origin of a rank's time: no RFC 3339 time is earlier, and the last one, in the
// year 9999, still fits into 59 bits.
var yearZero = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// RankOf returns the rank of a status at an event time; the zero time stands for none.
func RankOf(s Status, at time.Time) Rank {
	rank := Rank(s)
	if !at.IsZero() {
		rank |= Rank(at.UnixMicro()-yearZero+1) << 3
	}
	if s.Final() {
		rank |= 1 << 62
	}
	return rank
}

// Rank returns the receipt's place in the total order.
func (r *Receipt) Rank() Rank { return RankOf(r.Status, r.At) }
