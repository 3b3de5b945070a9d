// Package backoff spaces out attempts.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Jitter returns how long to wait after the given number of attempts have failed, counted from 1: a random time
// up to a bound that begins at first, doubles with each attempt, and ends at most. So those that failed
// together do not come back in step.
func Jitter(attempts int, first, most time.Duration) time.Duration {
	bound := min(first, most)
	for range attempts - 1 {
		if bound >= most/2 {
			bound = most
			break
		}
		bound *= 2
	}
	return rand.N(bound) + time.Millisecond
}

// Sleep waits, and reports whether the time passed before ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
