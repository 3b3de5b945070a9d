package load

import (
	"testing"
	"time"
)

func TestScheduleKeepsTheRate(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	s := &schedule{start: start, end: start.Add(time.Hour), rate: 3000}
	for _, tt := range []struct {
		request int64
		after   time.Duration
	}{
		{0, 0},
		{1, 333_333 * time.Nanosecond},
		{3000, time.Second},
		{3000 * 3599, 3599 * time.Second}, // a third of a nanosecond each would be 3.6 ms by now
	} {
		got := s.at(tt.request).Sub(start)
		if diff := got - tt.after; diff < -time.Microsecond || diff > time.Microsecond {
			t.Errorf("request %d is due after %s, want %s", tt.request, got, tt.after)
		}
	}
}

func TestScheduleGivesEachRequestOnce(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	s := &schedule{start: start, end: start.Add(time.Second), rate: 10}
	for i := range 10 {
		due, ok := s.take()
		if want := start.Add(time.Duration(i) * 100 * time.Millisecond); !ok || !due.Equal(want) {
			t.Fatalf("request %d: %s %v, want %s", i, due, ok, want)
		}
	}
	if due, ok := s.take(); ok {
		t.Errorf("a request at %s, past the end", due)
	}
}
