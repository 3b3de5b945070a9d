package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Mix says which messages a Traffic makes up. The zero Mix is an ordinary day: all regions alike,
// each with its own carriers.
type Mix struct {
	Regions  []string     // of Regions; none is all of them
	Carriers []CarrierMix // none: those of each region, alike
	Timed    bool         // every receipt says when its message was submitted
}

// CarrierMix is a carrier in a Mix. It serves all regions of that.
type CarrierMix struct {
	Name     string
	Weight   float64       // its messages go by the weights of all
	Failures float64       // share of its messages that do not arrive
	Delay    time.Duration // from submit to delivery, in the median; up to MaxDelay

	// Slow is the share of messages that take longer by SlowDelay, or up to half as much again. The
	// stream does not wait for them: their receipts say that they were submitted so long ago.
	Slow      float64
	SlowDelay time.Duration
}

// MaxDelay bounds the median of a delivery, because its receipts are waited for.
const MaxDelay = time.Minute

// UsualCarrier returns a carrier as it is on an ordinary day, with the weight 1. An unknown one is
// average.
func UsualCarrier(name string) CarrierMix {
	c := carrierNamed(name)
	return CarrierMix{Name: name, Weight: 1, Failures: 1 - c.delivered, Delay: c.median}
}

// carrierNamed returns a copy of a carrier.
func carrierNamed(name string) *carrier {
	for _, r := range regions {
		for _, known := range r.carriers {
			if known.name == name {
				c := *known
				return &c
			}
		}
	}
	return &carrier{name: name, delivered: 0.95, median: 3 * time.Second, price: 100, currency: "USD"}
}

// mixture is a Mix with all that is drawn from it.
type mixture struct {
	regions  []*region
	carriers []CarrierMix
	like     []*carrier // the carriers, without their slowness
	weights  []float64  // theirs
	timed    bool
}

// SetMix sets which messages begin from now on. Regions that are not known are left out.
func (t *Traffic) SetMix(m Mix) {
	t.mix = mixture{regions: regions, carriers: m.Carriers, timed: m.Timed}
	if len(m.Regions) > 0 {
		t.mix.regions = slices.DeleteFunc(slices.Clone(regions), func(r *region) bool { return !slices.Contains(m.Regions, r.code) })
	}
	for _, c := range m.Carriers {
		like := carrierNamed(c.Name)
		like.delivered, like.median = 1-c.Failures, min(c.Delay, MaxDelay)
		t.mix.like = append(t.mix.like, like)
		t.mix.weights = append(t.mix.weights, c.Weight)
	}
}

// carrier draws the carrier of a message to a region, and how much longer than usual it takes.
func (m *mixture) carrier(rng *rand.Rand, to *region) (by *carrier, held time.Duration) {
	if len(m.carriers) == 0 {
		return pick(rng, to.carriers), 0
	}
	i := weighted(rng, m.weights)
	if c := m.carriers[i]; c.SlowDelay > 0 && chance(rng, c.Slow) {
		held = c.SlowDelay + time.Duration(rng.Int64N(int64(c.SlowDelay)/2+1)).Truncate(time.Millisecond)
	}
	return m.like[i], held
}

// weighted draws an index by weights, which are not negative.
func weighted(rng *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	at := rng.Float64() * sum
	last := 0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		if at < w {
			return i
		}
		at -= w
		last = i
	}
	return last // what rounding has left over
}
