package sim

import (
	"slices"
	"time"
)

// flaw is something that a CRM does not take, and how it reads when it is right.
type flaw struct {
	talk        *talk
	message     Message
	participant Participant // with an id: it is the participant that is flawed
}

func (f *flaw) id() string {
	if f.participant.ID != "" {
		return f.participant.ID
	}
	return f.message.ID
}

// maxFlaws limits how many flaws wait for their correction.
const maxFlaws = 20

func (c *Conversations) isFlawed(t *talk, id string) bool {
	return slices.ContainsFunc(c.flaws, func(f flaw) bool { return f.talk == t && f.id() == id })
}

// spoil adds something flawed to a conversation.
func (c *Conversations) spoil(t *talk) {
	if chance(c.rng, 0.25) && len(t.participants) < maxParticipants {
		right := c.person(t, roleAgent)
		c.flaws = append(c.flaws, flaw{talk: t, participant: right})
		right.Role = pick(c.rng, []string{"SUPERVISOR", "agent?", ""})
		c.tell(t, threadUpdated, news{participants: []Participant{right}, flawed: true})
		return
	}
	if len(t.messages) >= c.social.Messages {
		return
	}
	right := c.write(t, sortedParticipants(t.participants))
	c.flaws = append(c.flaws, flaw{talk: t, message: right})
	wrong := right
	switch c.rng.IntN(4) {
	case 0:
		wrong.Text = longText(c.rng, maxText+1+c.rng.IntN(2000))
	case 1:
		wrong.Text = ""
	case 2:
		wrong.AuthorID = ""
	case 3:
		wrong.Timestamp = pick(c.rng, []string{"yesterday, half past ten", "2026-02-30T10:00:00Z", ""})
	}
	c.tell(t, threadUpdated, news{messages: []Message{wrong}, flawed: true})
}

// correct corrects the oldest flaw.
func (c *Conversations) correct() {
	f := c.flaws[0]
	c.flaws = slices.Delete(c.flaws, 0, 1)
	c.clock = c.clock.Add(time.Millisecond)
	if f.participant.ID != "" {
		c.tell(f.talk, threadUpdated, news{participants: []Participant{f.participant}})
		return
	}
	c.tell(f.talk, threadUpdated, news{messages: []Message{f.message}})
}
