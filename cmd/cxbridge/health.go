package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/syncer"
)

// How long an answer about readiness holds. Anyone may ask, and each look writes to a disk.
const (
	readyFor   = time.Second
	unreadyFor = 100 * time.Millisecond // so that the return of a part shows at once
)

// lookTimeout bounds a look: a probe that hangs must not hold up the answer.
const lookTimeout = 2 * time.Second

// readiness remembers the last look.
type readiness struct {
	mu    sync.Mutex
	until time.Time // the last look holds
	ok    bool
	parts map[string]status.Part

	spool, database probedPart
}

// probedPart is a part that is asked whether it works, without waiting for it when it hangs.
type probedPart struct{ asking atomic.Bool }

var errHangs = errors.New("it does not answer")

// ask returns what the part answers, or errHangs when the context ends first: a disk that hangs knows
// nothing of contexts. The part is not asked again before it has answered; until then, ask returns errHangs.
func (p *probedPart) ask(ctx context.Context, part func(context.Context) error) error {
	if !p.asking.CompareAndSwap(false, true) {
		return errHangs
	}
	answer := make(chan error, 1)
	go func() {
		err := part(ctx)
		p.asking.Store(false)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errHangs
	}
}

// Ready implements api.Health and console.Health. A look serves all callers, so it does not end when one of them goes away.
func (s *service) Ready() (bool, map[string]status.Part) {
	r := &s.readiness
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().After(r.until) {
		looking, cancel := context.WithTimeout(context.Background(), lookTimeout)
		r.ok, r.parts = s.look(looking)
		cancel()
		r.until = time.Now().Add(unreadyFor)
		if r.ok {
			r.until = time.Now().Add(readyFor)
		}
	}
	if s.stopping.Load() {
		parts := maps.Clone(r.parts)
		parts["process"] = status.Part{State: "stopping"}
		return false, parts
	}
	return r.ok, r.parts
}

// look asks every part for its state, and reports whether events can be accepted.
func (s *service) look(ctx context.Context) (bool, map[string]status.Part) {
	parts := map[string]status.Part{"database": {State: "up"}}
	ready := false
	if s.spool != nil {
		parts["spool"], ready = s.spoolPart(ctx)
	}
	if err := s.readiness.database.ask(ctx, s.store.Ping); err != nil || (s.spool != nil && !s.ingest.DatabaseUp()) {
		parts["database"] = status.Part{State: "down", Detail: "see the log; cxbridge doctor says what to do"}
	} else {
		ready = true
	}
	parts["crm"] = s.crmPart()
	for _, sub := range s.subscriber.State() {
		parts["cxone "+sub.Name] = status.Part{State: string(sub.State)}
	}
	return ready, parts
}

// crmPart returns the state of the way to the CRM. Events are accepted whatever it is.
func (s *service) crmPart() status.Part {
	if s.syncer == nil {
		return status.Part{State: "off", Detail: "threads are kept and wait: CRM_API_URL is not set"}
	}
	figures := s.syncer.Figures()
	return describeCRM(figures.CRM, figures.Breaker)
}

// describeCRM returns the condition of the CRM as a part of the process.
func describeCRM(c syncer.Condition, breaker string) status.Part {
	part := status.Part{State: string(c.State), Until: c.Until.UTC().Truncate(time.Second)}
	switch {
	case c.State == syncer.Up:
	case c.State == syncer.Paused && c.Asked:
		part.Detail = fmt.Sprintf("it answered %d to the last request, and asked for a pause", c.Status)
	case c.State == syncer.Paused && c.Status != 0:
		part.Detail = fmt.Sprintf("it answered %d to the last request, and did not say for how long", c.Status)
	case c.State == syncer.Paused:
		part.Detail = "it answered 429 or 503 to another replica, or before the last start"
	default:
		part.Detail = "the last requests failed"
		if c.Status != 0 {
			part.Detail += fmt.Sprintf(" (%d to the latest)", c.Status)
		}
		part.Detail += "; they are tried again"
		if breaker != "closed" {
			part.Detail += ", one of them every few seconds"
		}
	}
	return part
}

// spoolPart returns the state of the spool, and whether it could take an event now.
func (s *service) spoolPart(ctx context.Context) (part status.Part, usable bool) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout/2) // the rest is the database's
	defer cancel()
	waiting := fmt.Sprintf("%d events wait for the database", s.spool.Events())
	switch {
	case s.spool.Full():
		return status.Part{State: "full", Detail: waiting}, false
	case s.readiness.spool.ask(ctx, s.spool.Check) != nil:
		return status.Part{State: "failing", Detail: "the disk of SPOOL_DIR cannot be written"}, false
	case s.spool.Events() > 0:
		return status.Part{State: "holding", Detail: waiting}, true
	}
	return status.Part{State: "empty"}, true
}

// Figures implements api.Counter and console.Counter.
func (s *service) Figures() status.Figures {
	sum := s.ingest.Figures()
	f := status.Figures{
		TotalProcessed: sum.Processed, TotalErrors: sum.Errors, Duplicates: sum.Duplicates,
		DeadLetters: sum.DeadLetters, QueuedForRetry: sum.Spooled,
		AvgLatencyMs:  sum.MeanLatency.Seconds() * 1000,
		UptimeSeconds: time.Since(s.started).Seconds(),
	}
	if s.spool != nil {
		f.SpoolEvents, f.SpoolBytes = s.spool.Events(), s.spool.Bytes()
	}
	if s.syncer != nil {
		sum := s.syncer.Figures()
		f.CRM = &status.CRMFigures{
			Pushes: sum.Pushes, Failures: sum.Failures, Conflicts: sum.Conflicts, Kept: sum.Kept, SetAside: sum.SetAside,
			Parked: sum.Parked, InFlight: sum.InFlight, AvgLagMs: sum.MeanLag.Seconds() * 1000, Breaker: sum.Breaker,
			State: string(sum.CRM.State), PausedUntil: sum.CRM.Until.UTC().Truncate(time.Second),
		}
	}
	return f
}
