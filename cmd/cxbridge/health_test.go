package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A part that hangs costs the time it was given only once, and is asked again when it has answered.
func TestProbeDoesNotWaitForWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p probedPart
		release := make(chan struct{})
		asked := 0
		hang := func(context.Context) error {
			asked++
			<-release
			return nil
		}
		ask := func(want error, within time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), lookTimeout)
			defer cancel()
			start := time.Now()
			if err := p.ask(ctx, hang); !errors.Is(err, want) || time.Since(start) != within {
				t.Errorf("got %v after %v, want %v after %v", err, time.Since(start), want, within)
			}
		}
		ask(errHangs, lookTimeout)
		ask(errHangs, 0)
		synctest.Wait()
		if asked != 1 {
			t.Errorf("the part was asked %d times", asked)
		}
		close(release)
		synctest.Wait()
		ask(nil, 0)
	})
}
