package analytics

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Histogram counts durations in buckets that grow with the duration: each power of two of
// microseconds is cut into 32. The middle of a bucket is at most 1/64, 1.6 %, off any duration in
// it. Bucket limits are whole microseconds and take no logarithm, so that every replica on every
// machine has the same ones. Histograms merge by adding up. The zero Histogram is empty.
type Histogram struct {
	bins []bin    // by index, ascending; none is 0 once normalized
	wide *octaves // what was merged and is not in bins yet; nil for nothing
}

// bin is the count of one bucket. In the difference of two histograms it may be negative.
type bin struct {
	index uint16
	n     int64
}

const (
	perOctaveBits = 5
	perOctave     = 1 << perOctaveBits
	maxBucket     = 1568 // of the longest Duration
)

// bucketOf returns the bucket of a duration. Less than a microsecond counts as none.
func bucketOf(d time.Duration) uint16 {
	micros := uint64(max(d, 0) / time.Microsecond)
	if micros < 2*perOctave {
		return uint16(micros)
	}
	shift := bits.Len64(micros) - perOctaveBits - 1
	return uint16(shift*perOctave + int(micros>>shift))
}

// middleOf returns the duration that stands for a bucket.
func middleOf(index uint16) time.Duration {
	if index < 2*perOctave {
		return time.Duration(index) * time.Microsecond
	}
	shift := int(index)/perOctave - 1
	from := (uint64(index)%perOctave + perOctave) << shift
	micros := from + (uint64(1)<<shift-1)/2
	return time.Duration(min(micros, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
}

// observe counts a duration n times.
func (h *Histogram) observe(d time.Duration, n int64) {
	index := bucketOf(d)
	at, known := slices.BinarySearchFunc(h.bins, index, func(b bin, index uint16) int { return int(b.index) - int(index) })
	if known {
		h.bins[at].n += n
		return
	}
	h.bins = slices.Insert(h.bins, at, bin{index, n})
}

// octaves is a histogram that many others are merged into: adding to a bucket takes no search. It has
// a row for each octave that has a bucket.
type octaves [maxBucket/perOctave + 1]*[perOctave]int64

func (o *octaves) add(bins []bin) {
	for _, b := range bins {
		row := o[b.index/perOctave]
		if row == nil {
			row = new([perOctave]int64)
			o[b.index/perOctave] = row
		}
		row[b.index%perOctave] += b.n
	}
}

// count returns how many buckets are not 0.
func (o *octaves) count() (n int) {
	for _, row := range o {
		if row == nil {
			continue
		}
		for _, m := range row {
			if m != 0 {
				n++
			}
		}
	}
	return n
}

// narrow is how many buckets are merged by walking through them: more go into octaves.
const narrow = 32

// merge adds another histogram, which keeps its counts.
func (h *Histogram) merge(other *Histogram) {
	other.settle()
	if h.wide == nil && len(h.bins)+len(other.bins) > narrow && len(other.bins) > 0 {
		h.wide = new(octaves)
	}
	if h.wide != nil {
		h.wide.add(other.bins)
		return
	}
	at := 0
	for _, b := range other.bins {
		for at < len(h.bins) && h.bins[at].index < b.index {
			at++
		}
		if at < len(h.bins) && h.bins[at].index == b.index {
			h.bins[at].n += b.n
		} else {
			h.bins = slices.Insert(h.bins, at, b)
		}
	}
}

// settle brings everything into bins.
func (h *Histogram) settle() {
	if h.wide == nil {
		return
	}
	h.wide.add(h.bins)
	h.bins = slices.Grow(h.bins[:0], h.wide.count())
	for octave, row := range h.wide {
		if row == nil {
			continue
		}
		for i, n := range row {
			if n != 0 {
				h.bins = append(h.bins, bin{uint16(octave*perOctave + i), n})
			}
		}
	}
	h.wide = nil
}

// normalize drops the buckets that came out as 0.
func (h *Histogram) normalize() {
	h.settle()
	h.bins = slices.DeleteFunc(h.bins, func(b bin) bool { return b.n == 0 })
}

// Count returns how many durations were counted.
func (h *Histogram) Count() (n int64) {
	h.settle()
	for _, b := range h.bins {
		n += b.n
	}
	return n
}

// Quantile returns the duration that a share q of all is not above, 0 < q <= 1: of n durations in
// ascending order the one at place q*n, rounded up. It is within 2 % of the exact one, and 0 for an
// empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	place := max(1, int64(math.Ceil(q*float64(h.Count()))))
	for _, b := range h.bins {
		if place -= b.n; place <= 0 {
			return middleOf(b.index)
		}
	}
	return 0
}

// Above returns how many durations are longer than a limit. Those within 2 % of the limit may fall
// on either side.
func (h *Histogram) Above(limit time.Duration) (n int64) {
	h.settle()
	for _, b := range h.bins {
		if middleOf(b.index) > limit {
			n += b.n
		}
	}
	return n
}
