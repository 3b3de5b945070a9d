package thread

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// Copy is what the CRM has of a thread, apart from its items: what it acknowledged last.
type Copy struct {
	Exists    bool      // it has acknowledged the thread
	Lost      bool      // it does not have it any more, and is to create it anew
	Version   int64     // the CRM's own count
	ETag      string    // of that version, as the CRM gave it; "" when it gives none
	Head      int64     // CXone's version that was last pushed to it
	UpdatedAt time.Time // of that version
	Parent    string    // "" for none

	// ParentTheirs says that another writer has linked the thread elsewhere in the CRM: Parent is
	// theirs, and stays.
	ParentTheirs bool

	// Shared says that the CRM has versions whose content we do not know. Its value of an item may then
	// differ from the one it acknowledged, and must be read before it is replaced.
	Shared bool
}

// NextVersion returns the version after the CRM's own. A CRM may have the highest number there is: then it is
// that one.
func (c *Copy) NextVersion() int64 {
	if c.Version == math.MaxInt64 {
		return c.Version
	}
	return c.Version + 1
}

// Delta is what the CRM has not acknowledged of a thread.
type Delta struct {
	ThreadID  string
	Version   int64 // CXone's
	UpdatedAt time.Time
	Parent    string // "" for none
	Items     []*Item
}

// NewDelta returns what the CRM lacks. The followed parent is that of FollowedParent; the items are
// the dirty ones, or some of them.
func NewDelta(t *Thread, followedParent string, items []*Item) *Delta {
	d := &Delta{ThreadID: t.ID, Version: t.Version, UpdatedAt: t.UpdatedAt, Parent: followedParent, Items: items}
	if t.CRM.ParentTheirs {
		d.Parent = t.CRM.Parent
	}
	return d
}

// IsEmpty reports whether there is nothing to push to a CRM that has the copy.
func (d *Delta) IsEmpty(c *Copy) bool {
	return len(d.Items) == 0 && c.Exists && d.Version == c.Head && d.UpdatedAt.Equal(c.UpdatedAt) && d.Parent == c.Parent
}

// Overwrites reports whether the delta replaces something that the CRM has, rather than only adding
// to it. Only such a delta can destroy what another writer did meanwhile.
func (d *Delta) Overwrites(c *Copy) bool {
	for _, item := range d.Items {
		if !item.Acked.IsZero() {
			return true
		}
	}
	return c.Exists && d.Parent != c.Parent
}

// PushVersion returns the version under which a delta is pushed: CXone's own, or the one after the
// version that the CRM last acknowledged, if that is higher.
func (d *Delta) PushVersion(c *Copy) int64 {
	if c.Exists {
		return max(d.Version, c.NextVersion())
	}
	return max(d.Version, c.Version)
}

// change returns the name of the list in which the delta has an item.
func change(i *Item) string {
	switch view := i.View(); {
	case view.IsZero():
		return "removedMessages"
	case i.Acked.IsZero() && i.Kind == KindMessage:
		return "addedMessages"
	case i.Acked.IsZero():
		return "addedParticipants"
	case i.Kind == KindMessage:
		return "updatedMessages"
	}
	return "updatedParticipants"
}

// Lists returns the items by the name of the list in which the delta has them, in their order
// there: addedMessages, updatedMessages, removedMessages, addedParticipants, updatedParticipants.
func (d *Delta) Lists() map[string][]*Item {
	lists := make(map[string][]*Item)
	for _, item := range d.Items {
		name := change(item)
		lists[name] = append(lists[name], item)
	}
	return lists
}

// JSON writes the delta as the CRM gets it, under a version. The same delta and version always give
// the same bytes. The lists of additions are always there, the others only when they are not empty.
func (d *Delta) JSON(version int64) []byte {
	lists := d.Lists()
	b := appendText([]byte(`{"threadId":`), d.ThreadID)
	b = strconv.AppendInt(append(b, `,"version":`...), version, 10)
	b = appendText(append(b, `,"updatedAt":`...), FormatTime(d.UpdatedAt))
	b = append(b, `,"parentThreadId":`...)
	if d.Parent == "" {
		b = append(b, `null`...)
	} else {
		b = appendText(b, d.Parent)
	}
	b = appendList(b, "addedMessages", lists, true)
	b = appendList(b, "addedParticipants", lists, true)
	b = appendList(b, "updatedMessages", lists, false)
	b = appendList(b, "removedMessages", lists, false)
	b = appendList(b, "updatedParticipants", lists, false)
	return append(b, '}')
}

func appendList(b []byte, name string, lists map[string][]*Item, always bool) []byte {
	items := lists[name]
	if len(items) == 0 && !always {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":[`...)
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		if item.View().IsZero() {
			b = appendText(b, item.ID)
		} else {
			b = append(b, item.Content...)
		}
	}
	return append(b, ']')
}

// Encode writes the copy as text, for a store.
func (c *Copy) Encode() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // texts, numbers and times alone
	}
	return string(b)
}

// ParseCopy reads what Encode wrote.
func ParseCopy(text string) (c Copy, err error) {
	err = json.Unmarshal([]byte(text), &c)
	return c, err
}
