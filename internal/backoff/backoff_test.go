package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/backoff"
)

func TestJitterStaysInItsBounds(t *testing.T) {
	const first, most = 100 * time.Millisecond, 30 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		attempts := rapid.IntRange(0, 1_000_000).Draw(t, "attempts")
		wait := backoff.Jitter(attempts, first, most)
		if wait <= 0 || wait > most+time.Millisecond {
			t.Fatalf("%v after %d attempts", wait, attempts)
		}
		if attempts <= 8 && wait > first<<max(attempts-1, 0)+time.Millisecond {
			t.Fatalf("%v after only %d attempts", wait, attempts)
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if !backoff.Sleep(ctx, time.Second) || time.Since(start) != time.Second {
			t.Errorf("a second took %v", time.Since(start))
		}
		if backoff.Sleep(ctx, time.Hour) || time.Since(start) != time.Minute {
			t.Errorf("it slept until %v, after its context", time.Since(start))
		}
	})
}
