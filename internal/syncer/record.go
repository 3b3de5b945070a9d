package syncer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/store"
)

// record writes down what became of the pushes that have ended. On an error they are kept, to be
// tried again.
func (d *dispatcher) record(ctx context.Context) error {
	if len(d.ended) == 0 {
		return nil
	}
	err := d.recordAll(ctx, d.ended)
	if errors.Is(err, store.ErrRefused) {
		err = d.recordEach(ctx)
	}
	if err != nil {
		return fmt.Errorf("record pushes: %w", err)
	}
	d.ended = d.ended[:0]
	return nil
}

// dropExpired forgets pushes whose lease has ended before they could be recorded. Whoever claims
// their threads next sees that they are uncertain.
func (d *dispatcher) dropExpired() {
	kept := d.ended[:0]
	for _, l := range d.ended {
		if time.Now().Before(l.until) {
			kept = append(kept, l)
			continue
		}
		d.metrics.lost.Inc()
		d.log.Warn("a push could not be recorded before its lease ended", "thread_id", l.threadID, "outcome", string(l.outcome))
	}
	clear(d.ended[len(kept):])
	d.ended = kept
}

// pause makes all replicas leave the CRM alone, if it has asked for that.
func (d *dispatcher) pause(ctx context.Context) error {
	var longest time.Duration
	var asker *landing
	for _, l := range d.ended {
		switch l.outcome {
		case outcomeThrottled:
			if l.push.RetryIn == 0 { // else it was worked out before, and could not be recorded
				l.push.RetryIn = d.pauseFor(l.retryAfter, l.begun)
			}
			if l.push.RetryIn > longest {
				longest, asker = l.push.RetryIn, l
			}
		case outcomeAcknowledged:
			d.throttle.answered()
		}
	}
	if longest == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if err := d.queue.Pause(ctx, longest); err != nil {
		return err
	}
	d.condition.paused(pause{until: time.Now().Add(longest), asked: asker.retryAfter > 0, status: asker.status})
	d.metrics.paused.Add(longest.Seconds())
	return nil
}

func (d *dispatcher) recordAll(ctx context.Context, landings []*landing) error {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	pushes := make([]store.Push, len(landings))
	for i, l := range landings {
		pushes[i] = l.push
	}
	at := now()
	held, err := d.queue.Record(ctx, pushes, at)
	if err != nil {
		return err
	}
	for i, l := range landings {
		d.recorded(l, held[i], at)
	}
	return nil
}

// recordEach finds the pushes that the database refuses. They become failures, with nothing in them
// that it could refuse.
func (d *dispatcher) recordEach(ctx context.Context) error {
	for len(d.ended) > 0 {
		l := d.ended[0]
		err := d.recordAll(ctx, []*landing{l})
		if errors.Is(err, store.ErrRefused) {
			d.log.Error("the database refuses what is to be recorded of a push", "thread_id", l.threadID, "error", err)
			p := &l.push
			l.outcome = outcomeFailed
			l.push = store.Push{
				Claim: p.Claim, Rev: p.Rev, Uncertain: true, Error: "the database refuses what is to be recorded",
				RetryIn: backoffMost,
			}
			err = d.recordAll(ctx, []*landing{l})
		}
		if err != nil {
			return err
		}
		d.ended = d.ended[1:]
	}
	return nil
}

// recorded ends the waits for a push, and measures its lag.
func (d *dispatcher) recorded(l *landing, held bool, at time.Time) {
	if !held {
		d.metrics.lost.Inc()
		d.log.Warn("a push was not recorded, as its lease was gone", "thread_id", l.threadID, "outcome", string(l.outcome))
		return
	}
	if !l.push.Done {
		return
	}
	d.waiters.pushed(l.threadID, progress{done: l.push.Rev, aside: l.aside})
	if !l.since.IsZero() {
		lag := max(0, at.Sub(l.since))
		d.metrics.lag.Observe(lag.Seconds())
		d.figures.lagged(lag)
	}
}

// finish waits for the pushes in flight, aborts those that take too long, and records all.
func (d *dispatcher) finish() {
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	for isAborted := false; d.flying > 0; {
		select {
		case l := <-d.landed:
			d.land(l)
		case <-grace.C:
			if isAborted {
				d.log.Error("pushes did not end when they were aborted", "threads", d.flying)
				d.flying = 0
				break
			}
			isAborted = true
			d.flights.abortAll(errStopping)
			grace.Reset(stopGrace)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	for attempt := 1; ; attempt++ {
		d.dropExpired()
		err := d.pause(ctx)
		if err == nil {
			err = d.record(ctx)
		}
		if err == nil {
			return
		}
		if !backoff.Sleep(ctx, backoff.Jitter(attempt, retryFirst, retryMost)) {
			d.log.Error("pushes could not be recorded at the end", "threads", len(d.ended), "error", err)
			return
		}
	}
}
