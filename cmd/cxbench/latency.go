package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// newMicros returns a histogram of times from a microsecond to ten minutes.
func newMicros() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
}

// record records a time. A time beyond the histogram's range counts as its longest.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(1, d.Microseconds()), h.HighestTrackableValue()))
}

// inMillis shows a time with a tenth of a millisecond.
func inMillis(d time.Duration) string { return fmt.Sprintf("%.1f ms", millis(d)) }

// quantiles are those by which answers are judged.
type quantiles struct {
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P95   time.Duration `json:"p95_ns"`
	P99   time.Duration `json:"p99_ns"`
}

func quantilesOf(h *hdrhistogram.Histogram) quantiles {
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtPercentile(q)) * time.Microsecond }
	return quantiles{Count: h.TotalCount(), P50: at(50), P95: at(95), P99: at(99)}
}

func (q quantiles) String() string {
	return fmt.Sprintf("%.1f / %.1f / %.1f", millis(q.P50), millis(q.P95), millis(q.P99))
}
