package ingest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

// observedInterval is how long observations wait for a commit that takes them along. Whenever it has
// passed once more, those that have waited so long are committed by themselves: so others who share the
// database see them within twice that, a second, and the time that a commit takes.
const observedInterval = 500 * time.Millisecond

// latency observes how long receipts take from their arrival until they are durable.
//
// A receipt in the spool is durable: its latency ends there, and is not observed again when the spool
// drains. A receipt that is replayed was durable all along, as a dead letter. An observation is made before
// the receipt is answered, and counted by a later commit: see CommitObserved. A crash loses it, and a commit
// whose answer is lost counts it twice; no message depends on it.
type latency struct {
	sla     time.Duration
	metrics *Metrics

	mu      sync.Mutex
	pending *analytics.Delta    // what no commit has taken along yet; nil for nothing
	since   time.Time           // when the first of it was observed
	taken   map[*taken]struct{} // what commits have taken along that have not ended
}

// taken is what a commit takes along.
type taken struct {
	observed *analytics.Delta
	ended    chan struct{} // closed when the commit has ended
	isBack   bool          // it failed, and the observations wait for another; known once it has ended
}

// delta returns what is to be counted; nil for nothing.
func (t *taken) delta() *analytics.Delta {
	if t == nil {
		return nil
	}
	return t.observed
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

// take returns what a commit should take along; nil for nothing. When the commit has ended, end must be
// called.
func (l *latency) take() *taken {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takeLocked()
}

func (l *latency) takeLocked() *taken {
	if l.pending == nil {
		return nil
	}
	t := &taken{observed: l.pending, ended: make(chan struct{})}
	l.pending = nil
	if l.taken == nil {
		l.taken = make(map[*taken]struct{})
	}
	l.taken[t] = struct{}{}
	return t
}

// takeAll is take. The others have whatever else was observed before and is not known to be committed.
func (l *latency) takeAll() (mine *taken, others []*taken) {
	l.mu.Lock()
	defer l.mu.Unlock()
	others = slices.Collect(maps.Keys(l.taken))
	return l.takeLocked(), others
}

// end notes that a commit has ended. What it took along waits for the next one when it failed.
func (l *latency) end(t *taken, err error) {
	if t == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(t.ended)
	delete(l.taken, t)
	if err == nil {
		return
	}
	t.isBack = true
	if l.pending != nil {
		t.observed.Merge(l.pending)
	}
	l.pending, l.since = t.observed, time.Now()
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
				in.CommitObserved(ctx)
			}
		}
	}
}

// CommitObserved commits what was observed of the receipts that were answered before the call, so that
// whoever asks the store next finds them counted. It waits for the commits that have taken some of it along, and
// when one of them fails, commits that itself.
//
// When the database is away, or does not take it in the time of a commit, it returns all the same. The
// observations wait for the next commit then, which shows whether the database is away.
func (in *Ingest) CommitObserved(ctx context.Context) {
	if in.database.up() {
		in.commitObserved(ctx)
	}
}

// commitObserved is CommitObserved, even for a database that counts as away.
func (in *Ingest) commitObserved(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	for isLeft := true; isLeft; {
		mine, others := in.latency.takeAll()
		if in.commitTaken(ctx, mine) != nil {
			return
		}
		isLeft = false
		for _, other := range others {
			select {
			case <-other.ended:
				isLeft = isLeft || other.isBack
			case <-ctx.Done():
				return
			}
		}
	}
}

// commitTaken commits observations by themselves.
func (in *Ingest) commitTaken(ctx context.Context, t *taken) error {
	if t == nil {
		return nil
	}
	_, err := in.tryCommit(ctx, store.Batch{Now: now(), Judge: in.judge, Observed: t.observed})
	in.latency.end(t, err)
	return err
}
