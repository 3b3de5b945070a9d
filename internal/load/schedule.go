package load

import (
	"sync/atomic"
	"time"
)

// schedule says when requests are sent at a constant rate: request i at start + i/rate.
//
// It does not wait for answers. A request that comes late because all connections are busy is
// measured from when it was to be sent, so that a slow server cannot hide its slowness by holding
// the generator up (coordinated omission). Go's timers wake up to a millisecond late when the
// machine has little to do; that lateness is in the latencies too, so they err to the worse side.
type schedule struct {
	start time.Time
	end   time.Time
	rate  float64 // requests per second
	next  atomic.Int64
}

// take claims the next request and returns when it must be sent. It reports false once that is past the
// end. Whichever connection is free takes the next one.
func (s *schedule) take() (due time.Time, ok bool) {
	due = s.at(s.next.Add(1) - 1)
	return due, due.Before(s.end)
}

// at returns when request i is due. It multiplies instead of adding up intervals, so that
// rounding does not pile up over a long run.
func (s *schedule) at(i int64) time.Time {
	return s.start.Add(time.Duration(float64(i) / s.rate * float64(time.Second)))
}
