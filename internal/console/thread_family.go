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
	Left      int // children that are not shown, as they would be too many
}

// Path leads to the page of the thread.
func (b *branch) Path() string { return pathOf(threadsPath, b.ID) }

// IsSplit reports whether the thread was split from the one above; else it was merged into it.
func (b *branch) IsSplit() bool { return b.Link.Kind == thread.LinkSplit }

const (
	ancestorsShown = 6   // above the thread that a page is about
	branchesShown  = 100 // in all
)

// familyTree returns the tree that a thread stands in, from a few above it to what is below them. The
// link of a ring that is cut is not followed.
func familyTree(id string, links map[string]thread.Link) *branch {
	// The way up leads round no ring, as one link of each is cut.
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

// cutAbove returns the thread on the way up whose link is not followed; "" when the way has an end. As
// each thread has one parent, no other ring is linked to the thread.
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
	left     int             // branches that may be shown beside those
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
