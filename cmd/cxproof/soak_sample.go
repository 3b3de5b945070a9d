package main

import (
	"slices"
	"strconv"
)

// figure is something that is measured again and again.
type figure int

const (
	elapsed figure = iota // since the load began, in minutes

	receiptRate // acknowledged in a second
	refusedRate // answered otherwise, or not at all, in a second
	postRate    // posts of events of threads, acknowledged in a second
	threadRate  // events in those posts
	latencyP50  // of receipts, from when each was due, in milliseconds
	latencyP99

	memory    // resident, of cxbridge, in MiB
	heap      // of that, what Go's allocator has in use
	routines  // goroutines
	handles   // open files and sockets
	processor // share of a core that cxbridge has, in per cent

	unsynced // threads of which the CRM lacks something
	oldest   // for how long it has lacked that, in seconds

	stored    // receipts
	perStored // bytes of the database for each of them
	dead      // share of the rows that are dead in the table where it is highest, in per cent; PostgreSQL only

	machineLoad // load average of the machine

	figures // how many there are
)

// sample is what was measured at one time. Rates, latencies and shares are of the slice of load that
// ended then.
type sample [figures]float64

// figureRules say how each figure is written, and what it may grow to: factor times what it was, plus slack. A
// figure without a factor has no bound.
var figureRules = [figures]struct {
	name          string
	decimals      int
	factor, slack float64
}{
	elapsed:     {name: "minute", decimals: 1},
	receiptRate: {name: "receipts/s"},
	refusedRate: {name: "receipts/s not acknowledged", decimals: 2},
	postRate:    {name: "posts of thread events/s"},
	threadRate:  {name: "thread events/s"},
	latencyP50:  {name: "receipts, p50, ms", decimals: 1, factor: 1.5, slack: 5},
	latencyP99:  {name: "receipts, p99, ms", decimals: 1, factor: 2, slack: 20},
	memory:      {name: "resident memory, MiB", factor: 1.25, slack: 20},
	heap:        {name: "heap in use, MiB", factor: 1.25, slack: 20},
	routines:    {name: "goroutines", factor: 1.25, slack: 20},
	handles:     {name: "file handles", factor: 1.25, slack: 20},
	processor:   {name: "CPU of cxbridge, % of a core", factor: 1.5, slack: 5},
	unsynced:    {name: "threads not synced", factor: 1.5, slack: 100},
	oldest:      {name: "the oldest of them, s", decimals: 1, factor: 1.5, slack: 30},
	stored:      {name: "receipts stored"},
	perStored:   {name: "bytes of the database for each", factor: 1.25},
	dead:        {name: "dead rows, %, worst table", decimals: 1, factor: 1.25, slack: 10},
	machineLoad: {name: "load of the machine", decimals: 1},
}

func (f figure) write(value float64) string {
	return strconv.FormatFloat(value, 'f', figureRules[f].decimals, 64)
}

// most returns what a figure may grow to that was value at first; ok reports whether there is such a bound.
func (f figure) most(value float64) (most float64, ok bool) {
	rule := figureRules[f]
	return value*rule.factor + rule.slack, rule.factor > 0
}

// earlyAndLate returns the samples around the end of the first twelfth, and as many at the end.
func earlyAndLate(samples []sample) (early, late []sample) {
	n := len(samples)
	side := n / (2 * soakSamples)
	middle := n/soakSamples - 1
	early = samples[max(0, middle-side):min(n, middle+side+1)]
	return early, samples[n-len(early):]
}

// median returns the median of each figure.
func median(samples []sample) (m sample) {
	for f := range figures {
		values := make([]float64, len(samples))
		for i := range samples {
			values[i] = samples[i][f]
		}
		slices.Sort(values)
		m[f] = values[len(values)/2]
	}
	return m
}
