package thread_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/thread"
)

func merged(parent string, at int) thread.Link {
	return thread.Link{Parent: parent, Kind: thread.LinkMerged, UpdatedAt: minute(at)}
}

func TestRings(t *testing.T) {
	links := map[string]thread.Link{
		"a": merged("b", 1), "b": merged("c", 3), "c": merged("a", 2), // a ring
		"x": merged("a", 9), "y": merged("x", 9), // that lead to it
		"p": merged("q", 4), "q": merged("p", 4), // a ring of the same age
		"r": merged("s", 0), // no ring
	}
	tests := []struct {
		id, parent string
		ring       []string
	}{
		{"a", "b", []string{"a", "b", "c"}},
		{"b", "", []string{"b", "c", "a"}},
		{"c", "a", []string{"c", "a", "b"}},
		{"x", "a", nil},
		{"y", "x", nil},
		{"p", "q", []string{"p", "q"}},
		{"q", "", []string{"q", "p"}},
		{"r", "s", nil},
		{"s", "", nil},
		{"unknown", "", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.ring, thread.Ring(tt.id, links)); diff != "" {
			t.Errorf("%s: ring %s", tt.id, diff)
		}
		if got := thread.FollowedParent(tt.id, links); got != tt.parent {
			t.Errorf("%s: parent %q, want %q", tt.id, got, tt.parent)
		}
		if got, want := thread.IsCut(tt.id, links), tt.id == "b" || tt.id == "q"; got != want {
			t.Errorf("%s: cut %v", tt.id, got)
		}
	}
}

func TestFamily(t *testing.T) {
	split := thread.Link{Parent: "a", Kind: thread.LinkSplit, UpdatedAt: minute(1)}
	links := map[string]thread.Link{
		"z": merged("a", 1), "b": merged("a", 1), "c": merged("z", 1), "d": merged("b", 1), "s": split, "t": merged("s", 1),
		"k": merged("l", 1), "l": merged("m", 3), "m": merged("k", 2),
	}
	tests := map[string][]string{
		"a": {"a", "b", "z", "c", "d"}, "z": {"z", "c"}, "s": {"s", "t"}, "alone": {"alone"},
		"l": {"l", "k", "m"}, "k": {"k", "m"}, "m": {"m"}, // l is cut
	}
	for root, want := range tests {
		if diff := cmp.Diff(want, thread.Family(root, links)); diff != "" {
			t.Errorf("%s: %s", root, diff)
		}
	}
}

func TestDisturbed(t *testing.T) {
	links := map[string]thread.Link{
		"a": merged("b", 1), "b": merged("c", 2), "c": merged("a", 3),
		"x": merged("y", 1), "y": merged("z", 1),
	}
	tests := []struct {
		name, id string
		loose    []string
		want     []string
	}{
		{"nothing changed", "a", nil, nil},
		{"closed a ring", "a", []string{"b"}, []string{"b", "c"}},
		{"linked, no ring", "x", []string{"y"}, nil},
		{"left one that leads up", "a", []string{"x"}, []string{"b", "c", "x", "y", "z"}},
		{"left one that has left too", "u", []string{"z"}, []string{"z"}},
		{"left a ring", "u", []string{"a"}, []string{"a", "b", "c"}},
		{"left and came back", "x", []string{"y", "z"}, []string{"z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, thread.Disturbed(tt.id, tt.loose, links)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// On a ring, a newer event that names the same parent again decides which link is cut.
func TestNewerLinkToTheSameParent(t *testing.T) {
	s := fold(event(thread.Merged, "A", 1, 2, "B"), event(thread.Merged, "B", 1, 1, "A"))
	b := s.Threads["B"]
	b.Links.Loose = nil
	if diff := cmp.Diff([]string{"B"}, s.Fold(event(thread.Merged, "B", 2, 3, "A"))); diff != "" {
		t.Error(diff)
	}
	links := linksOf(s)
	if thread.FollowedParent("A", links) != "B" || thread.FollowedParent("B", links) != "" {
		t.Error("the newest link is followed")
	}
	if diff := cmp.Diff([]string{"A"}, thread.Disturbed("B", b.Links.Loose, links)); diff != "" {
		t.Error(diff)
	}
}
