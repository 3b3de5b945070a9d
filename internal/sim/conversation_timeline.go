package sim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Timeline returns the ids of the messages that a conversation shows once all events are posted: its
// own and those of the conversations that were merged into it, each once, by time and then by id.
func (c *Conversations) Timeline(id string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.talks[id]
	if t == nil {
		return nil
	}
	shown := make(map[string]Message)
	for _, member := range c.family(t) {
		for id, m := range member.messages {
			if _, isThere := shown[id]; !isThere {
				shown[id] = m
			}
		}
	}
	messages := slices.SortedFunc(maps.Values(shown), func(a, b Message) int {
		if byTime := a.at().Compare(b.at()); byTime != 0 {
			return byTime
		}
		return strings.Compare(a.ID, b.ID)
	})
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return ids
}

// at returns the time of a message; zero where it cannot be read.
func (m Message) at() time.Time {
	at, err := time.Parse(time.RFC3339, m.Timestamp)
	if err != nil {
		return time.Time{}
	}
	return at
}

// family returns a conversation and those that were merged into it, the nearer ones first. What was
// split off does not belong to it, and a link that is cut is not followed.
func (c *Conversations) family(root *talk) []*talk {
	family := []*talk{root}
	for generation := family; len(generation) > 0; {
		var next []*talk
		for _, t := range c.order {
			parent := c.talks[t.parent]
			if !t.isBranch && parent != nil && slices.Contains(generation, parent) && !c.isCut(t) {
				next = append(next, t)
			}
		}
		slices.SortFunc(next, func(a, b *talk) int { return strings.Compare(a.id, b.id) })
		family = append(family, next...)
		generation = next
	}
	return family
}
