package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func merged(parent string, minute int) thread.Link {
	return thread.Link{Parent: parent, Kind: thread.LinkMerged, UpdatedAt: at("2026-03-01T08:00:00Z").Add(time.Duration(minute) * time.Minute)}
}

// written writes a tree in one line.
func (b *branch) written() string {
	text := b.ID
	if b.IsCurrent {
		text += "*"
	}
	var below []string
	for _, child := range b.Children {
		below = append(below, child.written())
	}
	if b.Left > 0 {
		below = append(below, fmt.Sprintf("+%d", b.Left))
	}
	if len(below) > 0 {
		text += "(" + strings.Join(below, " ") + ")"
	}
	return text
}

func TestFamilyTree(t *testing.T) {
	split := merged("a", 3)
	split.Kind = thread.LinkSplit
	links := map[string]thread.Link{
		"b": merged("a", 2), "c": merged("a", 1), "d": merged("b", 1), "s": split,
		"k": merged("l", 1), "l": merged("m", 3), "m": merged("k", 2), "n": merged("m", 1), // a ring, and one below it
	}
	for id, want := range map[string]string{
		"a": "a*(c b(d) s)", "d": "a(c b(d*) s)", "s": "a(c b(d) s*)", "alone": "alone*",
		"k": "l(k*(m(n)))", "l": "l*(k(m(n)))", "n": "l(k(m(n*)))",
	} {
		if got := familyTree(id, links).written(); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

func TestFamilyTreeIsBounded(t *testing.T) {
	links := make(map[string]thread.Link)
	for i := range 5000 {
		links[fmt.Sprintf("wide-%04d", i)] = merged("root", i)
		links[fmt.Sprintf("deep-%04d", i)] = merged(fmt.Sprintf("deep-%04d", i+1), i)
	}
	wide := familyTree("wide-4999", links)
	if len(wide.Children) != branchesShown-1 || wide.Left != 5000-branchesShown+1 || !wide.Children[len(wide.Children)-1].IsCurrent {
		t.Errorf("%d children, %d left", len(wide.Children), wide.Left)
	}
	deep := familyTree("deep-2500", links)
	if deep.ID != fmt.Sprintf("deep-%04d", 2500+ancestorsShown) || strings.Count(deep.written(), "(")+1 > branchesShown+1 {
		t.Errorf("from %s on: %s", deep.ID, deep.written())
	}
}

// Whatever the links are, the thread stands in its tree once, and the tree has an end.
func TestFamilyTreeHasTheThread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := []string{"a", "b", "c", "d", "e", "f"}
		links := make(map[string]thread.Link)
		for _, id := range ids {
			if parent := rapid.SampledFrom(append(ids, "")).Draw(t, "parent of "+id); parent != "" && parent != id {
				links[id] = merged(parent, rapid.IntRange(0, 3).Draw(t, "minute"))
			}
		}
		id := rapid.SampledFrom(ids).Draw(t, "id")
		if tree := familyTree(id, links).written(); strings.Count(tree, "*") != 1 {
			t.Fatalf("%v: %s", links, tree)
		}
	})
}

// Each mark is on one page, however the pages are cut.
func TestMarksAreOnOnePage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := map[string]thread.Link{"zero": {Parent: "t", Kind: thread.LinkMerged}}
		for i := range rapid.IntRange(0, 5).Draw(t, "links") {
			link := merged("t", rapid.IntRange(0, 5).Draw(t, "minute"))
			if rapid.Bool().Draw(t, "split") {
				link.Kind = thread.LinkSplit
			}
			links[fmt.Sprint(i)] = link
		}
		var cuts []store.ItemPosition
		for minute := range 6 {
			if rapid.Bool().Draw(t, "cut") {
				cuts = append(cuts, store.ItemPosition{At: merged("", minute).UpdatedAt, ID: "m"})
			}
		}
		family, seen := thread.Family("t", links), 0
		var page span
		for _, cut := range append(cuts, store.ItemPosition{}) {
			page.until = cut
			seen += len(marksOf("t", family, links, page))
			page.after = cut
		}
		if seen != len(links) {
			t.Fatalf("%d marks of %d links on pages cut at %v", seen, len(links), cuts)
		}
	})
}

func TestLanes(t *testing.T) {
	var messages []*said
	for i, id := range strings.Fields("t a a b t a c d e") {
		messages = append(messages, &said{ThreadID: id, At: merged("", i).UpdatedAt})
	}
	var got []string
	for _, s := range conversationOf("t", messages, nil) {
		got = append(got, fmt.Sprintf("%s%d:%d", s.ThreadID, s.Lane, len(s.Turns)))
	}
	if written := strings.Join(got, " "); written != "t0:1 a1:2 b2:1 t0:1 a1:1 c3:1 d4:1 e1:1" {
		t.Error(written)
	}
}
