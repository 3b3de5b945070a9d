package console

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize/english"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// stretch is a piece of a conversation that comes from one thread.
type stretch struct {
	ThreadID string
	Lane     int // 0 for the thread of the page; those that were merged into it have others
	Turns    []turn
}

// Path leads to the page of the thread.
func (s *stretch) Path() string { return pathOf(threadsPath, s.ThreadID) }

// turn is a message or a mark: the other one is nil.
type turn struct {
	Said *said
	Mark *mark
}

// said is a message.
type said struct {
	ID       string
	ThreadID string // the thread that it belongs to
	Text     string
	IsCut    bool // the text is longer than is shown
	At       time.Time
	Time     string // as it came, if it could not be read
	Author   person
	Side     string // customer, agent or system
	Delivery thread.Delivery
}

// mark shows a merge or a split.
type mark struct {
	Kind     markKind
	ThreadID string // the other thread
	Into     string // of a merge: the thread that it was merged into; "" for the one of the page
	Messages int    // of a split: how many were moved; 0 when that is not known
	When     time.Time
}

// What says how many messages a split moved.
func (m *mark) What() string {
	if m.Messages == 0 {
		return "Messages"
	}
	return english.Plural(m.Messages, "message", "")
}

// Path leads to the page of the other thread.
func (m *mark) Path() string { return pathOf(threadsPath, m.ThreadID) }

type markKind string

const (
	markMerged markKind = "merged" // another thread was merged into this one, or into one that had been
	markMoved  markKind = "moved"  // a split moved messages away
	markBegun  markKind = "begun"  // the thread begins as a split from another
)

// person is somebody in a conversation.
type person struct {
	ID         string `json:"id"`
	Role       string `json:"role"`
	Name       string `json:"name"`
	PlatformID string `json:"platformId"`
	Delivery   thread.Delivery
}

// Known returns the best name of the person that is known.
func (p *person) Known() string { return cmp.Or(p.Name, p.ID, "unknown author") }

func personOf(item *thread.Item, d thread.Delivery) (p person, err error) {
	err = json.Unmarshal(item.Content, &p)
	p.Delivery = d
	return p, err
}

// deliveryOf returns whether the CRM has an item; "" where there is no CRM that could have it.
func (c *Console) deliveryOf(item *thread.Item) thread.Delivery {
	d := item.Delivery()
	if d == thread.DeliveryPending && !c.HasCRM {
		return ""
	}
	return d
}

// sides gives the side of a conversation by role, and by direction.
var sides = map[string]string{
	"CUSTOMER": "customer", "AGENT": "agent", "SYSTEM": "system",
	"INBOUND": "customer", "OUTBOUND": "agent",
}

// textShown is how much of a text is shown, in bytes. That is more than the 5,000 characters that the CRM
// takes, even at 4 bytes each.
const textShown = 20_000

func (c *Console) saidIn(items []*thread.Item, people map[thread.ItemKey]person) ([]*said, error) {
	messages := make([]*said, len(items))
	for i, item := range items {
		var err error
		if messages[i], err = saidOf(item, c.deliveryOf(item), people); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

func saidOf(item *thread.Item, d thread.Delivery, people map[thread.ItemKey]person) (*said, error) {
	var m struct{ Text, Timestamp, AuthorID, Direction string }
	if err := json.Unmarshal(item.Content, &m); err != nil {
		return nil, err
	}
	author, isKnown := people[thread.ItemKey{ThreadID: item.ThreadID, Kind: thread.KindParticipant, ID: m.AuthorID}]
	if !isKnown {
		author = person{ID: m.AuthorID}
	}
	s := &said{
		ID: item.ID, ThreadID: item.ThreadID, At: item.At, Author: author, Delivery: d,
		Side: cmp.Or(sides[author.Role], sides[m.Direction], "customer"),
	}
	s.Text, s.IsCut = cutText(m.Text, textShown)
	if item.At.IsZero() {
		s.Time = m.Timestamp
	}
	return s, nil
}

// span is the part of a conversation that a page has: what follows one position, up to and including
// another. The zero position is the beginning or the end.
type span struct{ after, until store.ItemPosition }

// has reports whether something that happened at a time belongs to the page.
func (s span) has(at time.Time) bool {
	return (s.after == store.ItemPosition{} || at.After(s.after.At)) && (s.until == store.ItemPosition{} || !at.After(s.until.At))
}

// splitsCounted bounds the splits on a page whose moved messages are counted.
const splitsCounted = 20

// loadMarks returns the marks of the merges and splits on a page, by time. The audit of the thread that a
// split made says how many messages it moved.
func (c *Console) loadMarks(ctx context.Context, v *threadView, family []string, links map[string]thread.Link, s span) ([]mark, error) {
	marks := marksOf(v.ID, family, links, s)
	counted := 0
	for i := range marks {
		m := &marks[i]
		if m.Kind == markMerged || counted == splitsCounted {
			continue
		}
		counted++
		child, parent := m.ThreadID, v.ID
		if m.Kind == markBegun {
			child, parent = parent, child
		}
		entries, err := c.Store.AuditEntries(ctx, audit.ThreadSubject(child), 0, trailShown)
		if err != nil {
			return nil, err
		}
		m.Messages = movedBy(entries, child, parent)
	}
	return marks, nil
}

func marksOf(id string, family []string, links map[string]thread.Link, s span) []mark {
	inFamily := make(map[string]bool, len(family))
	for _, member := range family {
		inFamily[member] = true
	}
	var marks []mark
	add := func(m mark) {
		if s.has(m.When) {
			marks = append(marks, m)
		}
	}
	for child, link := range links {
		switch {
		case link.Kind == thread.LinkMerged && child != id && inFamily[child] && inFamily[link.Parent]:
			into := link.Parent
			if into == id {
				into = ""
			}
			add(mark{Kind: markMerged, ThreadID: child, Into: into, When: link.UpdatedAt})
		case link.Kind == thread.LinkSplit && link.Parent == id:
			add(mark{Kind: markMoved, ThreadID: child, When: link.UpdatedAt})
		case link.Kind == thread.LinkSplit && child == id:
			add(mark{Kind: markBegun, ThreadID: link.Parent, When: link.UpdatedAt})
		}
	}
	slices.SortFunc(marks, func(a, b mark) int {
		return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.ThreadID, b.ThreadID))
	})
	return marks
}

// conversationOf merges messages and marks, by time.
func conversationOf(id string, messages []*said, marks []mark) []stretch {
	c := conversation{own: id, lanes: make(map[string]int)}
	for _, m := range messages {
		for len(marks) > 0 && marks[0].When.Before(m.At) {
			c.mark(&marks[0])
			marks = marks[1:]
		}
		c.add(m.ThreadID, turn{Said: m})
	}
	for i := range marks {
		c.mark(&marks[i])
	}
	return c.stretches
}

// conversation is a conversation that is being built.
type conversation struct {
	own       string
	lanes     map[string]int
	stretches []stretch
}

// mark adds a mark, which belongs to the thread of the page.
func (c *conversation) mark(m *mark) { c.add(c.own, turn{Mark: m}) }

// lanesShown is how many lanes look different.
const lanesShown = 4

func (c *conversation) add(threadID string, t turn) {
	if n := len(c.stretches); n > 0 && c.stretches[n-1].ThreadID == threadID {
		c.stretches[n-1].Turns = append(c.stretches[n-1].Turns, t)
		return
	}
	c.stretches = append(c.stretches, stretch{ThreadID: threadID, Lane: c.lane(threadID), Turns: []turn{t}})
}

func (c *conversation) lane(threadID string) int {
	if threadID == c.own {
		return 0
	}
	if c.lanes[threadID] == 0 {
		c.lanes[threadID] = len(c.lanes)%lanesShown + 1
	}
	return c.lanes[threadID]
}

// cutText returns no more than most bytes of a text, cut between characters.
func cutText(text string, most int) (shown string, isCut bool) {
	if len(text) <= most {
		return text, false
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], true
}
