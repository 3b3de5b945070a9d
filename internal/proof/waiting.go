package proof

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Await waits until what is said to become true is true, for as long as Patience.
func Await(ctx context.Context, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// AwaitDrained waits until the database is in use and the spool is empty.
func (s *Service) AwaitDrained(ctx context.Context) error {
	var last error
	err := Await(ctx, "the spool is drained", func() bool {
		up, err := s.Metric(ctx, "cxbridge_database_up")
		if err != nil {
			last = err
			return false
		}
		left, err := s.Metric(ctx, "cxbridge_spool_events")
		last = fmt.Errorf("database up: %v, events in the spool: %v", up, left)
		return err == nil && up == 1 && left == 0
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// AwaitSynced waits until no thread lacks anything. What is stuck is told by the error.
//
// It asks the database, in one statement: the API lists one state after the other, and a thread that is
// tried again may meanwhile pass from one that is yet to be listed to one that was.
func (s *Service) AwaitSynced(ctx context.Context) error {
	var left int
	var last error
	err := Await(ctx, "every thread is synced", func() bool {
		left, last = s.Store.count(ctx, "SELECT count(*) FROM threads WHERE own AND want_rev > done_rev")
		return last == nil && left == 0
	})
	if err == nil {
		return nil
	}
	lines, listing := s.Unsynced(ctx)
	return errors.Join(err, last, listing, fmt.Errorf("%d threads are stuck\n%s", left, strings.Join(lines[:min(len(lines), 20)], "\n")))
}
