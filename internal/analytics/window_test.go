package analytics_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/analytics"
)

func TestParseLength(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1m": time.Minute, "90d": 90 * 24 * time.Hour, "24h": 24 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute,
		"0d": 0, "0": 0, "1.5h": 90 * time.Minute,
	} {
		if got, err := analytics.ParseLength(text); got != want || err != nil {
			t.Errorf("ParseLength(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "d", "-1h", "+1h", "1d-1h", "-1d", "91d", "1.5d", "1w", "one hour", "1d1d", "99999999999999999999d"} {
		if got, err := analytics.ParseLength(text); err == nil {
			t.Errorf("ParseLength(%q) = %v", text, got)
		}
	}
}

func TestNewWindow(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.FixedZone("", 3600)) // 00:44:21 UTC
	for _, c := range []struct {
		length, step time.Duration
		from         string
		wrong        string
	}{
		{length: time.Minute, from: "2026-11-22T00:43:21Z"},
		{length: 2 * time.Hour, from: "2026-11-21T22:44:21Z"},
		{length: 2*time.Hour + 1, from: "2026-11-21T22:44:00Z"},
		{length: 7 * day, from: "2026-11-15T00:44:00Z"},
		{length: 7*day + 1, from: "2026-11-15T00:00:00Z"},
		{length: 90 * day, from: "2026-08-24T00:00:00Z"},
		{length: time.Hour, step: 7 * time.Second, from: "2026-11-21T23:44:21Z"},
		{length: day, step: time.Minute, from: "2026-11-21T00:44:00Z"},
		{length: 90 * day, step: day, from: "2026-08-24T00:00:00Z"},
		{length: 59 * time.Second, wrong: "the window must be from 1m to 90d long"},
		{length: 91 * day, wrong: "the window must be from 1m to 90d long"},
		{length: -day, wrong: "the window must be from 1m to 90d long"},
		{length: time.Hour, step: -time.Minute, wrong: "the step must be a whole number of seconds"},
		{length: time.Hour, step: time.Millisecond, wrong: "the step must be a whole number of seconds"},
		{length: time.Hour, step: 90 * time.Second, wrong: "the step must be a whole number of minutes"},
		{length: day, step: 30 * time.Second, wrong: "the step must be a whole number of minutes"},
		{length: day, step: 90 * time.Minute, wrong: "the step must be a whole number of hours"},
		{length: 30 * day, step: 36 * time.Hour, wrong: "the step must be a whole number of days"},
		{length: time.Hour, step: 2 * time.Second, wrong: "the step is too short: a series has at most 1500 points"},
		{length: 1499 * time.Second, step: time.Second, from: "2026-11-22T00:19:22Z"},
		{length: 1499*time.Second + time.Millisecond, step: time.Second, wrong: "the step is too short: a series has at most 1500 points"},
		{length: 1499 * time.Minute, step: time.Minute, from: "2026-11-20T23:45:00Z"},
		{length: 1499*time.Minute + time.Second, step: time.Minute, wrong: "the step is too short: a series has at most 1500 points"},
	} {
		w, err := analytics.NewWindow(now, c.length, c.step)
		switch {
		case c.wrong != "":
			if err == nil || err.Error() != c.wrong {
				t.Errorf("%v by %v: %v, want %s", c.length, c.step, err, c.wrong)
			}
		case err != nil || w.From.Format(time.RFC3339Nano) != c.from:
			t.Errorf("%v by %v begins at %v, %v; want %s", c.length, c.step, w.From, err, c.from)
		}
	}
}

// series returns where the points of a series begin; nil where the question is refused.
func series(now time.Time, length, step time.Duration) (from []time.Time) {
	w, err := analytics.NewWindow(now, length, step)
	if err != nil {
		return nil
	}
	for _, p := range analytics.NewSum(w, analytics.Filter{}, nil).Report(analytics.DefaultPolicy()).Series {
		from = append(from, p.From)
	}
	return from
}

func TestPointsOfASeries(t *testing.T) {
	now := time.Date(2026, 11, 22, 1, 44, 21, 0, time.UTC)
	want := []time.Time{
		time.Date(2026, 11, 22, 0, 44, 21, 0, time.UTC), time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 22, 1, 20, 0, 0, time.UTC), time.Date(2026, 11, 22, 1, 40, 0, 0, time.UTC),
	}
	if got := series(now, time.Hour, 20*time.Minute); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "now"), 0)
		length := time.Duration(rapid.Int64Range(60, 90*86400).Draw(t, "length")) * time.Second
		step := time.Duration(rapid.Int64Range(1, 100).Draw(t, "step")) * rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "of")
		points := series(now, length, step)
		if len(points) > 1500 {
			t.Fatalf("%d points", len(points))
		}
		for i := 1; i < len(points); i++ {
			if !points[i].After(points[i-1]) || points[i].After(now) || points[i].Unix()%int64(step/time.Second) != 0 {
				t.Fatalf("point %v after %v", points[i], points[i-1])
			}
		}
	})
}

// A series has no more points than the limit says, and when one asks does not decide whether one is refused.
func TestLimitOfASeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := time.Duration(rapid.IntRange(1, 80).Draw(t, "step")) * rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "of")
		rest := rapid.SampledFrom([]time.Duration{0, time.Millisecond, step - time.Second, step - time.Millisecond}).Draw(t, "rest")
		length := time.Duration(rapid.IntRange(1495, 1503).Draw(t, "steps"))*step + rest
		asked := rapid.SliceOfN(rapid.Int64Range(1_700_000_000_000, 1_700_010_000_000), 10, 10).Draw(t, "asked")
		var accepted int
		for _, at := range asked {
			points := len(series(time.UnixMilli(at), length, step))
			accepted += min(points, 1)
			if points > 1500 {
				t.Errorf("%v by %v has %d points", length, step, points)
			}
		}
		if accepted != 0 && accepted != len(asked) {
			t.Errorf("%v by %v is accepted %d of %d times", length, step, accepted, len(asked))
		}
	})
	if n := len(series(time.Unix(1_700_000_000, 0), 1499*time.Second, time.Second)); n != 1500 {
		t.Errorf("%d points, want as many as there may be", n)
	}
}
