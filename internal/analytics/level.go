package analytics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Level is a granularity of the rollups. The numbers are those in the database.
type Level uint8

// The levels, finest first. Each divides the next, and buckets begin at whole multiples since 1970,
// UTC, so that a bucket lies within one bucket of every coarser level, and within one day. The
// quarters between the units of time are there so that a question reads few buckets.
const (
	Second Level = iota + 1
	QuarterMinute
	Minute
	QuarterHour
	Hour
	QuarterDay
	Day
)

// levels holds for each level how wide a bucket is, the longest window that begins at one, and how
// long buckets are kept. Only the edge of a window needs fine buckets, and an edge that is a week
// old need not be known to the second: so the fine levels stay small. The time to keep a bucket is the
// longest window that may begin within it, plus the next coarser unit of time that its edge may lie
// in, plus an hour for clocks that differ.
var levels = [...]struct {
	name   string
	width  int64         // seconds
	window time.Duration // 0 for a level that is not a unit of time: no window begins at it, and no step is counted in it
	keep   time.Duration
}{
	Second:        {"second", 1, 2 * time.Hour, 2*time.Hour + time.Minute + time.Hour},
	QuarterMinute: {"quarter of a minute", 15, 0, 2*time.Hour + time.Minute + time.Hour},
	Minute:        {"minute", 60, 7 * day, 7*day + time.Hour + time.Hour},
	QuarterHour:   {"quarter of an hour", 15 * 60, 0, 7*day + time.Hour + time.Hour},
	Hour:          {"hour", 60 * 60, maxWindow, maxWindow + day + time.Hour},
	QuarterDay:    {"quarter of a day", 6 * 60 * 60, 0, maxWindow + day + time.Hour},
	Day:           {"day", 24 * 60 * 60, maxWindow, maxWindow + day + time.Hour},
}

const day = 24 * time.Hour

// String returns the name of the level, as minute.
func (l Level) String() string {
	if l >= Second && l <= Day {
		return levels[l].name
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// isUnit reports whether the level is a unit of time.
func (l Level) isUnit() bool { return levels[l].window > 0 }

// Width is how many seconds a bucket of the level is wide.
func (l Level) Width() int64 { return levels[l].width }

// Keep is how long buckets of the level are kept: no question asks for an older one.
func (l Level) Keep() time.Duration { return levels[l].keep }

// Oldest is the oldest bucket that is kept, as a Unix time in seconds.
func (l Level) Oldest(now time.Time) int64 { return l.bucket(now.Add(-l.Keep()).Unix()) }

// bucket returns where the bucket begins that a second lies in.
func (l Level) bucket(second int64) int64 { return floor(second, l.Width()) }

// floor returns the greatest multiple of a width that is not above n.
func floor(n, width int64) int64 {
	rest := n % width
	if rest < 0 {
		rest += width
	}
	return n - rest
}

// Rollup is what a Delta changes in one bucket.
type Rollup struct {
	Level  Level
	Bucket int64 // where it begins: Unix time in seconds
	Delta  *Delta
}

// Encode returns the rollup as it is stored, once what was stored before is merged. Of more than MaxNames
// names it folds those with the fewest messages.
func (r *Rollup) Encode() []byte {
	r.Delta.fold(MaxNames)
	return r.Delta.Encode()
}

// Rollups returns what the Delta changes in the rollups of every level, sorted by level and bucket.
// Buckets that are no longer kept are left out.
func (d *Delta) Rollups(now time.Time) []Rollup {
	type place struct {
		level  Level
		bucket int64
	}
	rollups := make(map[place]*Delta)
	at := func(level Level, second int64) *Delta {
		p := place{level, level.bucket(second)}
		if rollups[p] == nil {
			rollups[p] = new(Delta)
		}
		return rollups[p]
	}
	for level := Second; level <= Day; level++ {
		oldest := level.Oldest(now)
		for key, e := range d.counts {
			if key.Second >= oldest {
				r := at(level, key.Second)
				key.Second = level.bucket(key.Second)
				r.at(&key).merge(&e.Counts)
			}
		}
		for second, l := range d.latency {
			if second >= oldest {
				at(level, second).latencyAt(level.bucket(second)).merge(l)
			}
		}
	}
	list := make([]Rollup, 0, len(rollups))
	for p, r := range rollups {
		list = append(list, Rollup{p.level, p.bucket, r})
	}
	slices.SortFunc(list, func(a, b Rollup) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Bucket, b.Bucket))
	})
	return list
}

// Coarsen moves an old message to the start of its bucket, of the finest level that still keeps one:
// no question tells the messages of that bucket apart. Kept is false where no question asks for it.
func (c *Contribution) Coarsen(now time.Time) (kept bool) {
	if c.Timed {
		c.Came, _ = coarsened(c.Came, now)
	}
	c.Second, kept = coarsened(c.Second, now)
	return kept
}

// coarsened returns where the bucket begins that a second lies in, of the finest level that still keeps
// one.
func coarsened(second int64, now time.Time) (bucket int64, kept bool) {
	for level := Second; level <= Day; level++ {
		if second >= level.Oldest(now) {
			return level.bucket(second), true
		}
	}
	return second, false
}

// Range is a run of buckets of one level: From <= bucket < To, both Unix times in seconds.
type Range struct {
	Level    Level
	From, To int64
}

// forever ends a range that has no end.
const forever = math.MaxInt64

// ranges cuts the time from the first cut on into the coarsest buckets that have no cut inside. The
// cuts are Unix times in seconds, and ascend.
func ranges(cuts []int64) []Range {
	var list []Range
	for i, from := range cuts {
		to := int64(forever)
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		for from < to {
			next := stretch(from, to)
			if last := len(list) - 1; last >= 0 && list[last].Level == next.Level && list[last].To == next.From {
				list[last].To = next.To
			} else {
				list = append(list, next)
			}
			from = next.To
		}
	}
	return list
}

// stretch returns the longest run of the coarsest buckets that begins at a second and ends before
// another, as long as no coarser bucket begins in it that would fit.
func stretch(from, to int64) Range {
	level := Day
	for level > Second && (from%level.Width() != 0 || to-from < level.Width()) {
		level--
	}
	end := to
	if to != forever {
		end = level.bucket(to)
	}
	if level < Day {
		width := (level + 1).Width()
		if up := floor(from, width) + width; to-up >= width || to == forever {
			end = min(end, up)
		}
	}
	return Range{level, from, end}
}
