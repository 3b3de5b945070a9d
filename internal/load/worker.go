package load

import (
	"context"
	"fmt"
	"time"
)

// worker drives one connection. It shares nothing with the other workers but the schedule.
type worker struct {
	cfg      *Config
	source   *source
	conn     client
	deadline time.Time // of its connections

	from, to time.Time // the measurement
	clock    *clock
	receipts int64 // acknowledged within the measurement
	unsent   int64
	ledger   Ledger
}

func (w *worker) connect(ctx context.Context, deadline time.Time) error {
	w.close()
	w.deadline = deadline
	c, err := dial(ctx, w.cfg.Addr, deadline)
	switch {
	case err != nil:
		return err
	case w.cfg.Raw:
		w.conn = c
	default:
		c.close() // it has shown that there is a server; the library dials for itself
		w.conn = newLibrary(ctx, w.cfg, deadline)
	}
	return nil
}

func (w *worker) close() {
	if w.conn != nil {
		w.conn.close()
		w.conn = nil
	}
}

func (w *worker) closedLoop(ctx context.Context) error {
	for {
		now := time.Now()
		if !now.Before(w.to) {
			return nil
		}
		if err := w.request(ctx, now); err != nil {
			return err
		}
	}
}

func (w *worker) openLoop(ctx context.Context, plan *schedule) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		due, ok := plan.take()
		if !ok {
			return nil
		}
		now := time.Now()
		if !now.Before(w.to) {
			w.unsent++
			w.record(due, w.to)
			continue
		}
		if ahead := due.Sub(now); ahead > 0 {
			wait.Reset(ahead)
			select {
			case <-wait.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := w.request(ctx, due); err != nil {
			return err
		}
	}
}

// request sends the next request, which was due at a time, and records its outcome. An error means that
// the server is gone.
func (w *worker) request(ctx context.Context, due time.Time) error {
	sent := time.Now()
	answer, err := w.conn.exchange(w.source.next())
	done := time.Now()
	w.record(due, done)
	receipts := len(w.source.items)
	if err != nil {
		w.source.settle(false, &w.ledger)
		w.ledger.Broken++
		w.ledger.Unsure += int64(receipts)
		return w.reconnect(ctx)
	}
	acknowledged := w.enter(answer, receipts)
	if !due.Before(w.from) {
		w.clock.answered(acknowledged, done.Sub(sent))
	}
	w.source.settle(acknowledged, &w.ledger)
	if acknowledged && done.After(w.from) && !done.After(w.to) {
		w.receipts += int64(receipts)
	}
	if answer.close {
		return w.reconnect(ctx)
	}
	return nil
}

// enter records an answer in the ledger and reports whether it acknowledges the request.
func (w *worker) enter(answer response, receipts int) bool {
	if answer.status < 200 || answer.status > 299 {
		w.ledger.refuse(answer.status, receipts)
		return false
	}
	all, spooled := acknowledges(answer.body, receipts)
	if !all {
		w.ledger.wrong(answer.body, receipts)
	}
	if spooled {
		w.ledger.Spooled++
	}
	return all
}

func (w *worker) reconnect(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.connect(ctx, w.deadline); err != nil {
		return fmt.Errorf("load: the server is gone: %w", err)
	}
	return nil
}

// record records a latency, unless the request belongs to the warm-up.
func (w *worker) record(due, done time.Time) {
	if !due.Before(w.from) {
		w.clock.took(done.Sub(due))
	}
}
