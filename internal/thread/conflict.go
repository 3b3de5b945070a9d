package thread

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Remote is the CRM's copy of a thread, as the CRM reports it. It holds the work of all its writers.
// One without Messages reports its version and no more: Resolve uses nothing else of it.
type Remote struct {
	Version int64
	ETag    string // "" when the CRM gives none

	UpdatedAt time.Time // of the thread; zero when the CRM does not report it

	Parent      string // "" for none
	NamesParent bool   // false: the CRM does not report it

	// By id. Nil when the CRM does not report them.
	Messages, Participants map[string]Fields
}

// isVersionOnly reports whether the copy says nothing about what is in the thread.
func (r *Remote) isVersionOnly() bool { return r.Messages == nil }

// Fields are the fields of an item that the CRM reports, by their names in the item's content, where
// they are strings or null, which is "". The id alone says that the item is there, and nothing about
// its value.
type Fields map[string]string

// Resolution is a delta after it was compared with the CRM's copy.
type Resolution struct {
	Delta   *Delta  // the rest: what is still to be pushed
	Settled []*Item // items that need no push: Acked and Theirs say why
	Copy    Copy    // what the CRM has
	Kept    int     // changes of other writers that stay as they are, where ours differ
	Brought bool    // the CRM has a value of ours of an item of which it had acknowledged none

	outdated bool // the CRM's updatedAt is older, or the CRM does not report what it has of the delta
}

// Done reports whether nothing is left to be pushed.
func (r *Resolution) Done() bool {
	return len(r.Delta.Items) == 0 && r.Delta.Parent == r.Copy.Parent && r.Copy.Version >= r.Delta.Version && !r.outdated
}

// Resolve compares a delta with the CRM's copy: it removes from the delta what the CRM has already,
// and what another writer has changed there, because another writer's work is never overwritten. A
// value in the CRM is our own if the item has ever had it. Resolve changes the items that it settles,
// and notes on the others what the CRM has of them.
//
// Uncertain says that pushes whose answer never came may have been applied.
//
// A CRM that reports its version only cannot say what it has of the delta. The delta is then pushed
// whole, with our parent: a link that is reported without the messages is not treated as another
// writer's.
func Resolve(t *Thread, d *Delta, remote *Remote, uncertain bool) *Resolution {
	r := &Resolution{Copy: t.CRM}
	rest := *d
	rest.Items = nil
	r.Delta = &rest
	r.Copy.Exists, r.Copy.Lost, r.Copy.Version, r.Copy.ETag = true, false, remote.Version, remote.ETag
	if remote.isVersionOnly() {
		rest.Items, r.outdated = slices.Clone(d.Items), true
		for _, item := range rest.Items {
			item.resolveUnseen(uncertain)
		}
		return r
	}
	isOurs := isCoarse(remote.UpdatedAt, d.UpdatedAt) && !remote.UpdatedAt.Equal(t.CRM.UpdatedAt)
	r.outdated = !remote.UpdatedAt.IsZero() && remote.UpdatedAt.Before(d.UpdatedAt) && !isOurs
	r.resolveParent(t, remote, uncertain)
	for _, item := range d.Items {
		known := remote.Messages
		if item.Kind == KindParticipant {
			known = remote.Participants
		}
		if known == nil {
			item.resolveUnseen(uncertain)
			rest.Items = append(rest.Items, item)
			continue
		}
		fields, isThere := known[item.ID]
		if r.settles(item, fields, isThere, uncertain) {
			r.Settled = append(r.Settled, item)
		} else {
			rest.Items = append(rest.Items, item)
		}
	}
	return r
}

func (r *Resolution) resolveParent(t *Thread, remote *Remote, uncertain bool) {
	if !remote.NamesParent {
		return
	}
	ours := t.CRM.Exists && remote.Parent == t.CRM.Parent
	if uncertain || !t.CRM.Exists {
		ours = ours || remote.Parent == "" || slices.Contains(t.Links.Past, remote.Parent)
	}
	r.Copy.Parent = remote.Parent
	if remote.Parent == r.Delta.Parent {
		return
	}
	if !ours || t.CRM.ParentTheirs {
		r.Copy.ParentTheirs, r.Delta.Parent = true, remote.Parent
		r.Kept++
	}
}

// settles notes what the CRM has of an item, and reports whether that leaves nothing to push.
func (r *Resolution) settles(item *Item, fields Fields, isThere, uncertain bool) bool {
	view := item.View()
	if !isThere {
		if item.Acked.IsZero() {
			return view.IsZero()
		}
		if uncertain && item.Removed {
			item.Acked = Hash{} // we may have removed it, and it came back
			return view.IsZero()
		}
		// Another writer has removed it.
		item.Acked, item.Theirs = Hash{}, true
		if !view.IsZero() {
			r.Kept++
		}
		return true
	}
	theirs := item.valueIn(fields)
	switch {
	case theirs.IsZero():
		return item.resolveUnknown(uncertain)
	case theirs == view, theirs == item.Acked, item.Past.Has(theirs):
		r.Brought = r.Brought || item.Acked.IsZero()
		item.Acked = theirs
		return theirs == view
	}
	item.Acked, item.Theirs = theirs, true
	r.Kept++
	return true
}

// unknownValue stands for the value of an item of which the CRM reports the id alone.
var unknownValue = HashOf(nil)

// resolveUnknown is settles for an item of which the CRM reports the id alone.
func (i *Item) resolveUnknown(uncertain bool) bool {
	view := i.View()
	switch {
	case view.IsZero():
		return false
	case !i.Acked.IsZero():
		if uncertain {
			i.Acked = unknownValue // another value may have been pushed
		}
		return false
	case uncertain && !i.Past.isOnly(view):
		i.Acked = unknownValue // an earlier value may have been pushed
		return false
	}
	i.Acked = view
	return true
}

// resolveUnseen is settles for an item of which the CRM reports nothing. If a push whose answer never came may
// have removed it, and it came back, it is added again: to update it, it must be there. Whatever else such a push
// may have left is replaced; until that is acknowledged the item stays dirty.
func (i *Item) resolveUnseen(uncertain bool) {
	switch {
	case !uncertain || i.Acked.IsZero() || i.View().IsZero():
	case i.Removed:
		i.Acked = Hash{}
	default:
		i.Acked = unknownValue
	}
}

// valueIn returns the hash of the value that the CRM has of an item: zero when it reports the id
// alone. A field that the CRM does not report is assumed to equal ours.
func (i *Item) valueIn(fields Fields) Hash {
	ours := make(Fields)
	if len(i.Content) > 0 {
		if err := json.Unmarshal(i.Content, &ours); err != nil {
			return Hash{}
		}
	}
	tells := false
	field := func(name string) string {
		theirs, told := fields[name]
		if !told || name == "id" {
			return ours[name]
		}
		tells = true
		return theirs
	}
	var content []byte
	if i.Kind == KindMessage {
		m := Message{i.ID, field("text"), CanonicalTime(field("timestamp")), field("authorId"), field("direction")}
		content = m.Content()
		if !i.Past.Has(HashOf(content)) && isStored(m.Timestamp, ours["timestamp"]) {
			m.Timestamp = ours["timestamp"]
			content = m.Content()
		}
	} else {
		p := Participant{i.ID, field("role"), field("name"), field("platformId")}
		content = p.Content()
	}
	if !tells {
		return Hash{}
	}
	return HashOf(content)
}

// isStored reports whether a time that the CRM tells is ours as the CRM stores it.
func isStored(theirs, ours string) bool {
	told, canRead := ParseTime(theirs)
	t, isTime := ParseTime(ours)
	return canRead && isTime && isCoarse(told, t)
}

// isCoarse reports whether a time is another one to the millisecond or the second, as many databases
// keep it: some cut the rest off, some round.
func isCoarse(theirs, ours time.Time) bool {
	for _, unit := range []time.Duration{time.Millisecond, time.Second} {
		if theirs.Equal(ours.Truncate(unit)) || theirs.Equal(ours.Round(unit)) {
			return true
		}
	}
	return false
}
