package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/fault"
	"github.com/cxbridge/cxbridge/internal/requestid"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Times between the attempts at a thread that fails.
const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = time.Minute
)

// dispatcher runs the turns: all pushes that have ended are recorded in one transaction, and at the
// same time all free places are filled by one claim. So the database sees a few statements for many
// threads.
type dispatcher struct {
	*Syncer
	throttle
	flying   int        // pushes that have not landed
	retrying int        // those of threads whose last attempt failed
	ended    []*landing // to be recorded
	failures int        // of the database, in a row
}

// dispatch runs turns until ctx ends, and returns with pushes in flight.
func (d *dispatcher) dispatch(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := d.turn(ctx)
		if err != nil {
			d.failures++
			wait = backoff.Jitter(d.failures, retryFirst, retryMost)
			d.log.Warn("the database does not serve the syncer", "attempt", d.failures, "next_in", wait.String(), "error", err)
			backoff.Sleep(ctx, wait)
			continue
		}
		d.failures = 0
		d.await(ctx, wait)
		d.gather(ctx)
	}
}

// await waits until there is something to do, or the time has passed.
func (d *dispatcher) await(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-d.wake:
	case l := <-d.landed:
		d.land(l)
	case <-timer.C:
	}
}

// gather takes the pushes that end within the pace, or until half of the places wait for the turn.
func (d *dispatcher) gather(ctx context.Context) {
	timer := time.NewTimer(pace)
	defer timer.Stop()
	for len(d.ended) < max(1, d.workers/2) {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case l := <-d.landed:
			d.land(l)
		}
	}
}

// turn takes a turn, and returns how long to wait for the next one if nothing happens before.
func (d *dispatcher) turn(ctx context.Context) (wait time.Duration, err error) {
	d.landAll()
	select {
	case <-d.wake: // the claim of this turn sees what it was for
	default:
	}
	// The database commits or not, whether or not somebody waits for it: a call is not cut off half-way.
	ctx = context.WithoutCancel(ctx)
	d.dropExpired()
	if err := d.pause(ctx); err != nil {
		return 0, fmt.Errorf("pause: %w", err)
	}
	recording := len(d.ended) > 0
	recorded := make(chan error, 1)
	go func() { recorded <- d.record(ctx) }()
	wait, err = d.fill(ctx)
	if err := errors.Join(<-recorded, err); err != nil {
		return 0, err
	}
	if recording {
		return 0, nil // what is due again by now was still leased when this turn claimed
	}
	return orPoll(wait), nil
}

// fill claims threads for the free places. It returns when something may become due, 0 when that is
// not known.
func (d *dispatcher) fill(ctx context.Context) (wait time.Duration, err error) {
	limit, wait := d.breaker.allows(d.workers-d.flying, d.flying, d.retrying)
	if limit == 0 {
		return wait, nil
	}
	for _, r := range d.claims(limit) {
		claimed, err := d.claim(ctx, r)
		if err != nil {
			return 0, err
		}
		if wait == 0 || claimed.Wait > 0 && claimed.Wait < wait {
			wait = claimed.Wait
		}
		if isFull := len(claimed.Work) == r.Limit; isFull == d.breaker.isProbing() {
			break // the probe has been found, or there is nothing more
		}
	}
	return wait, nil
}

func orPoll(wait time.Duration) time.Duration {
	if wait <= 0 || wait > poll {
		return poll
	}
	return wait
}

// claims returns the claims to make for some free places. Threads that fail again and again get half
// of the places at most. A probe of the CRM is a thread that has not failed, if there is one. When
// there is no probe to find, the first claim that is not filled ends the turn.
func (d *dispatcher) claims(limit int) []store.ClaimRequest {
	request := func(limit int, fresh bool) store.ClaimRequest {
		return store.ClaimRequest{Limit: limit, Lease: lease, Items: chunk, Fresh: fresh}
	}
	var requests []store.ClaimRequest
	if d.breaker.isProbing() {
		requests = append(requests, request(limit, true))
		if d.flying == 0 {
			requests = append(requests, request(limit, false))
		}
		return requests
	}
	retries := min(limit, max(0, max(1, d.workers/2)-d.retrying))
	if retries > 0 {
		requests = append(requests, request(retries, false))
	}
	if retries < limit {
		requests = append(requests, request(limit-retries, true))
	}
	return requests
}

// claim leases threads and lets their pushes begin.
func (d *dispatcher) claim(ctx context.Context, r store.ClaimRequest) (store.Claimed, error) {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	until := time.Now().Add(r.Lease)
	claimed, err := d.queue.Claim(ctx, r)
	if err != nil {
		return claimed, fmt.Errorf("claim threads: %w", err)
	}
	d.condition.claimed(&claimed)
	for i := range claimed.Work {
		d.launch(&claimed.Work[i], until)
	}
	return claimed, nil
}

func (d *dispatcher) launch(work *store.Work, until time.Time) {
	d.flying++
	if work.Row.Sync.Attempts > 0 {
		d.retrying++
	}
	d.metrics.inFlight.Inc()
	d.figures.inFlight.Add(1)
	ctx := d.flights.begin(work.Claim, until)
	go func() {
		l := d.fly(ctx, work)
		l.lost = errors.Is(context.Cause(ctx), errLeaseLost)
		l.until = d.flights.end(work.Claim)
		d.landed <- l
	}()
}

// fly pushes a thread. A fault of the program fails the thread and no other.
func (s *Syncer) fly(ctx context.Context, work *store.Work) (l *landing) {
	report := newReport(work)
	id := requestid.New()
	ctx, span := s.beginSpan(requestid.With(ctx, id), work)
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a push failed by a fault of the program", "thread_id", work.ThreadID, "error", fault.Error(p))
			report.outcome, report.reason = outcomeFailed, "a fault of the program: see the log"
			l = &landing{report: report, push: failure(work, report.reason)}
		}
		l.took, l.requestID, l.traceID = time.Since(l.begun), id, sampledID(span)
		l.logTo(s.log)
		endSpan(span, &l.report)
	}()
	a := newAttempt(s.sink, s.schema, work)
	a.run(ctx)
	return &landing{push: a.push, report: a.report, aside: a.asideRev()}
}

// failure returns what is recorded of a push of which only the failure is known.
func failure(work *store.Work, reason string) store.Push {
	return store.Push{
		Claim: work.Claim, Rev: work.Row.Sync.Want, Uncertain: true, Error: reason,
		RetryIn: backoff.Jitter(work.Row.Sync.Attempts+1, backoffFirst, backoffMost),
	}
}

func (d *dispatcher) landAll() {
	for {
		select {
		case l := <-d.landed:
			d.land(l)
		default:
			return
		}
	}
}

// land takes over a push that has ended.
func (d *dispatcher) land(l *landing) {
	d.flying--
	if l.failedBefore {
		d.retrying--
	}
	d.metrics.inFlight.Dec()
	d.figures.inFlight.Add(-1)
	d.metrics.ended(&l.report)
	d.figures.ended(&l.report)
	d.assess(l)
	if l.lost {
		d.metrics.lost.Inc()
		return
	}
	d.ended = append(d.ended, l)
}
