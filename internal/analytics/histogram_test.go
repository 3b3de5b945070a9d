package analytics

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want uint16
	}{
		{-time.Second, 0}, {0, 0}, {999, 0}, {time.Microsecond, 1}, {63 * time.Microsecond, 63},
		{64 * time.Microsecond, 64}, {65 * time.Microsecond, 64}, {66 * time.Microsecond, 65},
		{127 * time.Microsecond, 95}, {128 * time.Microsecond, 96}, {math.MaxInt64, maxBucket},
	} {
		if got := bucketOf(c.d); got != c.want {
			t.Errorf("%v is in bucket %d, want %d", c.d, got, c.want)
		}
	}
}

func TestBucketsAscendAndHoldTheirMiddle(t *testing.T) {
	for i := uint16(0); i <= maxBucket; i++ {
		if got := bucketOf(middleOf(i)); got != i {
			t.Fatalf("the middle of bucket %d, %v, is in bucket %d", i, middleOf(i), got)
		}
		if i > 0 && middleOf(i) <= middleOf(i-1) {
			t.Fatalf("the middle of bucket %d is not above that of the one before", i)
		}
	}
}

func drawDuration(t *rapid.T) time.Duration {
	digits := rapid.IntRange(0, 43).Draw(t, "bits")
	return time.Duration(rapid.Int64Range(0, 1<<digits).Draw(t, "micros")) * time.Microsecond
}

func TestQuantilesAreWithinTwoPerCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawDuration), 1, 200).Draw(t, "durations")
		var parts [3]Histogram
		for i, d := range all {
			parts[i%3].observe(d, 1)
		}
		var h Histogram
		for i := range parts {
			h.merge(&parts[i])
		}
		slices.Sort(all)
		q := rapid.SampledFrom([]float64{0.001, 0.5, 0.95, 0.99, 1}).Draw(t, "q")
		exact := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		got := h.Quantile(q)
		if diff := math.Abs(float64(got - exact)); diff > 0.02*float64(exact) {
			t.Fatalf("quantile %v is %v, exactly %v", q, got, exact)
		}
		limit := drawDuration(t)
		least, most := 0, 0
		for _, d := range all {
			if float64(d) > 1.02*float64(limit) {
				least++
			}
			if float64(d) > 0.98*float64(limit) {
				most++
			}
		}
		if n := h.Above(limit); n < int64(least) || n > int64(most) {
			t.Fatalf("%d are above %v, exactly %d to %d", n, limit, least, most)
		}
	})
	if got := new(Histogram).Quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestHistogramsMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() (h Histogram) {
			for range rapid.IntRange(0, 20).Draw(t, "n") {
				h.observe(drawDuration(t), rapid.Int64Range(-2, 2).Draw(t, "times"))
			}
			return h
		}
		a, b, c := draw(), draw(), draw()
		merged := func(parts ...*Histogram) []bin {
			var h Histogram
			for _, p := range parts {
				h.merge(p)
			}
			h.normalize()
			return slices.Clip(h.bins)
		}
		bc := Histogram{bins: merged(&b, &c)}
		want := merged(&a, &b, &c)
		for _, got := range [][]bin{merged(&c, &a, &b), merged(&a, &bc), merged(&b, &c, &a)} {
			if !slices.Equal(got, want) {
				t.Fatal(cmp.Diff(want, got, cmp.AllowUnexported(bin{})))
			}
		}
		if !slices.IsSortedFunc(want, func(x, y bin) int { return int(x.index) - int(y.index) }) {
			t.Fatalf("not sorted: %v", want)
		}
	})
}
