package load

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// Pace calls do at a constant rate per second, whether or not earlier calls have returned: call i, counted
// from 0, when it is due, or as soon as one of the workers is free. It makes every call that is due within
// the length, waits for all of them, and returns the first error. After an error it makes no further calls.
func Pace(ctx context.Context, rate float64, length time.Duration, workers int, do func(ctx context.Context, i int, due time.Time) error) error {
	start := time.Now()
	plan := &schedule{start: start, end: start.Add(length), rate: rate}
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error {
			for {
				i := plan.next.Add(1) - 1
				due := plan.at(i)
				if !due.Before(plan.end) {
					return nil
				}
				if err := waitUntil(ctx, due); err != nil {
					return err
				}
				if err := do(ctx, int(i), due); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

func waitUntil(ctx context.Context, due time.Time) error {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
