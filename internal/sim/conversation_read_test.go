package sim_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/refusal"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// What is posted is read as it is meant: by the code that reads it in earnest, with all posts in any
// order, it adds up to what is expected.
func TestConversationsAreReadAsMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newConversations(rapid.Uint64().Draw(t, "seed"), drawSocial(t))
		n := rapid.IntRange(1, 150).Draw(t, "posts")
		posts := talkOf(c, n)
		c.Storm(n / 2)
		posts = append(posts, talkOf(c, n/2)...)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		rng.Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
		state := thread.NewState()
		for _, p := range posts {
			foldPost(t, state, p)
		}
		if diff := cmp.Diff(expected(c), shown(t, state)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Threads that lost events on the way are right again once they are reconciled.
func TestReconciledConversations(t *testing.T) {
	lost := 0
	for seed := range uint64(10) {
		c := newConversations(seed, sim.Social{Threads: 20, Lost: 0.3, Flaws: true})
		state := thread.NewState()
		for _, p := range talkOf(c, 200) {
			foldPost(t, state, p)
		}
		for _, id := range c.Lost() {
			lost++
			conversation, ok := c.Thread(id)
			if !ok {
				t.Fatalf("there is no thread %q", id)
			}
			data, err := json.Marshal(conversation)
			if err != nil {
				t.Fatal(err)
			}
			fold(t, state, thread.Snapshot(data))
		}
		if diff := cmp.Diff(expected(c), shown(t, state)); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
	if lost == 0 {
		t.Error("nothing was lost")
	}
}

// foldPost applies the events of a post, and checks that the rest of it is refused as it deserves.
func foldPost(t rapid.TB, state *thread.State, p sim.Post) {
	t.Helper()
	items := []json.RawMessage{p.Body}
	if p.Kind == sim.Array {
		items = nil
		if err := json.Unmarshal(p.Body, &items); err != nil {
			t.Fatal(err)
		}
	}
	for i, item := range items {
		if i < len(p.Threads) {
			if e := fold(t, state, item); e.ThreadID != p.Threads[i] {
				t.Fatalf("it is about %q, not %q", e.ThreadID, p.Threads[i])
			}
			continue
		}
		_, err := thread.Decode(item, thread.AnyID)
		var malformed *refusal.MalformedError
		var invalid *refusal.InvalidError
		if (p.Answer == 400) != errors.As(err, &malformed) || (p.Invalid == 1) != errors.As(err, &invalid) {
			t.Fatalf("%s deserves %d, and is read with %v: %s", p.Kind, p.Answer, err, item)
		}
	}
}

func fold(t rapid.TB, state *thread.State, body []byte) *thread.Event {
	t.Helper()
	e, err := thread.Decode(body, thread.AnyID)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	state.Fold(e)
	return e
}

func expected(c *sim.Conversations) (list []sim.Conversation) {
	for _, conversation := range c.Expected() {
		list = append(list, sortedByID(conversation))
	}
	return list
}

// shown returns what a CRM would show of the state.
func shown(t rapid.TB, state *thread.State) (list []sim.Conversation) {
	t.Helper()
	links := make(map[string]thread.Link)
	for id, th := range state.Threads {
		links[id] = th.Link()
	}
	threads := make(map[string]*sim.Conversation)
	for id, th := range state.Threads {
		if !th.Own {
			continue
		}
		c := &sim.Conversation{ThreadID: id, Version: th.Version, UpdatedAt: th.UpdatedAt}
		if parent := thread.FollowedParent(id, links); parent != "" {
			c.ParentThreadID = &parent
		}
		threads[id] = c
	}
	for key, item := range state.Items {
		c := threads[key.ThreadID]
		if c == nil || item.View().IsZero() {
			continue
		}
		if key.Kind == thread.KindMessage {
			c.Messages = append(c.Messages, readItem[sim.Message](t, item.Content))
		} else {
			c.Participants = append(c.Participants, readItem[sim.Participant](t, item.Content))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(threads)) {
		list = append(list, sortedByID(*threads[id]))
	}
	return list
}

func readItem[T any](t rapid.TB, content []byte) (item T) {
	t.Helper()
	if err := json.Unmarshal(content, &item); err != nil {
		t.Fatal(err)
	}
	return item
}
