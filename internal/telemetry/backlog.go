package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Waiting is the part of a store.Store that knows what is waiting.
type Waiting interface {
	Backlog(ctx context.Context, most int) (store.Backlog, error)
	CountDeadLetters(ctx context.Context, f store.LetterFilter, most int) (int, error)
}

const (
	// backlogMost is how far each of the counts goes, so that a look costs the same however much waits.
	backlogMost = 10_000

	// backlogFor is how long a look at the database holds, however often Prometheus asks.
	backlogFor = 5 * time.Second

	// backlogTimeout bounds a look. It is below the ten seconds that Prometheus waits by default.
	backlogTimeout = 3 * time.Second
)

// backlog is the collector of what waits in the database. While the database does not answer, its
// metrics are missing: a value that is too old would hide that something waits.
type backlog struct {
	waiting                      Waiting
	threads, oldest, deadLetters *prometheus.Desc

	mu    sync.Mutex
	until time.Time // the last look holds
	look  *look     // nil: it failed
}

// look is what waited at one time.
type look struct {
	store.Backlog
	letters int
}

// RegisterBacklog registers the metrics of what waits in the database, for the CRM or for an operator.
func RegisterBacklog(registry prometheus.Registerer, w Waiting) {
	registry.MustRegister(&backlog{
		waiting: w,
		threads: prometheus.NewDesc("cxbridge_sync_backlog_threads",
			"Threads that the CRM lacks something of: pending (about to be pushed), retrying (the last attempt failed), parked (they wait for an operator or a new event). No count goes beyond 10,000.",
			[]string{"state"}, nil),
		oldest: prometheus.NewDesc("cxbridge_sync_oldest_seconds",
			"For how long the CRM has lacked something of a thread, of the one that waits longest; parked ones are left out. 0 when none waits.", nil, nil),
		deadLetters: prometheus.NewDesc("cxbridge_dead_letters",
			"Dead letters that wait for an operator. The count goes no further than 10,000.", nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(descs chan<- *prometheus.Desc) {
	descs <- b.threads
	descs <- b.oldest
	descs <- b.deadLetters
}

// Collect implements prometheus.Collector.
func (b *backlog) Collect(metrics chan<- prometheus.Metric) {
	seen := b.seen()
	if seen == nil {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	// The store counts threads that are retried as pending, too.
	gauge(b.threads, float64(max(0, seen.Pending-seen.Retrying)), string(store.StatePending))
	gauge(b.threads, float64(seen.Retrying), string(store.StateRetrying))
	gauge(b.threads, float64(seen.Parked), string(store.StateParked))
	gauge(b.deadLetters, float64(seen.letters))
	age := 0.0
	if !seen.Oldest.IsZero() {
		age = max(0, time.Since(seen.Oldest).Seconds())
	}
	gauge(b.oldest, age)
}

// seen returns the last look, or a new one when that is too old. A look that failed holds just as long, so
// that a database in trouble is not asked more often.
func (b *backlog) seen() *look {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.until) {
		return b.look
	}
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	b.look = b.ask(ctx)
	b.until = time.Now().Add(backlogFor)
	return b.look
}

// ask returns nil when the database does not answer, which other metrics show.
func (b *backlog) ask(ctx context.Context) *look {
	threads, err := b.waiting.Backlog(ctx, backlogMost)
	if err != nil {
		return nil
	}
	letters, err := b.waiting.CountDeadLetters(ctx, store.LetterFilter{}, backlogMost)
	if err != nil {
		return nil
	}
	return &look{threads, letters}
}
