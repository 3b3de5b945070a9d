package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func threads(t failer, s store.Store, q store.ThreadQuery) []string {
	t.Helper()
	rows, err := s.Threads(ctx(), q)
	if err != nil {
		t.Fatalf("Threads(%+v): %v", q, err)
	}
	found := make([]string, len(rows))
	for i, row := range rows {
		found[i] = row.ID
	}
	return found
}

func testThreads(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	names := []string{"a%b", "a_b", "aXb", "Order-1", "ORDER-2", `back\slash`, "zoë", "é", "B", "b"}
	slices.Sort(names) // by bytes
	for i, name := range names {
		commitAt(t, s, at(i), events(updated(name, 1))...)
	}
	accept(t, s, split("b", "somebody's parent", 2, message("m", 1)))

	t.Run("ByID", func(t *testing.T) {
		for _, limit := range []int{1, 3, len(names), 100} {
			var all []string
			for after := ""; ; after = all[len(all)-1] {
				page := threads(t, s, store.ThreadQuery{After: after, Limit: limit})
				if all = append(all, page...); len(page) < limit {
					break
				}
			}
			requireEqual(t, fmt.Sprint("by pages of ", limit), all, names)
		}
		rows, err := s.Threads(t.Context(), store.ThreadQuery{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			requireEqual(t, "row of the list", row, *readThread(t, s, row.ID))
		}
	})

	t.Run("ByText", func(t *testing.T) {
		for text, want := range map[string][]string{
			"%": {"a%b"}, "_": {"a_b"}, "a_": {"a_b"}, "A%B": {"a%b"}, `\`: {`back\slash`}, "axB": {"aXb"},
			"order": {"ORDER-2", "Order-1"}, "ORDER-": {"ORDER-2", "Order-1"}, "zoë": {"zoë"}, "é": {"é"},
			"b": {"B", "a%b", "aXb", "a_b", "b", `back\slash`}, "'": {}, "nothing": {}, "somebody": {}, "%%": {}, `\%`: {},
		} {
			requireEqual(t, "with "+text, threads(t, s, store.ThreadQuery{Text: text, Limit: 100}), want)
		}
	})

	t.Run("BySince", func(t *testing.T) {
		requireEqual(t, "since the time of one", threads(t, s, store.ThreadQuery{Since: at(5), Limit: 100}), names[5:])
		requireEqual(t, "since later", threads(t, s, store.ThreadQuery{Since: at(3600).Add(time.Microsecond), Limit: 100}), []string{})
		requireEqual(t, "since, with text, after, limited", threads(t, s, store.ThreadQuery{Since: at(1), Text: "b", After: "a%b", Limit: 2}), []string{"aXb", "a_b"})
	})

	t.Run("ByState", func(t *testing.T) { testThreadStates(t, migrated(t, create)) })

	t.Run("NotFound", func(t *testing.T) {
		for _, id := range []string{"", "unknown", "A%B", "b ", "%", "somebody's parent"} {
			if _, err := s.Thread(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Thread(%q): %v, want ErrNotFound", id, err)
			}
		}
		if _, _, err := s.DoneRev(t.Context(), "unknown"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("DoneRev: %v, want ErrNotFound", err)
		}
	})
}

func testThreadStates(t *testing.T, s store.Store) {
	ends := map[string]func(w *store.Work) store.Push{
		"synced":   done,
		"retrying": func(w *store.Work) store.Push { return failed(w, 500, store.MaxWait) },
		"parked":   func(w *store.Work) store.Push { return parked(w, 422) },
	}
	for id := range ends {
		accept(t, s, updated(id, 1, message("m", 1)))
	}
	for _, w := range claim(t, s, 10, time.Hour) {
		record(t, s, ends[w.ThreadID](&w))
	}
	accept(t, s, updated("pending", 1))
	leased := updated("pending, leased", 1)
	accept(t, s, leased)
	for _, state := range []store.SyncState{store.StateSynced, store.StateRetrying, store.StateParked} {
		requireEqual(t, string(state), threads(t, s, store.ThreadQuery{State: state, Limit: 10}), []string{string(state)})
		row := readThread(t, s, string(state))
		if got := row.Sync.State(); got != state {
			t.Errorf("state of %s: %s", state, got)
		}
	}
	claim(t, s, 1, time.Hour)
	requireEqual(t, "waiting", threads(t, s, store.ThreadQuery{State: store.StateWaiting, Limit: 10}), []string{"pending", "pending, leased", "retrying"})
	requireEqual(t, "pending", threads(t, s, store.ThreadQuery{State: store.StatePending, Limit: 10}), []string{"pending", "pending, leased"})
	requireEqual(t, "pending, after", threads(t, s, store.ThreadQuery{State: store.StatePending, After: "pending", Limit: 10}), []string{"pending, leased"})
}

func testItems(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	e := updated("i", 1)
	for i, id := range []string{"b", "a", "B", "é", "z", "0", "\uff9f", "🙂"} {
		m := message(id, i/3)
		if i >= 6 {
			m.Timestamp = "unreadable"
		}
		e.Messages = append(e.Messages, m)
		e.Participants = append(e.Participants, person(id, "Ann"))
	}
	state := stateOf(sealed(e))
	accept(t, s, e, updated("other", 1, message("b", 1)), split("child", "i", 2, message("z", 1)))
	state.Fold(split("child", "i", 2, message("z", 1)))
	for _, kind := range []thread.ItemKind{thread.KindMessage, thread.KindParticipant} {
		want := present(state, "i", kind)
		for _, limit := range []int{1, 2, 3, 100} {
			requireEqual(t, fmt.Sprintf("%ss, %d a page", kind, limit), itemsOf(t, s, "i", kind, limit), want, revisions)
		}
	}
	requireEqual(t, "items of nobody", itemsOf(t, s, "nobody", thread.KindMessage, 10), []*thread.Item{})
	requireEqual(t, "items of a placeholder", itemsOf(t, s, "I", thread.KindMessage, 10), []*thread.Item{})
}

func testTimeline(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	unreadable := func(id string) thread.Message {
		m := message(id, 0)
		m.Timestamp = "unreadable"
		return m
	}
	all := []*thread.Event{
		updated("root", 1, message("a", 3), message("same", 2), message("early above", 1), message("late above", 9), unreadable("U"), message("gone", 4)),
		merged("left", "root", 2, message("b", 2), message("same", 5), message("early above", 9), message("late above", 1), unreadable("t"), message("gone", 5)),
		merged("right", "root", 2, message("B", 2), message("same", 6), message("c", 7)),
		merged("below", "left", 3, message("d", 2), message("same", 7), message("c", 2), unreadable("U")),
		split("apart", "root", 4, message("gone", 4), message("apart", 1)),
		merged("in the split", "apart", 5, message("e", 1)),
		updated("alone", 1, message("a", 1)),
	}
	accept(t, s, all...)
	state := stateOf(all...)
	requireTimelines(t, s, state, 2, revisions)
	family := thread.Family("root", linksOf(t, s, "root"))
	requireEqual(t, "family", family, []string{"root", "left", "right", "below"})
	want := timelineOf(t, s, family, 100)
	requireEqual(t, "timeline", ids(want), []string{"U", "t", "early above", "B", "b", "d", "same", "a", "gone", "c", "late above"})
	for limit := 1; limit < 6; limit++ {
		requireEqual(t, fmt.Sprintf("timeline, %d a page", limit), timelineOf(t, s, family, limit), want)
	}
	// "same" is the root's at its time, and a child's is not found behind it.
	for _, item := range want {
		if owner := map[string]string{"same": "root", "early above": "root", "late above": "root", "gone": "left", "c": "right", "U": "root"}[item.ID]; owner != "" && item.ThreadID != owner {
			t.Errorf("%s is shown of %s, want %s", item.ID, item.ThreadID, owner)
		}
	}
	requireEqual(t, "timeline of nobody", timelineOf(t, s, []string{"nobody"}, 10), []*thread.Item{})
	requireEqual(t, "timeline of a family of none", timelineOf(t, s, nil, 10), []*thread.Item{})
}

func testLinks(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	accept(t, s,
		merged("c", "b", 1), merged("b", "a", 2), merged("d", "b", 3), split("e", "a", 4), merged("f", "e", 5),
		merged("x", "y", 6), merged("y", "z", 7), merged("z", "x", 8), merged("w", "x", 9), // a ring, and one below it
		merged("orphan", "unseen", 10), updated("alone", 1), updated("mentioned", 2),
	)
	link := func(parent string, kind thread.LinkKind, version int) thread.Link {
		return thread.Link{Parent: parent, Kind: kind, UpdatedAt: at(version)}
	}
	tree := map[string]thread.Link{
		"c": link("b", thread.LinkMerged, 1), "b": link("a", thread.LinkMerged, 2), "d": link("b", thread.LinkMerged, 3),
		"e": link("a", thread.LinkSplit, 4), "f": link("e", thread.LinkMerged, 5),
	}
	ring := map[string]thread.Link{
		"x": link("y", thread.LinkMerged, 6), "y": link("z", thread.LinkMerged, 7), "z": link("x", thread.LinkMerged, 8),
		"w": link("x", thread.LinkMerged, 9),
	}
	for id, want := range map[string]map[string]thread.Link{
		"a": tree, "b": tree, "c": tree, "d": tree, "e": tree, "f": tree,
		"x": ring, "y": ring, "z": ring, "w": ring,
		"orphan": {"orphan": link("unseen", thread.LinkMerged, 10)}, "unseen": {"orphan": link("unseen", thread.LinkMerged, 10)},
		"alone": {}, "nobody": {},
	} {
		requireEqual(t, "links of "+id, linksOf(t, s, id), want)
	}
	unlinked := updated("b", 20)
	unlinked.NamesParent = true
	accept(t, s, sealed(unlinked))
	requireEqual(t, "links below, after the link went", linksOf(t, s, "b"), map[string]thread.Link{"c": tree["c"], "d": tree["d"]})
	requireEqual(t, "links above, after the link went", linksOf(t, s, "a"), map[string]thread.Link{"e": tree["e"], "f": tree["f"]})
}
