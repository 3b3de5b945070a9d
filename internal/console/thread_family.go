package console

import (
	"cmp"
	"slices"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// branch is a thread in the tree of those that are linked to each other.
type branch struct {
	ID        string
	Link      thread.Link // to the one above; the zero Link at the top
	IsCurrent bool        // the page is about it
	Children  []*branch
	Left      int // children that are left out, as there are too many
}

// Path leads to the page of the thread.
func (b *branch) Path() string { return pathOf(threadsPath, b.ID) }

// IsSplit reports whether the thread was split from the one above. If not, it was merged into it.
func (b *branch) IsSplit() bool { return b.Link.Kind == thread.LinkSplit }

const (
	ancestorsShown = 6   // above the thread that a page is about
	branchesShown  = 100 // in all
)

// familyTree returns the tree that a thread is in, from a few levels above it downwards. It does not follow
// the cut link of a ring.
func familyTree(id string, links map[string]thread.Link) *branch {
	// The way up cannot go round a ring, as one link of each ring is cut.
	way := []string{id}
	for len(way) <= ancestorsShown {
		parent := thread.FollowedParent(way[len(way)-1], links)
		if parent == "" {
			break
		}
		way = append(way, parent)
	}
	cut := cutAbove(id, links)
	children := make(map[string][]string)
	for child, link := range links {
		if child != cut && link.Parent != "" {
			children[link.Parent] = append(children[link.Parent], child)
		}
	}
	t := tree{current: id, links: links, children: children, left: branchesShown - len(way), onWay: make(map[string]bool)}
	for _, above := range way {
		t.onWay[above] = true
	}
	top := t.grow(way[len(way)-1])
	top.Link = thread.Link{}
	return top
}

// cutAbove returns the thread on the way up whose link is not followed; "" when there is no ring. As each
// thread has one parent, the thread can be linked to no other ring.
func cutAbove(id string, links map[string]thread.Link) string {
	seen := make(map[string]bool)
	for ; id != "" && !seen[id]; id = links[id].Parent {
		seen[id] = true
	}
	for _, on := range thread.Ring(id, links) {
		if thread.IsCut(on, links) {
			return on
		}
	}
	return ""
}

// tree grows branches.
type tree struct {
	current  string
	links    map[string]thread.Link
	children map[string][]string
	onWay    map[string]bool // down to the current thread: always shown
	left     int             // branches that may still be shown besides those
}

func (t *tree) grow(id string) *branch {
	b := &branch{ID: id, Link: t.links[id], IsCurrent: id == t.current}
	slices.SortFunc(t.children[id], func(x, y string) int {
		return cmp.Or(t.links[x].UpdatedAt.Compare(t.links[y].UpdatedAt), cmp.Compare(x, y))
	})
	for _, child := range t.children[id] {
		switch {
		case t.onWay[child]:
		case t.left == 0:
			b.Left++
			continue
		default:
			t.left--
		}
		b.Children = append(b.Children, t.grow(child))
	}
	return b
}
