package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// clock gathers latencies. Workers share a few clocks: a histogram for each of thousands of connections
// would fill the memory.
type clock struct {
	mu       sync.Mutex
	all      *hdrhistogram.Histogram // from when a request was due
	accepted *hdrhistogram.Histogram // from when it was written, if it was acknowledged
	refused  *hdrhistogram.Histogram // the same, if it was not
}

// clocks is how many clocks there are at the most.
const clocks = 16

// longest is the largest latency that is recorded exactly, in microseconds.
const longest = int64(time.Minute / time.Microsecond)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 3) }

func newClock() *clock {
	return &clock{all: newHistogram(), accepted: newHistogram(), refused: newHistogram()}
}

func (c *clock) took(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	enter(c.all, d)
}

func (c *clock) answered(accepted bool, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if accepted {
		enter(c.accepted, d)
	} else {
		enter(c.refused, d)
	}
}

func enter(h *hdrhistogram.Histogram, d time.Duration) {
	// Only a value out of range is refused, and this one is clamped.
	_ = h.RecordValue(min(d.Microseconds(), longest))
}

// merge adds what another clock has gathered.
func (c *clock) merge(other *clock) {
	c.all.Merge(other.all)
	c.accepted.Merge(other.accepted)
	c.refused.Merge(other.refused)
}

// LatencyOf sums up a histogram of times in microseconds.
func LatencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(percentile float64) time.Duration {
		return time.Duration(h.ValueAtPercentile(percentile)) * time.Microsecond
	}
	return Latency{Requests: h.TotalCount(), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: at(100)}
}
