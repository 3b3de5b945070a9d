package housekeeping

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	compactEvery = time.Second
	compactStep  = 2000 // deltas in one transaction: those of some seconds under full load

	pruneEvery = 5 * time.Minute
	pruneStep  = 1000 // rollups in one transaction
)

// Compactor keeps the deltas of the counts few, as every question reads them all, and deletes rollups
// that no question asks for.
type Compactor struct {
	counts store.Counts
	log    *slog.Logger

	moved   prometheus.Counter
	pruned  prometheus.Counter
	seconds prometheus.Histogram
}

// NewCompactor returns a Compactor and registers its metrics; Run sets it to work.
func NewCompactor(counts store.Counts, registry prometheus.Registerer, log *slog.Logger) *Compactor {
	c := &Compactor{
		counts: counts, log: log,
		moved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cxbridge_analytics_compacted_deltas_total",
			Help: "Changes of the counts of analytics that this replica moved into rollups.",
		}),
		pruned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cxbridge_analytics_pruned_rollups_total",
			Help: "Rollups of analytics that this replica deleted because they were too old.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "cxbridge_analytics_compaction_duration_seconds",
			Help:    "Time that it took to move changes of the counts of analytics into rollups, where there were any.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
	registry.MustRegister(c.moved, c.pruned, c.seconds)
	return c
}

// Run compacts and prunes until the context ends.
func (c *Compactor) Run(ctx context.Context) {
	var pruning sync.WaitGroup
	pruning.Go(func() { repeat(ctx, pruneEvery, c.log, "pruning of the counts", c.prune) })
	repeat(ctx, compactEvery, c.log, "compaction of the counts", c.compact)
	pruning.Wait()
}

func (c *Compactor) compact(ctx context.Context) error {
	return drain(ctx, compactStep, func() (int, error) {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		start := time.Now()
		now, err := c.counts.Now(ctx)
		if err != nil {
			return 0, err
		}
		moved, err := c.counts.Compact(ctx, now, compactStep)
		if moved > 0 {
			c.moved.Add(float64(moved))
			c.seconds.Observe(time.Since(start).Seconds())
		}
		return moved, err
	})
}

func (c *Compactor) prune(ctx context.Context) error {
	return drain(ctx, pruneStep, func() (int, error) {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		now, err := c.counts.Now(ctx)
		if err != nil {
			return 0, err
		}
		deleted, err := c.counts.Prune(ctx, now, pruneStep)
		c.pruned.Add(float64(deleted))
		return deleted, err
	})
}

// drain takes steps of a size as long as they are full.
func drain(ctx context.Context, size int, step func() (int, error)) error {
	for ctx.Err() == nil {
		if n, err := step(); err != nil || n < size {
			return err
		}
	}
	return ctx.Err()
}
