package storetest

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testThreadAnyOrder is the law that every permutation, repetition and batching of the same events
// ends in the same rows and timelines.
func testThreadAnyOrder(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	world := 0
	rapid.Check(t, func(t *rapid.T) {
		world++
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *thread.Event { return drawEvent(t, world) }), 1, 8).Draw(t, "events")
		arriving := rapid.Permutation(append(slices.Clone(all), all[:len(all)/2]...)).Draw(t, "arriving")
		model := newCommitModel()
		for rest := arriving; len(rest) > 0; {
			size := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			requireEqual(t, "outcomes", accept(t, s, rest[:size]...), model.commit(rest[:size]))
			rest = rest[size:]
		}
		// The rows are the same as without a database. What matters of them is the same in any order.
		requireState(t, s, model.state, revisions)
		requireEqual(t, "threads", model.state.Threads, stateOf(all...).Threads, ways)
		requireEqual(t, "items", model.state.Items, stateOf(all...).Items, ways)
		requireTimelines(t, s, stateOf(all...), rapid.SampledFrom([]int{1, 3, 100, 100}).Draw(t, "page"), ways)
		for id, want := range model.wants {
			if row, err := s.Thread(ctx(), id); err == nil && row.Sync.Want != want {
				t.Fatalf("thread %s wants %d, want %d", id, row.Sync.Want, want)
			}
		}
	})
}

// commitModel is what Commit does to threads, without a database.
type commitModel struct {
	state *thread.State
	wants map[string]int64
	known map[thread.Key]bool
}

func newCommitModel() *commitModel {
	return &commitModel{state: thread.NewState(), wants: make(map[string]int64), known: make(map[thread.Key]bool)}
}

func (m *commitModel) commit(batch []*thread.Event) []store.Outcome {
	outcomes := make([]store.Outcome, len(batch))
	raised := make(map[string]bool)
	for i, e := range batch {
		if m.known[e.Key] {
			outcomes[i] = store.Outcome{Duplicate: true, Stale: true, Rev: m.wants[e.ThreadID], ParentRev: m.parentRev(e)}
			continue
		}
		m.known[e.Key] = true
		shown := m.state.Fold(e)
		for _, id := range shown {
			if !raised[id] {
				raised[id] = true
				m.wants[id]++
			}
		}
		outcomes[i] = store.Outcome{Stale: len(shown) == 0, Rev: m.wants[e.ThreadID], ParentRev: m.parentRev(e)}
	}
	return outcomes
}

func (m *commitModel) parentRev(e *thread.Event) int64 {
	if hadTaken(m.state, e) {
		return m.wants[e.Parent]
	}
	return 0
}

// hadTaken reports whether the parent of a split has ever had a message that the split takes.
func hadTaken(s *thread.State, e *thread.Event) bool {
	return e.Type == thread.Split && slices.ContainsFunc(e.Messages, func(m thread.Message) bool {
		item := s.Items[thread.ItemKey{ThreadID: e.Parent, Kind: thread.KindMessage, ID: m.ID}]
		return item != nil && len(item.Content) > 0
	})
}

// drawEvent draws an event of a world: of a few threads and items, so that they meet.
func drawEvent(t *rapid.T, world int) *thread.Event {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	named := func(name string) string { return fmt.Sprintf("%d/%s", world, name) }
	e := &thread.Event{
		Type:     rapid.SampledFrom([]thread.Type{thread.Updated, thread.Merged, thread.Split, thread.Split}).Draw(t, "type"),
		ThreadID: named(pick("thread", "a", "B", "c")),
		Version:  int64(rapid.IntRange(0, 4).Draw(t, "version")),
		Received: at(rapid.IntRange(0, 3).Draw(t, "received")),
	}
	if s := rapid.IntRange(0, 4).Draw(t, "updated"); s > 0 {
		e.UpdatedAt = at(s)
	}
	parent := pick("parent", "", "a", "B", "c", "d")
	if parent != "" && named(parent) != e.ThreadID {
		e.Parent, e.NamesParent = named(parent), true
	} else {
		e.NamesParent = e.Type == thread.Split || rapid.Bool().Draw(t, "names parent")
		if e.Type == thread.Merged {
			e.Type = thread.Updated
		}
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"m", "n", "O", "ö"}), 0, 3, rapid.ID).Draw(t, "messages") {
		m := message(id, rapid.IntRange(0, 2).Draw(t, "time"))
		m.Text = pick("text", "one", "two")
		if rapid.IntRange(0, 4).Draw(t, "no time") == 0 {
			m.Timestamp = "some day"
		}
		e.Messages = append(e.Messages, m)
	}
	if name := pick("participant", "", "Ann", "Bob"); name != "" {
		e.Participants = append(e.Participants, person("p", name))
	}
	return sealed(e)
}
