package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Foreign is what the CRM's own writers have changed in a conversation.
type Foreign struct {
	Messages     map[string]*Message     // by id, as they left them; nil is deleted
	Participants map[string]*Participant // by id, as they left them
	Parent       *string                 // nil: left alone; "" is none
}

func newForeign() Foreign {
	return Foreign{Messages: make(map[string]*Message), Participants: make(map[string]*Participant)}
}

// Foreign returns what other writers have done, by thread id. Threads that they left alone are
// missing.
func (c *CRM) Foreign() map[string]Foreign {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]Foreign)
	for id, t := range c.threads {
		f := t.foreign
		if len(f.Messages) > 0 || len(f.Participants) > 0 || f.Parent != nil {
			all[id] = f.clone()
		}
	}
	return all
}

func (f Foreign) clone() Foreign {
	return Foreign{maps.Clone(f.Messages), maps.Clone(f.Participants), f.Parent}
}

// AddMessage adds a message as another writer, or replaces one. It returns false when there is no
// such thread, as the other methods do. What other writers write must differ from all that CXone ever
// has, so that it is not mistaken for the callers' work.
func (c *CRM) AddMessage(threadID string, m Message) bool {
	return c.asOther(threadID, func(t *crmThread) bool {
		t.messages[m.ID], t.foreign.Messages[m.ID] = m, &m
		return true
	})
}

// EditMessage changes the text of a message as another writer.
func (c *CRM) EditMessage(threadID, messageID, text string) bool {
	return c.asOther(threadID, func(t *crmThread) bool {
		m, isThere := t.messages[messageID]
		m.Text = text
		if isThere {
			t.messages[messageID], t.foreign.Messages[messageID] = m, &m
		}
		return isThere
	})
}

// DeleteMessage deletes a message as another writer.
func (c *CRM) DeleteMessage(threadID, messageID string) bool {
	return c.asOther(threadID, func(t *crmThread) bool {
		_, isThere := t.messages[messageID]
		if isThere {
			delete(t.messages, messageID)
			t.foreign.Messages[messageID] = nil
		}
		return isThere
	})
}

// ChangeParticipant changes or adds a participant as another writer.
func (c *CRM) ChangeParticipant(threadID string, p Participant) bool {
	return c.asOther(threadID, func(t *crmThread) bool {
		t.participants[p.ID], t.foreign.Participants[p.ID] = p, &p
		return true
	})
}

// Reparent links a thread to another, or to none by "", as another writer.
func (c *CRM) Reparent(threadID, parentID string) bool {
	return c.asOther(threadID, func(t *crmThread) bool {
		t.parent, t.foreign.Parent = parentID, &parentID
		return true
	})
}

// DeleteThread deletes a thread with all that is known of it, its idempotency keys included.
func (c *CRM) DeleteThread(threadID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, isThere := c.threads[threadID]
	delete(c.threads, threadID)
	maps.DeleteFunc(c.kept, func(_ string, k keptAnswer) bool { return k.threadID == threadID })
	return isThere
}

// asOther does the work of another writer: it raises the version.
func (c *CRM) asOther(threadID string, work func(*crmThread) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.threads[threadID]
	if t == nil || !work(t) {
		return false
	}
	t.version++
	c.touch(t)
	return true
}

// Meddle changes a thread that it picks as another writer does, and says what it did. It returns "" when
// there is nothing to change.
//
// It deletes nothing: a caller whose answer was lost cannot know whether a message that is missing
// never came, or came and was deleted.
func (c *CRM) Meddle(rng *rand.Rand) string {
	c.mu.Lock()
	ids := slices.Sorted(maps.Keys(c.threads))
	c.mu.Unlock()
	if len(ids) == 0 {
		return ""
	}
	threadID, mark := pick(rng, ids), fmt.Sprintf("%08x", rng.Uint32())
	conv, isThere := c.Conversation(threadID)
	if !isThere {
		return ""
	}
	switch n := rng.IntN(10); {
	case n < 4:
		at := "2026-01-01T00:00:00Z"
		if len(conv.Messages) > 0 {
			at = pick(rng, conv.Messages).Timestamp
		}
		note := Message{"note-" + mark, "A note of the CRM, " + mark, at, "crm-user", "OUTBOUND"}
		return done(c.AddMessage(threadID, note), "added a message to "+threadID)
	case n < 7 && len(conv.Messages) > 0:
		m := pick(rng, conv.Messages)
		return done(c.EditMessage(threadID, m.ID, "Edited in the CRM, "+mark), "edited a message of "+threadID)
	case n == 7:
		return done(c.Reparent(threadID, "folder-"+mark), "linked "+threadID+" elsewhere")
	}
	p := Participant{ID: "crm-" + mark, Role: "AGENT"}
	if len(conv.Participants) > 0 {
		p = pick(rng, conv.Participants)
	}
	p.Name = "Known as " + mark
	return done(c.ChangeParticipant(threadID, p), "renamed somebody in "+threadID)
}

func done(did bool, what string) string {
	if !did {
		return ""
	}
	return what
}
