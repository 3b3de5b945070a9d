package thread

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Link is how one thread is linked to another.
type Link struct {
	Parent    string
	Kind      LinkKind
	UpdatedAt time.Time // of the event that made it; zero when that names none
}

// Equal reports whether two links are the same, times as moments.
func (l Link) Equal(other Link) bool {
	return l.Parent == other.Parent && l.Kind == other.Kind && l.UpdatedAt.Equal(other.UpdatedAt)
}

// Link returns the link of a thread. One without a parent has the zero Link.
func (t *Thread) Link() Link {
	parent, kind := t.Parent()
	if parent == "" {
		return Link{}
	}
	return Link{parent, kind, t.Links.Parent.Stamp.UpdatedAt}
}

// IsCut reports whether the link of a thread is not followed, because it is the newest one of a
// ring: by updatedAt, then by thread id. Links holds those of the thread and of all above it.
func IsCut(id string, links map[string]Link) bool {
	return newestOn(Ring(id, links), links) == id
}

// Ring returns the threads of the ring that a thread is on, beginning with itself: nil when it is
// on none.
func Ring(id string, links map[string]Link) []string {
	ring := []string{id}
	seen := map[string]bool{id: true}
	for at := links[id].Parent; at != ""; at = links[at].Parent {
		if at == id {
			return ring
		}
		if seen[at] {
			return nil // a ring further up
		}
		seen[at] = true
		ring = append(ring, at)
	}
	return nil
}

// newestOn returns the thread of a ring whose link is the newest; "" when there is no ring.
func newestOn(ring []string, links map[string]Link) string {
	if ring == nil {
		return ""
	}
	return slices.MaxFunc(ring, func(a, b string) int {
		if c := links[a].UpdatedAt.Compare(links[b].UpdatedAt); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
}

// FollowedParent returns the parent of a thread as timelines and the CRM have it: "" when it has
// none, or its link is cut.
func FollowedParent(id string, links map[string]Link) string {
	if IsCut(id, links) {
		return ""
	}
	return links[id].Parent
}

// Disturbed returns the other threads whose followed parent may differ since the links of a thread
// changed, sorted: those of the ring that it is on, and all above its loose parents, where a ring
// may have been. Links holds those of the thread, of its loose parents, and of all above.
func Disturbed(id string, loose []string, links map[string]Link) []string {
	if len(loose) == 0 {
		return nil
	}
	others := make(map[string]bool)
	for _, other := range Ring(id, links) {
		others[other] = true
	}
	for _, from := range loose {
		if from == links[id].Parent {
			continue // a ring through it is the one above
		}
		for at := from; at != "" && at != id && !others[at]; at = links[at].Parent {
			others[at] = true
		}
	}
	delete(others, id)
	return slices.Sorted(maps.Keys(others))
}

// Family returns a thread and the threads that were merged into it, directly and through others:
// each once, the nearest first, and those equally near in the order of their ids. Links holds those
// of all of them, and of all above and below.
func Family(root string, links map[string]Link) []string {
	// A ring that is met on the way down is one that the root is on, as every thread has one parent.
	cut := newestOn(Ring(root, links), links)
	children := make(map[string][]string)
	for id, link := range links {
		if link.Kind == LinkMerged && id != cut {
			children[link.Parent] = append(children[link.Parent], id)
		}
	}
	family := []string{root}
	for generation := family; len(generation) > 0; {
		var next []string
		for _, id := range generation {
			next = append(next, children[id]...)
		}
		slices.Sort(next)
		family = append(family, next...)
		generation = next
	}
	return family
}
