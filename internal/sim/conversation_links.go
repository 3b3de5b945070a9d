package sim

import "slices"

// merge links a conversation under another one. Rarely, that makes a ring.
func (c *Conversations) merge(t *talk) bool {
	among := c.order
	if c.storm.left > 0 && len(c.storm.hot) > 1 {
		among = c.storm.hot
	}
	parent := pick(c.rng, among)
	if parent == t || parent.id == t.parent && !t.isBranch {
		return false
	}
	if c.isAbove(t, parent) && !chance(c.rng, 0.3) {
		return false
	}
	t.parent, t.isBranch = parent.id, false
	c.tell(t, threadMerged, news{})
	if chance(c.rng, 0.5) {
		c.touch(parent)
	}
	return true
}

// isAbove reports whether t is found on the way up from a conversation.
func (c *Conversations) isAbove(t, from *talk) bool {
	for range len(c.talks) {
		if from == t {
			return true
		}
		if from = c.talks[from.parent]; from == nil {
			return false
		}
	}
	return false // a ring without t
}

// split moves messages into another conversation: a new one, or one that was split off before.
func (c *Conversations) split(t *talk) bool {
	sound := c.sound(t)
	if len(sound) < 2 {
		return false
	}
	child, isNew := c.branch(t)
	if child == nil {
		return false
	}
	var n news
	c.rng.Shuffle(len(sound), func(i, j int) { sound[i], sound[j] = sound[j], sound[i] })
	for _, m := range sound[:1+c.rng.IntN(min(len(sound)-1, 20))] {
		n.messages = append(n.messages, m)
		author, isHere := t.participants[m.AuthorID]
		_, isThere := child.participants[author.ID]
		if isHere && !isThere && !c.isFlawed(t, author.ID) && !slices.Contains(n.participants, author) {
			n.participants = append(n.participants, author)
		}
	}
	if isNew && len(n.participants) == 0 {
		n.participants = []Participant{c.person(child, roleCustomer)}
	}
	child.parent, child.isBranch = t.id, true
	c.tell(child, threadSplit, n)
	for _, m := range n.messages {
		delete(t.messages, m.ID)
	}
	c.touch(t) // the conversation that lost them has changed too
	return true
}

// branch returns where the messages of a split go: nil when there is no room for it.
func (c *Conversations) branch(t *talk) (child *talk, isNew bool) {
	i := slices.IndexFunc(c.order, func(other *talk) bool { return other.parent == t.id && other.isBranch })
	isFull := len(c.order) >= c.social.Threads
	if i >= 0 && (isFull || chance(c.rng, 0.25)) && len(c.order[i].messages)+20 <= c.social.Messages {
		return c.order[i], false
	}
	if isFull {
		return nil, false
	}
	child = c.newTalk(t.channel)
	if c.storm.left > 0 && len(c.storm.hot) < maxHot {
		c.storm.hot = append(c.storm.hot, child)
	}
	return child, true
}

// unlink takes a conversation out of its parent.
func (c *Conversations) unlink(t *talk) bool {
	if t.parent == "" {
		return false
	}
	t.parent, t.isBranch = "", false
	c.tell(t, pick(c.rng, []string{threadUpdated, threadSplit}), news{unlinked: true})
	return true
}

// relist lists a message again in the conversation that it was split from: from then on it is in
// both.
func (c *Conversations) relist(t *talk) bool {
	parent := c.talks[t.parent]
	if parent == nil || !t.isBranch || len(parent.messages) >= c.social.Messages {
		return false
	}
	sound := c.sound(t)
	if len(sound) == 0 {
		return false
	}
	m := pick(c.rng, sound)
	if _, isThere := parent.messages[m.ID]; isThere {
		return false
	}
	c.tell(parent, threadUpdated, news{messages: []Message{m}})
	return true
}
