package sim

import "slices"

// Stories says what happens to conversations, by weights, which are not negative. The zero Stories is
// a usual day.
type Stories struct {
	Conversation float64 // people write, join and change their names
	Merge        float64
	Split        float64
	Storm        float64 // changes that are part of a storm
}

// SetStories sets what happens from now on.
func (c *Conversations) SetStories(s Stories) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stories = s
}

// talking is what happens in a conversation by itself.
var talking = []likely{
	{0.60, (*Conversations).grow}, {0.10, (*Conversations).edit}, {0.06, (*Conversations).join},
	{0.05, (*Conversations).rename}, {0.04, (*Conversations).touch}, {0.15, (*Conversations).begin},
}

// The changes of a storm that comes by itself: this many, and fewer than that more.
const (
	leastStorm = 20
	moreStorm  = 100
)

// brews draws whether a storm begins.
func (c *Conversations) brews() bool {
	s := c.stories
	if s == (Stories{}) {
		return chance(c.rng, 0.01)
	}
	// A storm is many changes. For a share of all to be part of storms, few enough must begin one.
	const changes = leastStorm + moreStorm/2
	share := s.Storm / (s.Conversation + s.Merge + s.Split + s.Storm)
	return chance(c.rng, share/(changes*(1-share)+share))
}

// likelihoods returns what may happen outside a storm.
func (c *Conversations) likelihoods() []likely {
	s := c.stories
	sum := s.Conversation + s.Merge + s.Split
	if sum == 0 { // there are storms alone, or nothing is set
		return usual
	}
	list := []likely{{s.Merge / sum, (*Conversations).merge}, {s.Split / sum, (*Conversations).split}}
	for _, l := range talking {
		list = append(list, likely{l.share * s.Conversation / sum, l.change})
	}
	// When a change cannot happen, the next one in the list does: it must have a weight.
	return slices.DeleteFunc(list, func(l likely) bool { return l.share == 0 })
}
