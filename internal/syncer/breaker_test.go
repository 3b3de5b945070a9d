package syncer

import (
	"testing"
	"testing/synctest"
	"time"
)

// A CRM that does not say how long it wants to be left alone is asked again later and later, until
// it takes a push.
func TestPauseGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s throttle
		began := time.Now()
		step := func(what string, begun time.Time, want time.Duration) {
			t.Helper()
			if got := s.pauseFor(0, begun); got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Millisecond)
		step("the first", began, time.Second)
		step("in flight with the first", began, time.Second)
		step("after the pause", time.Now(), 2*time.Second)
		s.answered()
		step("in flight with it, after another was taken", began, time.Second)
		for range 20 {
			s.pauseFor(0, time.Now())
		}
		step("after many", time.Now(), pauseGuess)
		if got := s.pauseFor(time.Hour, time.Now()); got != pauseMost {
			t.Errorf("asked for an hour: %v", got)
		}
	})
}

// A thread that alone fails again, and takes long for it, keeps no other thread waiting.
func TestProbeBesideARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(func(string) {})
		for range breakerFailures {
			b.note(ailing, true)
		}
		time.Sleep(breakerDelay)
		for _, tt := range []struct{ inFlight, retrying, want int }{{0, 0, 1}, {1, 0, 0}, {1, 1, 1}, {2, 1, 0}, {3, 3, 1}} {
			if limit, wait := b.allows(8, tt.inFlight, tt.retrying); limit != tt.want || wait != 0 {
				t.Errorf("%d in flight, %d of them again: %d allowed after %v, want %d", tt.inFlight, tt.retrying, limit, wait, tt.want)
			}
		}
	})
}
