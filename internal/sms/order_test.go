package sms_test

import (
	"cmp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

var statuses = []sms.Status{sms.Pending, sms.Unknown, sms.Expired, sms.Rejected, sms.Failed, sms.Delivered}

var (
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// eventTimes draws any time that a receipt can name, often one of a few, and sometimes none.
func eventTimes() *rapid.Generator[time.Time] {
	first, last := firstTime.UnixMicro(), lastTime.UnixMicro()
	return rapid.OneOf(
		rapid.Just(time.Time{}),
		rapid.SampledFrom([]time.Time{firstTime, firstTime.Add(time.Microsecond), lastTime, time.UnixMicro(0).UTC()}),
		rapid.Custom(func(t *rapid.T) time.Time {
			return time.UnixMicro(rapid.Int64Range(first, last).Draw(t, "µs")).UTC()
		}),
	)
}

// compareInWords is the order as docs/delivery.md words it: final above not final, then later event time
// with none as the earliest, then the fixed order of statuses.
func compareInWords(s1 sms.Status, at1 time.Time, s2 sms.Status, at2 time.Time) int {
	if s1.Final() != s2.Final() {
		if s1.Final() {
			return 1
		}
		return -1
	}
	if at1.IsZero() != at2.IsZero() {
		if at2.IsZero() {
			return 1
		}
		return -1
	}
	if c := at1.Compare(at2); c != 0 {
		return c
	}
	return cmp.Compare(s1, s2)
}

func TestRankIsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		status := rapid.SampledFrom(statuses)
		s1, s2 := status.Draw(t, "s1"), status.Draw(t, "s2")
		at1, at2 := eventTimes().Draw(t, "at1"), eventTimes().Draw(t, "at2")
		got := cmp.Compare(sms.RankOf(s1, at1), sms.RankOf(s2, at2))
		if want := compareInWords(s1, at1, s2, at2); got != want {
			t.Fatalf("%v at %v against %v at %v: %d, want %d", s1, at1, s2, at2, got, want)
		}
	})
}

func TestRankAtTheEdges(t *testing.T) {
	// In ascending order, each by one reason alone.
	ascending := []struct {
		status sms.Status
		at     time.Time
	}{
		{sms.Pending, time.Time{}},
		{sms.Unknown, time.Time{}},
		{sms.Pending, firstTime},
		{sms.Unknown, firstTime},
		{sms.Pending, firstTime.Add(time.Microsecond)},
		{sms.Pending, lastTime.Add(-time.Microsecond)},
		{sms.Pending, lastTime},
		{sms.Unknown, lastTime},
		{sms.Expired, time.Time{}},
		{sms.Rejected, time.Time{}},
		{sms.Failed, time.Time{}},
		{sms.Delivered, time.Time{}},
		{sms.Expired, firstTime},
		{sms.Rejected, firstTime},
		{sms.Failed, firstTime},
		{sms.Delivered, firstTime},
		{sms.Expired, lastTime},
		{sms.Delivered, lastTime},
	}
	previous := sms.Rank(-1)
	for _, step := range ascending {
		rank := sms.RankOf(step.status, step.at)
		if rank <= previous {
			t.Errorf("rank of %v at %v is %d, not above %d", step.status, step.at, rank, previous)
		}
		previous = rank
	}
}

func TestRankOfTheSameInstantInAnotherZone(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)
	if here, there := sms.RankOf(sms.Failed, at), sms.RankOf(sms.Failed, at.In(time.FixedZone("", 5*3600+1800))); here != there {
		t.Errorf("ranks differ by zone: %d and %d", here, there)
	}
}
