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
func (s *Service) AwaitSynced(ctx context.Context) error {
	var left []string
	var last error
	err := Await(ctx, "every thread is synced", func() bool {
		left, last = s.Unsynced(ctx)
		return last == nil && len(left) == 0
	})
	if err != nil {
		return errors.Join(err, last, errors.New(strings.Join(left[:min(len(left), 20)], "\n")))
	}
	return nil
}
