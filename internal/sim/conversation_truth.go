package sim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// talk is the truth about one conversation. All events about it are made from it.
type talk struct {
	id           string
	channel      *channel
	version      int64
	updatedAt    time.Time
	parent       string    // "" for none
	isBranch     bool      // it was split from the parent
	linkedAt     time.Time // updatedAt of the newest event that named the parent: decides on rings
	messages     map[string]Message
	participants map[string]Participant
	posted       int64 // the highest version that was posted
}

// conversation returns the truth as CXone reports it.
func (t *talk) conversation() Conversation {
	return Conversation{
		ThreadID: t.id, ParentThreadID: t.parentID(), Version: t.version, UpdatedAt: t.updatedAt,
		Messages: sortedMessages(t.messages), Participants: sortedParticipants(t.participants),
	}
}

// parentID returns the parent; nil for none.
func (t *talk) parentID() *string {
	if t.parent == "" {
		return nil
	}
	parent := t.parent
	return &parent
}

// sortedMessages returns messages by id.
func sortedMessages(m map[string]Message) []Message {
	return slices.SortedFunc(maps.Values(m), func(a, b Message) int { return strings.Compare(a.ID, b.ID) })
}

// sortedParticipants returns participants by id.
func sortedParticipants(m map[string]Participant) []Participant {
	return slices.SortedFunc(maps.Values(m), func(a, b Participant) int { return strings.Compare(a.ID, b.ID) })
}

// ring returns the conversations of the ring of links that one is on: none when it is on none.
func (c *Conversations) ring(start *talk) []*talk {
	ring := []*talk{start}
	for at := c.talks[start.parent]; at != nil && len(ring) <= len(c.talks); at = c.talks[at.parent] {
		if at == start {
			return ring
		}
		ring = append(ring, at)
	}
	return nil
}

// isCut reports whether the link of a conversation is not followed because it is the newest of a ring.
func (c *Conversations) isCut(t *talk) bool {
	ring := c.ring(t)
	for _, other := range ring {
		if cmp.Or(other.linkedAt.Compare(t.linkedAt), strings.Compare(other.id, t.id)) > 0 {
			return false
		}
	}
	return ring != nil
}

// Thread returns a conversation as CXone reports it at the moment; false when there is none with this
// id. It names the parent even if the link is one of a ring.
func (c *Conversations) Thread(id string) (Conversation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.talks[id]
	if t == nil {
		return Conversation{}, false
	}
	return t.conversation(), true
}

// Expected returns every conversation as it must be in a CRM that has all of it, by id. It has the
// messages that are its own, by id: those that were split off are in the other one. The newest link
// of each ring is left out.
func (c *Conversations) Expected() []Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Conversation, 0, len(c.talks))
	for _, id := range slices.Sorted(maps.Keys(c.talks)) {
		t := c.talks[id]
		conversation := t.conversation()
		if c.isCut(t) {
			conversation.ParentThreadID = nil
		}
		list = append(list, conversation)
	}
	return list
}

// Lost returns the ids of the conversations that an event was lost of, sorted. They are right again once
// they are reconciled.
func (c *Conversations) Lost() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.lost))
}
