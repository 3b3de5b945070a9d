package sim_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestStories(t *testing.T) {
	tests := map[string]struct {
		stories       sim.Stories
		merges, split bool
		storms        bool
	}{
		"usual":        {sim.Stories{}, true, true, true},
		"conversation": {sim.Stories{Conversation: 2}, false, false, false},
		"merge":        {sim.Stories{Conversation: 1, Merge: 1}, true, false, false},
		"split":        {sim.Stories{Conversation: 1, Split: 1}, false, true, false},
		"storm":        {sim.Stories{Storm: 1}, true, true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newConversations(3, sim.Social{Threads: 30, Orderly: true})
			c.SetStories(tt.stories)
			kinds, stormed := make(map[sim.Kind]int), 0
			for range 2000 {
				kinds[c.Next(start).Kind]++
				if c.Storming() {
					stormed++
				}
			}
			if (kinds[sim.Merged] > 0) != tt.merges || (kinds[sim.Split] > 0) != tt.split || (stormed > 0) != tt.storms {
				t.Errorf("%v, %d in storms", kinds, stormed)
			}
			if kinds[sim.Updated] == 0 {
				t.Error("nobody writes")
			}
		})
	}
}

// The weight of storms is their share of what happens.
func TestShareOfStorms(t *testing.T) {
	c := newConversations(4, sim.Social{Threads: 50, Orderly: true})
	c.SetStories(sim.Stories{Conversation: 1, Storm: 3})
	const all = 6000
	stormed := 0
	for range all {
		c.Next(start)
		if c.Storming() {
			stormed++
		}
	}
	if share := float64(stormed) / all; share < 0.6 || share > 0.9 {
		t.Errorf("%.2f of the events are of storms, want about 0.75", share)
	}
}

// A timeline is what the code in earnest makes of all events in any order.
func TestTimelineIsReadAsMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newConversations(rapid.Uint64().Draw(t, "seed"), sim.Social{Threads: 12, Messages: 30})
		c.SetStories(sim.Stories{
			Conversation: 1 + rapid.Float64Range(0, 3).Draw(t, "conversation"), Merge: rapid.Float64Range(0, 3).Draw(t, "merge"),
			Split: rapid.Float64Range(0, 3).Draw(t, "split"), Storm: rapid.Float64Range(0, 3).Draw(t, "storm"),
		})
		posts := talkOf(c, rapid.IntRange(1, 150).Draw(t, "posts"))
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		rng.Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
		state := thread.NewState()
		for _, p := range posts {
			foldPost(t, state, p)
		}
		links, items := make(map[string]thread.Link), []*thread.Item(nil)
		for id, th := range state.Threads {
			links[id] = th.Link()
		}
		for _, item := range state.Items {
			items = append(items, item)
		}
		for _, conversation := range c.Expected() {
			id := conversation.ThreadID
			var got []string
			for _, item := range thread.Timeline(thread.Family(id, links), items) {
				got = append(got, item.ID)
			}
			if want := c.Timeline(id); !slices.Equal(got, want) {
				t.Fatalf("thread %q: %s", id, cmp.Diff(want, got))
			}
		}
	})
}

func TestTimelineOfNobody(t *testing.T) {
	if ids := newConversations(1, sim.Social{}).Timeline("none"); ids != nil {
		t.Errorf("shows %v", ids)
	}
}
