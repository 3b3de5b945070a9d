package analytics

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Delta is a change of the counts, by key. Deltas add up, in any order, to the counts themselves. The
// zero Delta changes nothing. It is not safe for concurrent use.
type Delta struct {
	counts  map[Key]*entry
	latency map[int64]*Latency // by the second in which the receipts became durable
	spare   []entry            // entries are made some at a time: most commits change few keys
}

// entry is the counts of a key.
type entry struct {
	key Key
	Counts
}

// messages returns how many messages were counted, or final receipts.
func (e *entry) messages() int64 {
	if e.key.Final {
		return e.Times.Count()
	}
	return e.Total()
}

// Add counts a message in.
func (d *Delta) Add(c Contribution) { d.count(&c, 1) }

// Remove takes away what a message added.
func (d *Delta) Remove(c Contribution) { d.count(&c, -1) }

func (d *Delta) count(c *Contribution, n int64) {
	d.at(&c.Key).count(c, n)
	if c.Timed {
		d.at(&Key{Second: c.Came, Carrier: c.Carrier, Final: true}).Times.observe(c.Took, n)
	}
}

// Observe counts n receipts that became durable at one time, such as those of a commit. Took is the time
// since their arrival, and sla the longest time that is in order.
func (d *Delta) Observe(at time.Time, took, sla time.Duration, n int64) {
	took = max(took, 0) // the wall clock may step back
	l := d.latencyAt(at.Unix())
	l.Receipts += n
	if took <= sla {
		l.Within += n
	}
	l.Sum += time.Duration(n) * took
	l.Times.observe(took, n)
}

// Merge adds another Delta, which stays as it is. A nil one changes nothing.
func (d *Delta) Merge(other *Delta) {
	if other == nil {
		return
	}
	for key, e := range other.counts {
		d.at(&key).merge(&e.Counts)
	}
	for second, l := range other.latency {
		d.latencyAt(second).merge(l)
	}
}

// Keys returns how many keys the Delta counts by.
func (d *Delta) Keys() int { return len(d.counts) }

// Empty reports whether the Delta changes nothing.
func (d *Delta) Empty() bool {
	for _, e := range d.counts {
		if !e.empty() {
			return false
		}
	}
	for _, l := range d.latency {
		if !l.empty() {
			return false
		}
	}
	return true
}

func (d *Delta) at(key *Key) *Counts {
	e, known := d.counts[*key]
	if !known {
		if d.counts == nil {
			d.counts = make(map[Key]*entry)
		}
		if len(d.spare) == 0 {
			d.spare = make([]entry, min(1+len(d.counts), 32))
		}
		e, d.spare = &d.spare[0], d.spare[1:]
		e.key = *key
		d.counts[*key] = e
	}
	return &e.Counts
}

func (d *Delta) latencyAt(second int64) *Latency {
	l, known := d.latency[second]
	if !known {
		if d.latency == nil {
			d.latency = make(map[int64]*Latency)
		}
		l = new(Latency)
		d.latency[second] = l
	}
	return l
}

// entries returns the counts that are not empty, sorted by key.
func (d *Delta) entries() []*entry {
	entries := make([]*entry, 0, len(d.counts))
	for _, e := range d.counts {
		if !e.empty() {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int { return compareKeys(&a.key, &b.key) })
	return entries
}

// seconds returns the seconds whose latency is not empty, sorted.
func (d *Delta) seconds() []int64 {
	seconds := slices.Collect(maps.Keys(d.latency))
	seconds = slices.DeleteFunc(seconds, func(s int64) bool { return d.latency[s].empty() })
	slices.Sort(seconds)
	return seconds
}

func compareKeys(a, b *Key) int {
	switch {
	case a.Final != b.Final:
		if b.Final {
			return -1
		}
		return 1
	case a.Second != b.Second:
		if a.Second < b.Second {
			return -1
		}
		return 1
	case a.Carrier != b.Carrier:
		return strings.Compare(a.Carrier, b.Carrier)
	case a.Region != b.Region:
		return strings.Compare(a.Region, b.Region)
	}
	return strings.Compare(a.Currency, b.Currency)
}
