package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/syncer"
)

func TestDescribeCRM(t *testing.T) {
	for _, tt := range []struct {
		condition syncer.Condition
		breaker   string
		want      string
	}{
		{syncer.Condition{State: syncer.Up}, "closed", ""},
		{syncer.Condition{State: syncer.Paused, Status: 503, Asked: true}, "closed", "it answered 503 to the last request, and asked for a pause"},
		{syncer.Condition{State: syncer.Paused, Status: 429}, "closed", "it answered 429 to the last request, and did not say for how long"},
		{syncer.Condition{State: syncer.Paused}, "closed", "it answered 429 or 503 to another replica, or before the last start"},
		{syncer.Condition{State: syncer.Failing}, "closed", "the last requests failed; they are tried again"},
		{syncer.Condition{State: syncer.Failing, Status: 502}, "half-open", "the last requests failed (502 to the latest); they are tried again, one of them every few seconds"},
	} {
		tt.condition.Until = time.Date(2026, 11, 22, 18, 5, 0, 999, time.UTC)
		got := describeCRM(tt.condition, tt.breaker)
		if got.State != string(tt.condition.State) || got.Detail != tt.want || !got.Until.Equal(tt.condition.Until.Truncate(time.Second)) {
			t.Errorf("%+v is %+v", tt.condition, got)
		}
	}
}

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
