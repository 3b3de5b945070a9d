package sim

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// change is something that can happen to a conversation. It reports whether it did.
type change func(*Conversations, *talk) bool

// likely is a change and how often it happens, as a share of all.
type likely struct {
	share  float64
	change change
}

// What happens on a usual day, and in a storm.
var (
	usual = []likely{
		{0.50, (*Conversations).grow}, {0.10, (*Conversations).edit}, {0.06, (*Conversations).join},
		{0.05, (*Conversations).rename}, {0.05, (*Conversations).merge}, {0.06, (*Conversations).split},
		{0.03, (*Conversations).unlink}, {0.02, (*Conversations).relist}, {0.03, (*Conversations).touch}, {0.10, (*Conversations).begin},
	}
	stormy = []likely{
		{0.30, (*Conversations).grow}, {0.12, (*Conversations).edit}, {0.05, (*Conversations).join},
		{0.03, (*Conversations).rename}, {0.16, (*Conversations).merge}, {0.20, (*Conversations).split},
		{0.07, (*Conversations).unlink}, {0.04, (*Conversations).relist}, {0.03, (*Conversations).touch},
	}
)

// storm is a burst of changes on a few conversations.
type storm struct {
	left int // changes
	hot  []*talk
}

// maxHot limits how many conversations a storm is about. Those that are split off from them join it.
const maxHot = 8

// Storm begins a storm of that many changes. Small ones come by themselves.
func (c *Conversations) Storm(changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beginStorm(changes)
}

// Storming reports whether a storm goes on.
func (c *Conversations) Storming() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.storm.left > 0
}

func (c *Conversations) beginStorm(changes int) { c.storm = storm{left: changes} }

// stormed returns the conversations that the storm is about.
func (c *Conversations) stormed() []*talk {
	for len(c.storm.hot) < min(3, len(c.order)) {
		if t := pick(c.rng, c.order); !slices.Contains(c.storm.hot, t) {
			c.storm.hot = append(c.storm.hot, t)
		}
	}
	return c.storm.hot
}

// happen makes one change.
func (c *Conversations) happen() {
	if len(c.order) < min(3, c.social.Threads) {
		c.begin(nil)
		return
	}
	if c.storm.left == 0 && c.brews() {
		c.beginStorm(leastStorm + c.rng.IntN(moreStorm))
	}
	if len(c.flaws) > 0 && chance(c.rng, 0.05) {
		c.correct()
		return
	}
	if c.social.Flaws && len(c.flaws) < maxFlaws && chance(c.rng, 0.03) {
		c.spoil(pick(c.rng, c.order))
		return
	}
	who, what := c.order, c.likelihoods()
	if c.storm.left > 0 {
		c.storm.left--
		who, what = c.stormed(), stormy
	}
	t := pick(c.rng, who)
	p := c.rng.Float64()
	for _, l := range what {
		if p -= l.share; p < 0 && l.change(c, t) {
			return
		}
	}
	c.touch(t)
}

// begin begins a conversation. Some are older than the subscription: their first event has all of it.
func (c *Conversations) begin(*talk) bool {
	if len(c.order) >= c.social.Threads {
		return false
	}
	t := c.newTalk(pick(c.rng, channels))
	customer := c.person(t, roleCustomer)
	n := news{participants: []Participant{customer}, whole: true}
	messages := 1 + c.rng.IntN(3)
	if chance(c.rng, 0.15) {
		t.version = int64(1 + c.rng.IntN(60))
		messages += c.rng.IntN(12)
		n.participants = append(n.participants, c.person(t, roleAgent))
	}
	for range messages {
		n.messages = append(n.messages, c.write(t, n.participants))
	}
	c.tell(t, threadUpdated, n)
	return true
}

func (c *Conversations) newTalk(on *channel) *talk {
	t := &talk{channel: on, messages: make(map[string]Message), participants: make(map[string]Participant)}
	for t.id == "" || c.talks[t.id] != nil {
		t.id = c.threadID(on)
	}
	c.talks[t.id] = t
	c.order = append(c.order, t)
	return t
}

// grow adds messages, and now and then somebody who writes one of them.
func (c *Conversations) grow(t *talk) bool {
	var n news
	authors := sortedParticipants(t.participants)
	if !t.has(roleAgent) && chance(c.rng, 0.5) {
		n.participants = []Participant{c.person(t, roleAgent)}
		authors = append(authors, n.participants...)
	}
	for range 1 + c.rng.IntN(3) {
		if len(t.messages)+len(n.messages) < c.social.Messages {
			n.messages = append(n.messages, c.write(t, authors))
		}
	}
	if len(n.messages) == 0 {
		return false
	}
	c.tell(t, threadUpdated, n)
	return true
}

// edit changes the text of a message.
func (c *Conversations) edit(t *talk) bool {
	sound := c.sound(t)
	if len(sound) == 0 {
		return false
	}
	m := pick(c.rng, sound)
	m.Text = text(c.rng, t.participants[m.AuthorID].Role) + pick(c.rng, []string{" (edited)", "", " ✏️", "…"})
	if m.Text == t.messages[m.ID].Text || utf8.RuneCountInString(m.Text) > maxText {
		return false
	}
	c.tell(t, threadUpdated, news{messages: []Message{m}})
	return true
}

// maxParticipants limits how many people are in one conversation.
const maxParticipants = 12

func (c *Conversations) join(t *talk) bool {
	if len(t.participants) >= maxParticipants {
		return false
	}
	role := pick(c.rng, []string{roleCustomer, roleAgent, roleAgent, roleSystem})
	c.tell(t, threadUpdated, news{participants: []Participant{c.person(t, role)}})
	return true
}

func (c *Conversations) rename(t *talk) bool {
	p := pick(c.rng, sortedParticipants(t.participants))
	names := customerNames
	if p.Role == roleAgent {
		names = agentNames
	}
	before := p.Name
	p.Name = pick(c.rng, names)
	if p.Name == before || c.isFlawed(t, p.ID) {
		return false
	}
	c.tell(t, threadUpdated, news{participants: []Participant{p}})
	return true
}

// touch raises the version alone.
func (c *Conversations) touch(t *talk) bool {
	c.tell(t, threadUpdated, news{})
	return true
}

// sound returns the messages of a conversation that are not flawed, in a fixed order.
func (c *Conversations) sound(t *talk) []Message {
	return slices.DeleteFunc(sortedMessages(t.messages), func(m Message) bool { return c.isFlawed(t, m.ID) })
}

// has reports whether there is a participant with a role.
func (t *talk) has(role string) bool {
	for p := range maps.Values(t.participants) {
		if p.Role == role {
			return true
		}
	}
	return false
}

// write makes up a message of one of the authors.
func (c *Conversations) write(t *talk, authors []Participant) Message {
	author := pick(c.rng, authors)
	m := Message{ID: t.channel.message(c.rng), Text: text(c.rng, author.Role), AuthorID: author.ID, Direction: "OUTBOUND"}
	if author.Role == roleCustomer {
		m.Direction = "INBOUND"
	}
	at := c.clock.Add(-c.between(0, 90*time.Second)).Truncate(time.Millisecond)
	if chance(c.rng, 0.3) {
		at = at.Truncate(10 * time.Second) // some are written at one time
	}
	m.Timestamp = at.Format(time.RFC3339Nano)
	return m
}

// person makes up somebody with a role.
func (c *Conversations) person(t *talk, role string) Participant {
	p := Participant{ID: UUID(c.rng), Role: role}
	switch role {
	case roleCustomer:
		p.Name, p.PlatformID = pick(c.rng, customerNames), t.channel.handle(c.rng)
	case roleAgent:
		p.Name = pick(c.rng, agentNames)
	case roleSystem:
		p.Name = unknownName
	}
	return p
}
