package housekeeping

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	expireFirst = time.Minute // after the start, which has other things to do
	expireEvery = time.Hour
	expireStep  = 1000 // rows in one transaction

	// expirePause lies between two transactions, so that commits do not wait for one after the other.
	expirePause = 50 * time.Millisecond
)

// Retention deletes what is too old.
type Retention struct {
	archive store.Archive
	keep    map[store.Expirable]time.Duration
	log     *slog.Logger
	expired *prometheus.CounterVec
}

// NewRetention returns a Retention and registers its metrics; Run sets it to work. What keep does not
// name is kept for ever.
func NewRetention(archive store.Archive, keep map[store.Expirable]time.Duration, registry prometheus.Registerer, log *slog.Logger) *Retention {
	r := &Retention{
		archive: archive, keep: keep, log: log,
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cxbridge_expired_rows_total",
			Help: "Messages, threads, events and dead letters that this replica deleted because they were too old.",
		}, []string{"kind"}),
	}
	registry.MustRegister(r.expired)
	for kind := range keep {
		r.expired.WithLabelValues(string(kind))
	}
	return r
}

// Run deletes once an hour, until the context ends. The others skip what one replica is about to
// delete.
func (r *Retention) Run(ctx context.Context) {
	if len(r.keep) == 0 || !backoff.Sleep(ctx, expireFirst) {
		return
	}
	repeat(ctx, expireEvery, r.log, "deletion of what is too old", r.expire)
}

// expire deletes what is too old now. One kind that fails does not hold up the others.
func (r *Retention) expire(ctx context.Context) error {
	start := time.Now()
	now, err := r.now(ctx)
	if err != nil {
		return err
	}
	deleted := make(map[store.Expirable]int)
	var failed error
	for _, kind := range slices.Sorted(maps.Keys(r.keep)) {
		n, err := r.expireKind(ctx, kind, now.Add(-r.keep[kind]))
		if n > 0 {
			deleted[kind] = n
		}
		failed = errors.Join(failed, err)
	}
	if len(deleted) > 0 {
		attrs := []any{"duration", time.Since(start).Round(time.Millisecond).String()}
		for _, kind := range slices.Sorted(maps.Keys(deleted)) {
			attrs = append(attrs, string(kind), deleted[kind])
		}
		r.log.Info("deleted what was too old", attrs...)
	}
	return failed
}

func (r *Retention) expireKind(ctx context.Context, kind store.Expirable, before time.Time) (deleted int, err error) {
	for cursor := ""; ; {
		e, err := r.expireSome(ctx, kind, before, cursor)
		if err != nil {
			return deleted, err
		}
		deleted += e.Deleted
		r.expired.WithLabelValues(string(kind)).Add(float64(e.Deleted))
		if cursor = e.Cursor; cursor == "" {
			return deleted, nil
		}
		if !backoff.Sleep(ctx, expirePause) {
			return deleted, ctx.Err()
		}
	}
}

func (r *Retention) now(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return r.archive.Now(ctx)
}

func (r *Retention) expireSome(ctx context.Context, kind store.Expirable, before time.Time, cursor string) (store.Expired, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return r.archive.Expire(ctx, kind, before, cursor, expireStep)
}
