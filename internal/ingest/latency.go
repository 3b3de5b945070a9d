package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

// observedInterval is how long observations wait for a commit that takes them along. After that they
// are committed by themselves.
const observedInterval = time.Second

// latency observes how long receipts take from their arrival until they are durable.
//
// A receipt in the spool is durable: its latency ends there, and is not observed again when the spool
// drains. A receipt that is replayed was durable all along, as a dead letter. An observation is counted
// by a later commit. A crash loses it, and a commit whose answer is lost counts it twice; no message
// depends on it.
type latency struct {
	sla     time.Duration
	metrics *Metrics

	mu      sync.Mutex
	pending *analytics.Delta // what no commit has taken along yet; nil for nothing
	since   time.Time        // when the first of it was observed
}

// observe counts the receipts in requests as durable now, except those that were not kept.
func (l *latency) observe(requests []*request) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range requests {
		for from := 0; from < len(r.readings); {
			took, ok := r.latency(from, now)
			to := from + 1
			for ; to < len(r.readings); to++ { // receipts of one request came together
				if t, same := r.latency(to, now); t != took || same != ok {
					break
				}
			}
			if ok {
				l.add(now, r.answers[from].Spooled, took, int64(to-from))
			}
			from = to
		}
	}
}

// add counts n receipts. While the database is away nothing takes the Delta along. It then has one entry
// a minute instead of one a second, so that it stays small however long that lasts.
func (l *latency) add(now time.Time, spooled bool, took time.Duration, n int64) {
	at := now
	if spooled {
		at = now.Truncate(time.Minute)
	}
	if l.pending == nil {
		l.pending, l.since = new(analytics.Delta), now
	}
	l.pending.Observe(at, took, l.sla, n)
	l.metrics.observed(took, took <= l.sla, n)
}

// latency returns how long a receipt took that is durable now. It is not ok for an event that is no
// receipt, was not kept as one, or was replayed.
func (r *request) latency(i int, now time.Time) (took time.Duration, ok bool) {
	entry := &r.readings[i].Entry
	if r.err != nil || entry.Receipt == nil || entry.Resolves != 0 || r.answers[i].Refused {
		return 0, false
	}
	return max(now.Sub(entry.Receipt.Received), 0), true // the wall clock may step back
}

// take returns what a commit should take along; nil for nothing.
func (l *latency) take() *analytics.Delta {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.pending
	l.pending = nil
	return d
}

// giveBack keeps what a failed commit should have taken along for the next one.
func (l *latency) giveBack(d *analytics.Delta) {
	if d == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending != nil {
		d.Merge(l.pending)
	}
	l.pending, l.since = d, time.Now()
}

// isOverdue reports whether no commit has come along for a while.
func (l *latency) isOverdue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending != nil && time.Since(l.since) >= observedInterval
}

// keepObserved commits what was observed whenever no other commit does.
func (in *Ingest) keepObserved(ctx context.Context) {
	ticker := time.NewTicker(observedInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if in.latency.isOverdue() {
				in.commitObserved(ctx)
			}
		}
	}
}

// commitObserved commits what was observed by itself. When that fails, the observations wait for the
// next commit, which shows whether the database is away.
func (in *Ingest) commitObserved(ctx context.Context) {
	if in.spool != nil && !in.database.up() {
		return
	}
	observed := in.latency.take()
	if observed == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if _, err := in.tryCommit(ctx, store.Batch{Now: now(), Judge: in.judge, Observed: observed}); err != nil {
		in.latency.giveBack(observed)
	}
}
