package simulator

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// dues returns when the posts of a kind are due, and in which phases.
func dues(s *Script, kind Kind) (times []time.Duration, phases []int) {
	schedule := s.Schedule(kind)
	for {
		due, phase, more := schedule.Next()
		if !more {
			return times, phases
		}
		times, phases = append(times, due), append(phases, phase)
	}
}

func TestSchedule(t *testing.T) {
	s := &Script{Phases: []Phase{
		{Duration: time.Second, From: 4, To: 4, Kind: KindSMS},
		{Duration: 10 * time.Second, Kind: KindBoth}, // a pause
		{Duration: 2 * time.Second, From: 2, To: 2, Kind: KindBoth},
		{Duration: 2 * time.Second, From: 0, To: 4, Kind: KindThreads},
	}}
	const ms = time.Millisecond
	times, phases := dues(s, KindSMS)
	if diff := cmp.Diff([]time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 11_000 * ms, 12_000 * ms}, times); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 0, 0, 0, 2, 2}, phases); diff != "" {
		t.Error(diff)
	}
	times, phases = dues(s, KindThreads)
	// Of the ramp post n is due after the root of n seconds.
	third := 13*time.Second + time.Duration(math.Sqrt(2)*float64(time.Second))
	fourth := 13*time.Second + time.Duration(math.Sqrt(3)*float64(time.Second))
	if diff := cmp.Diff([]time.Duration{11_000 * ms, 12_000 * ms, 13_000 * ms, 14_000 * ms, third, fourth}, times); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 2, 3, 3, 3, 3}, phases); diff != "" {
		t.Error(diff)
	}
	if s.Posts(KindSMS) != 6 || s.Posts(KindThreads) != 6 || s.Duration() != 15*time.Second {
		t.Errorf("%d and %d posts in %v", s.Posts(KindSMS), s.Posts(KindThreads), s.Duration())
	}
}

func TestSteady(t *testing.T) {
	s := Steady(KindThreads, 200, 30*time.Second)
	if s.Posts(KindThreads) != 6000 || s.Posts(KindSMS) != 0 || s.Duration() != 30*time.Second {
		t.Errorf("%d and %d posts in %v", s.Posts(KindThreads), s.Posts(KindSMS), s.Duration())
	}
}

// After any part of a phase as many posts were due as the rate, which runs evenly from one to the
// other, has come to.
func TestRampsKeepToTheirRates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Phase{
			Duration: time.Duration(rapid.Int64Range(1, 10_000).Draw(t, "ms")) * time.Millisecond, Kind: KindSMS,
			From: rapid.Float64Range(0, 300).Draw(t, "from"), To: rapid.Float64Range(0, 300).Draw(t, "to"),
		}
		whole := p.Duration.Seconds()
		before := time.Duration(0)
		for n := range p.posts(KindSMS) {
			due := p.due(KindSMS, n)
			if due < before || due > p.Duration {
				t.Fatalf("post %d is due after %v of %v, the one before after %v", n, due, p.Duration, before)
			}
			at := due.Seconds()
			if posts := p.From*at + (p.To-p.From)*at*at/(2*whole); math.Abs(posts-float64(n)) > 0.01 {
				t.Fatalf("post %d is due after %v, when %v are", n, due, posts)
			}
			before = due
		}
	})
}
