package analytics

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func at(clock string) int64 {
	t, err := time.Parse(time.DateTime, clock)
	if err != nil {
		panic(err)
	}
	return t.Unix()
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		name string
		cuts []int64
		want []Range
	}{
		{"a minute", []int64{at("2026-11-22 01:43:22")}, []Range{
			{Second, at("2026-11-22 01:43:22"), at("2026-11-22 01:43:30")},
			{QuarterMinute, at("2026-11-22 01:43:30"), at("2026-11-22 01:44:00")},
			{Minute, at("2026-11-22 01:44:00"), at("2026-11-22 01:45:00")},
			{QuarterHour, at("2026-11-22 01:45:00"), at("2026-11-22 02:00:00")},
			{Hour, at("2026-11-22 02:00:00"), at("2026-11-22 06:00:00")},
			{QuarterDay, at("2026-11-22 06:00:00"), at("2026-11-23 00:00:00")},
			{Day, at("2026-11-23 00:00:00"), forever},
		}},
		{"from midnight", []int64{at("2026-11-22 00:00:00")}, []Range{{Day, at("2026-11-22 00:00:00"), forever}}},
		{"cut in a later day", []int64{at("2026-11-20 22:00:00"), at("2026-11-22 01:01:01")}, []Range{
			{Hour, at("2026-11-20 22:00:00"), at("2026-11-21 00:00:00")},
			{Day, at("2026-11-21 00:00:00"), at("2026-11-22 00:00:00")},
			{Hour, at("2026-11-22 00:00:00"), at("2026-11-22 01:00:00")},
			{Minute, at("2026-11-22 01:00:00"), at("2026-11-22 01:01:00")},
			{Second, at("2026-11-22 01:01:00"), at("2026-11-22 01:01:15")},
			{QuarterMinute, at("2026-11-22 01:01:15"), at("2026-11-22 01:02:00")},
			{Minute, at("2026-11-22 01:02:00"), at("2026-11-22 01:15:00")},
			{QuarterHour, at("2026-11-22 01:15:00"), at("2026-11-22 02:00:00")},
			{Hour, at("2026-11-22 02:00:00"), at("2026-11-22 06:00:00")},
			{QuarterDay, at("2026-11-22 06:00:00"), at("2026-11-23 00:00:00")},
			{Day, at("2026-11-23 00:00:00"), forever},
		}},
		{"steps of seven minutes", []int64{at("2026-11-22 01:00:00"), at("2026-11-22 01:07:00"), at("2026-11-22 01:14:00")}, []Range{
			{Minute, at("2026-11-22 01:00:00"), at("2026-11-22 01:15:00")},
			{QuarterHour, at("2026-11-22 01:15:00"), at("2026-11-22 02:00:00")},
			{Hour, at("2026-11-22 02:00:00"), at("2026-11-22 06:00:00")},
			{QuarterDay, at("2026-11-22 06:00:00"), at("2026-11-23 00:00:00")},
			{Day, at("2026-11-23 00:00:00"), forever},
		}},
	} {
		if diff := cmp.Diff(c.want, ranges(c.cuts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Ranges cover the time from the first cut on without a gap, no bucket has a cut inside, and where
// a coarser bucket would do, there is no finer one.
func TestRangesCoverEverySecondOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cuts := rapid.SliceOfN(rapid.Int64Range(0, 300_000), 1, 6).Draw(t, "cuts")
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
		list := ranges(cuts)
		next := cuts[0]
		for _, r := range list {
			if r.From != next || r.To <= r.From || r.From%r.Level.Width() != 0 || r.To != forever && r.To%r.Level.Width() != 0 {
				t.Fatalf("%+v in %+v", r, list)
			}
			next = r.To
			for bucket := r.From; bucket < min(r.To, 400_000); bucket += r.Level.Width() {
				end := bucket + r.Level.Width()
				if slices.ContainsFunc(cuts, func(c int64) bool { return c > bucket && c < end }) {
					t.Fatalf("a cut of %v lies in the %s of %d", cuts, r.Level, bucket)
				}
				if r.Level == Day {
					continue
				}
				wider := r.Level + 1
				from := wider.bucket(bucket)
				fits := from >= cuts[0] && !slices.ContainsFunc(cuts, func(c int64) bool { return c > from && c < from+wider.Width() })
				if fits {
					t.Fatalf("the %s of %d could be read as a %s: %v, %+v", r.Level, bucket, wider, cuts, list)
				}
			}
		}
		if next != forever {
			t.Fatalf("the ranges end at %d", next)
		}
	})
}

func TestRollupsHoldTheWholeDelta(t *testing.T) {
	now := time.Unix(200_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		d := drawDelta(t)
		rollups := d.Rollups(now)
		if !slices.IsSortedFunc(rollups, func(a, b Rollup) int {
			if a.Level != b.Level {
				return int(a.Level) - int(b.Level)
			}
			return int(a.Bucket - b.Bucket)
		}) {
			t.Fatal("not sorted")
		}
		total := make(map[Level]*Delta)
		for level := Second; level <= Day; level++ {
			total[level] = new(Delta)
		}
		for _, r := range rollups {
			for key := range r.Delta.counts {
				if key.Second != r.Bucket {
					t.Fatalf("a key of second %d in the %s of %d", key.Second, r.Level, r.Bucket)
				}
			}
			total[r.Level].Merge(r.Delta)
		}
		for level, got := range total {
			want := new(Delta)
			for key, e := range d.counts {
				if key.Second >= level.Oldest(now) {
					key.Second = level.bucket(key.Second)
					want.at(&key).merge(&e.Counts)
				}
			}
			for second, l := range d.latency {
				if second >= level.Oldest(now) {
					want.latencyAt(level.bucket(second)).merge(l)
				}
			}
			if !bytes.Equal(got.Encode(), want.Encode()) {
				t.Fatalf("%ss do not add up", level)
			}
		}
	})
}

// Whatever a question may ask for is kept, also when its clock is behind that of the compactor.
func TestLevelsAreKeptLongEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "now"), 0)
		length := time.Duration(rapid.Int64Range(60, int64(maxWindow/time.Second)).Draw(t, "length")) * time.Second
		if rapid.Bool().Draw(t, "round") {
			length = rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour, day, 7 * day, 30 * day, maxWindow}).Draw(t, "length")
		}
		step := rapid.SampledFrom([]time.Duration{0, time.Second, 7 * time.Second, time.Minute, 7 * time.Minute, time.Hour, 5 * time.Hour, day, 7 * day}).Draw(t, "step")
		w, err := NewWindow(now, length, step)
		if err != nil {
			return
		}
		ahead := now.Add(59 * time.Minute)
		for _, r := range NewSum(w, Filter{}, nil).Ranges() {
			if r.From < r.Level.Oldest(ahead) {
				t.Fatalf("%+v of a window of %v with step %v is no longer kept", r, length, step)
			}
		}
	})
}

// No question that is asked then or later tells a message from where Coarsen counts it.
func TestCoarsenChangesNoAnswer(t *testing.T) {
	now := time.Unix(at("2026-11-22 01:44:21"), 0)
	rapid.Check(t, func(t *rapid.T) {
		ago := rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour, 4 * time.Hour, 7 * day, 8 * day, 90 * day, 95 * day}).Draw(t, "about")
		ago += time.Duration(rapid.Int64Range(-100_000, 100_000).Draw(t, "seconds")) * time.Second
		fine := Contribution{Key: Key{Second: now.Add(-ago).Unix()}}
		coarse := fine
		kept := coarse.Coarsen(now)
		later := now.Add(time.Duration(rapid.Int64Range(0, 10_000).Draw(t, "later")) * time.Second)
		length := rapid.SampledFrom([]time.Duration{time.Minute, 2 * time.Hour, 2*time.Hour + 1, 7 * day, 7*day + 1, maxWindow}).Draw(t, "length")
		step := rapid.SampledFrom([]time.Duration{0, 7 * time.Second, 7 * time.Minute, 7 * time.Hour, 7 * day}).Draw(t, "step")
		window, err := NewWindow(later, length, step)
		if err != nil {
			return
		}
		sum := NewSum(window, Filter{}, nil)
		isIn := fine.Second >= window.From.Unix()
		if isIn && !kept {
			t.Fatalf("a message of %v ago is not kept, and is in a window of %v", ago, length)
		}
		if kept && isIn != (coarse.Second >= window.From.Unix()) {
			t.Fatalf("a message of %v ago is in a window of %v or not: moved by %d s", ago, length, fine.Second-coarse.Second)
		}
		if kept && isIn && sum.point(fine.Second) != sum.point(coarse.Second) {
			t.Fatalf("a message of %v ago is in two points of a series by %v", ago, step)
		}
	})
}
