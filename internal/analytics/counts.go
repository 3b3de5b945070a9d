package analytics

import (
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// statuses is how many canonical statuses there are: sms.Pending to sms.Delivered.
const statuses = int(sms.Delivered)

// Counts is what is counted of the messages of one key. In a Delta any of it may be negative.
type Counts struct {
	byStatus [statuses]int64 // from sms.Pending on

	Flagged  int64 // messages whose sender ID violates a rule
	Segments int64
	Cost     Money // that receipts name

	TimeSum int64     // of the delivery times, in microseconds: nanoseconds of all messages would overflow
	Times   Histogram // of the delivery times that are known: submit to final event
}

// With returns the number of messages in a status.
func (c *Counts) With(s sms.Status) int64 { return c.byStatus[s-1] }

// Total returns the number of messages.
func (c *Counts) Total() (n int64) {
	for _, m := range c.byStatus {
		n += m
	}
	return n
}

// Failed returns the number of messages in a final state other than DELIVERED.
func (c *Counts) Failed() int64 {
	return c.With(sms.Failed) + c.With(sms.Rejected) + c.With(sms.Expired)
}

// Decided returns the number of messages in a final state.
func (c *Counts) Decided() int64 { return c.With(sms.Delivered) + c.Failed() }

// count adds a contribution n times; -1 takes it away.
func (c *Counts) count(m *Contribution, n int64) {
	c.byStatus[m.Status-1] += n
	if m.Flagged {
		c.Flagged += n
	}
	c.Segments += n * m.Segments
	c.Cost += Money(n) * m.Cost
	if m.Timed {
		c.TimeSum += n * m.Took.Microseconds()
		c.Times.observe(m.Took, n)
	}
}

func (c *Counts) merge(other *Counts) {
	c.mergeNumbers(other)
	c.Times.merge(&other.Times)
}

// mergeNumbers is merge without the delivery times.
func (c *Counts) mergeNumbers(other *Counts) {
	for s := range c.byStatus {
		c.byStatus[s] += other.byStatus[s]
	}
	c.Flagged += other.Flagged
	c.Segments += other.Segments
	c.Cost += other.Cost
	c.TimeSum += other.TimeSum
}

// empty reports whether nothing is counted, and normalizes the histogram.
func (c *Counts) empty() bool {
	c.Times.normalize()
	return c.byStatus == [statuses]int64{} && c.Flagged == 0 && c.Segments == 0 && c.Cost == 0 &&
		c.TimeSum == 0 && len(c.Times.bins) == 0
}

// reset makes the counts empty and keeps their memory.
func (c *Counts) reset() { *c = Counts{Times: Histogram{bins: c.Times.bins[:0]}} }

// Latency counts how long receipts took from their arrival until they were durable.
type Latency struct {
	Receipts int64
	Within   int64 // of them, how many were within the SLA that was set at the time
	Sum      time.Duration
	Times    Histogram
}

func (l *Latency) merge(other *Latency) {
	l.Receipts += other.Receipts
	l.Within += other.Within
	l.Sum += other.Sum
	l.Times.merge(&other.Times)
}

func (l *Latency) empty() bool {
	l.Times.normalize()
	return l.Receipts == 0 && l.Within == 0 && l.Sum == 0 && len(l.Times.bins) == 0
}

func (l *Latency) reset() { *l = Latency{Times: Histogram{bins: l.Times.bins[:0]}} }
