package syncer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// leaseMargin is how long before the end of its lease a push is aborted if the lease could not be
// extended: none of its requests may be on its way when another worker takes over.
const leaseMargin = time.Second

var (
	errLeaseLost   = errors.New("another worker has the thread")
	errLeaseEnding = errors.New("the lease ends and could not be extended")
	errStopping    = errors.New("cxbridge stops")
)

// flight is a push on its way.
type flight struct {
	claim store.Claim
	abort context.CancelCauseFunc

	// until is when the lease ends, at the latest, by the clock of this process. Guarded by the mutex
	// of flights.
	until  time.Time
	ending *time.Timer // aborts it before
}

// landing is a push that has ended, and what is to be recorded of it.
type landing struct {
	push  store.Push
	until time.Time // when the lease ends, as of a flight
	lost  bool      // nothing is to be recorded: another worker has the thread
	aside int64     // the newest Rev of what the CRM lacks of the thread because it is set aside
	report
}

// flights are the pushes on their way.
type flights struct {
	mu  sync.Mutex
	all map[store.Claim]*flight
}

// begin returns the context for a push, which ends before its lease does.
func (f *flights) begin(claim store.Claim, until time.Time) context.Context {
	ctx, abort := context.WithCancelCause(context.Background())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(map[store.Claim]*flight)
	}
	f.all[claim] = &flight{
		claim: claim, abort: abort, until: until,
		ending: time.AfterFunc(time.Until(until)-leaseMargin, func() { abort(errLeaseEnding) }),
	}
	return ctx
}

// end forgets a push and returns when its lease ends.
func (f *flights) end(claim store.Claim) (until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	flight := f.all[claim]
	delete(f.all, claim)
	flight.ending.Stop()
	flight.abort(nil)
	return flight.until
}

func (f *flights) claims() []store.Claim {
	f.mu.Lock()
	defer f.mu.Unlock()
	claims := make([]store.Claim, 0, len(f.all))
	for claim := range f.all {
		claims = append(claims, claim)
	}
	return claims
}

// extended notes when the leases of some claims end now. The pushes of those that are lost are
// aborted.
func (f *flights) extended(claims, lost []store.Claim, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, claim := range claims {
		flight := f.all[claim]
		switch {
		case flight == nil: // it has ended meanwhile
		case slices.Contains(lost, claim):
			flight.abort(errLeaseLost)
		default:
			flight.until = until
			flight.ending.Reset(time.Until(until) - leaseMargin)
		}
	}
}

func (f *flights) abortAll(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, flight := range f.all {
		flight.abort(cause)
	}
}

// heartbeat extends the leases of the pushes in flight until ctx ends.
func (s *Syncer) heartbeat(ctx context.Context) {
	ticker := time.NewTicker(lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.extend(ctx)
		}
	}
}

func (s *Syncer) extend(ctx context.Context) {
	claims := s.flights.claims()
	if len(claims) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	until := time.Now().Add(lease)
	lost, err := s.queue.Extend(ctx, claims, lease)
	if err != nil {
		s.log.Warn("leases could not be extended", "threads", len(claims), "error", err)
		return
	}
	s.flights.extended(claims, lost, until)
}
