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
	counts  map[Key]*Counts
	latency map[int64]*Latency // by the second in which the receipts became durable
}

// Add counts a message in.
func (d *Delta) Add(c Contribution) { d.at(&c.Key).count(&c, 1) }

// Remove takes away what a message added.
func (d *Delta) Remove(c Contribution) { d.at(&c.Key).count(&c, -1) }

// Observe counts a receipt that became durable at a time, so long after it had reached us; sla is the
// longest time that is in order. Receipts of one commit may be observed together, n at a time.
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
	for key, c := range other.counts {
		d.at(&key).merge(c)
	}
	for second, l := range other.latency {
		d.latencyAt(second).merge(l)
	}
}

// Empty reports whether the Delta changes nothing.
func (d *Delta) Empty() bool {
	for _, c := range d.counts {
		if !c.empty() {
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
	c, known := d.counts[*key]
	if !known {
		if d.counts == nil {
			d.counts = make(map[Key]*Counts)
		}
		c = new(Counts)
		d.counts[*key] = c
	}
	return c
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

// keys returns the keys whose counts are not empty, sorted.
func (d *Delta) keys() []Key {
	keys := make([]Key, 0, len(d.counts))
	for key, c := range d.counts {
		if !c.empty() {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// seconds returns the seconds whose latency is not empty, sorted.
func (d *Delta) seconds() []int64 {
	seconds := slices.Collect(maps.Keys(d.latency))
	seconds = slices.DeleteFunc(seconds, func(s int64) bool { return d.latency[s].empty() })
	slices.Sort(seconds)
	return seconds
}

func compareKeys(a, b Key) int {
	switch {
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
