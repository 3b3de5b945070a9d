package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config describes the load to put on a server.
type Config struct {
	Addr   string            // host and port
	Path   string            // of the webhook
	Header map[string]string // of every request
	Prefix string            // of every message id; a run must have one of its own

	// Raw sends requests through a client that does no more than it must, instead of that of
	// net/http. It leaves more of the machine to the server.
	Raw bool

	Connections int     // at once; each carries one request at a time
	Batch       int     // receipts in a request; above 1 they are sent as a JSON array
	Repeat      float64 // share of receipts for a message that had one before: from 0 to 0.5
	Mixed       bool    // of all Carriers, to all Regions, with times of submission; else of one carrier, without

	// Rate is how many requests per second are sent, whether or not the server keeps up (open
	// loop). 0 sends the next one on each connection as soon as the last one is answered (closed
	// loop).
	Rate float64

	Warmup   time.Duration // before anything is measured
	Duration time.Duration // of the measurement

	// Patience is how long after the end of the run the last answers may come; 10 s when 0.
	Patience time.Duration
}

// Result is what a run measured.
type Result struct {
	PerSecond float64       `json:"receipts_per_second"` // acknowledged within the measurement
	Latency   Latency       `json:"latency"`             // of requests, failed ones too
	Elapsed   time.Duration `json:"elapsed_ns"`          // of the whole run
	Unsent    int64         `json:"unsent"`              // requests that were due and found no free connection before the end
	Ledger    Ledger        `json:"ledger"`

	// From the write of a request to the end of its answer, also in an open loop: what the server
	// takes for it, without the wait for a free connection.
	Accepted Latency `json:"accepted"` // of requests that were acknowledged
	Refused  Latency `json:"refused"`  // of those that got another answer
}

// Latency sums up how long requests took: in a closed loop from the write of the request, in an
// open loop from when it was due, to the end of its answer. An unsent request counts with the time
// it had waited by the end.
type Latency struct {
	Requests int64         `json:"requests"`
	P50      time.Duration `json:"p50_ns"`
	P90      time.Duration `json:"p90_ns"`
	P99      time.Duration `json:"p99_ns"`
	P999     time.Duration `json:"p999_ns"`
	Max      time.Duration `json:"max_ns"`
}

// answerTimeout is the default of Patience.
const answerTimeout = 10 * time.Second

func (c *Config) check() error {
	switch {
	case c.Connections < 1 || c.Connections > 10000:
		return errors.New("load: connections must be from 1 to 10000")
	case c.Batch < 0 || c.Batch > 5000:
		return errors.New("load: a batch holds at most 5000 receipts")
	case c.Repeat < 0 || c.Repeat > 0.5:
		return errors.New("load: the share of second receipts must be from 0 to 0.5")
	case c.Rate < 0:
		return errors.New("load: the rate must not be negative")
	case c.Duration <= 0 || c.Warmup < 0:
		return errors.New("load: the duration must be positive, and the warm-up not negative")
	}
	return nil
}

// Run puts the load on the server until the time is up, and waits for the answers that are then
// on their way. It gives up when ctx ends or the server takes no more connections. The ledger of the
// result is right even then: what was acknowledged must be found.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.check(); err != nil {
		return Result{}, err
	}
	longestRun := cfg.Warmup + cfg.Duration + cmp.Or(cfg.Patience, answerTimeout)
	g, ctx := errgroup.WithContext(ctx)
	shared := make([]*clock, min(clocks, cfg.Connections))
	for i := range shared {
		shared[i] = newClock()
	}
	workers := make([]*worker, cfg.Connections)
	for i := range workers {
		workers[i] = &worker{cfg: &cfg, source: newSource(&cfg, i), clock: shared[i%len(shared)]}
		defer workers[i].close()
		if err := workers[i].connect(ctx, time.Now().Add(longestRun)); err != nil {
			return Result{}, fmt.Errorf("load: %w", err)
		}
	}
	start := time.Now()
	from := start.Add(cfg.Warmup)
	to := from.Add(cfg.Duration)
	plan := &schedule{start: start, end: to, rate: cfg.Rate}
	for _, w := range workers {
		w.from, w.to = from, to
		if cfg.Rate > 0 {
			g.Go(func() error { return w.openLoop(ctx, plan) })
		} else {
			g.Go(func() error { return w.closedLoop(ctx) })
		}
	}
	err := g.Wait()
	result := sum(workers, shared, cfg.Duration)
	result.Elapsed = time.Since(start)
	return result, err
}

func sum(workers []*worker, shared []*clock, window time.Duration) Result {
	var result Result
	all := newClock()
	for _, c := range shared {
		all.merge(c)
	}
	var receipts int64
	for _, w := range workers {
		result.Ledger.Add(&w.ledger)
		result.Unsent += w.unsent
		receipts += w.receipts
	}
	result.PerSecond = float64(receipts) / window.Seconds()
	result.Latency, result.Accepted, result.Refused = LatencyOf(all.all), LatencyOf(all.accepted), LatencyOf(all.refused)
	return result
}
