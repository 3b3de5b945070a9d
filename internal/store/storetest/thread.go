package storetest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// updated, merged and split are events of their types. Their updatedAt follows from the version.
func updated(id string, version int, messages ...thread.Message) *thread.Event {
	return event(thread.Updated, id, "", version, messages)
}

func merged(id, parent string, version int, messages ...thread.Message) *thread.Event {
	return event(thread.Merged, id, parent, version, messages)
}

func split(id, parent string, version int, messages ...thread.Message) *thread.Event {
	return event(thread.Split, id, parent, version, messages)
}

func event(kind thread.Type, id, parent string, version int, messages []thread.Message) *thread.Event {
	return sealed(&thread.Event{
		Type: kind, ThreadID: id, Parent: parent, NamesParent: parent != "", Version: int64(version),
		UpdatedAt: at(version), Messages: messages, Received: at(version),
	})
}

// sealed gives an event the body and the key that follow from the rest of it.
func sealed(e *thread.Event) *thread.Event {
	named := *e
	named.Key, named.Raw, named.Received = thread.Key{}, nil, time.Time{}
	raw, err := json.Marshal(named)
	if err != nil {
		panic(err)
	}
	e.Raw, e.Key = raw, sha256.Sum256(raw)
	return e
}

// message was written so many seconds after the beginning of the test's world.
func message(id string, seconds int) thread.Message {
	return thread.Message{ID: id, Text: "text of " + id, Timestamp: thread.FormatTime(at(seconds)), AuthorID: "author", Direction: "INBOUND"}
}

func person(id, name string) thread.Participant {
	return thread.Participant{ID: id, Role: "CUSTOMER", Name: name, PlatformID: "p-" + id}
}

func events(all ...*thread.Event) []store.Entry {
	entries := make([]store.Entry, len(all))
	for i, e := range all {
		entries[i].Thread = e
	}
	return entries
}

// commitAt commits one batch at a time and returns the outcomes.
func commitAt(t failer, s store.Store, now time.Time, entries ...store.Entry) []store.Outcome {
	t.Helper()
	batch := batchOf(entries)
	batch.Now = now
	outcomes, err := s.Commit(ctx(), batch)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if len(outcomes) != len(entries) {
		t.Fatalf("Commit returns %d outcomes for %d entries", len(outcomes), len(entries))
	}
	return outcomes
}

// accept commits events in one batch.
func accept(t failer, s store.Store, all ...*thread.Event) []store.Outcome {
	t.Helper()
	return commitAt(t, s, at(3600), events(all...)...)
}

func readThread(t failer, s store.Store, id string) *store.ThreadRow {
	t.Helper()
	row, err := s.Thread(ctx(), id)
	if err != nil {
		t.Fatalf("Thread(%q): %v", id, err)
	}
	return row
}

// readItems reads all pages of a list by time and id.
func readItems(t failer, limit int, page func(after store.ItemPosition) ([]*thread.Item, error)) (all []*thread.Item) {
	t.Helper()
	var after store.ItemPosition
	for {
		items, err := page(after)
		if err != nil {
			t.Fatalf("items after %v: %v", after, err)
		}
		if len(items) > limit {
			t.Fatalf("%d items on a page of %d", len(items), limit)
		}
		all = append(all, items...)
		if len(items) < limit {
			return all
		}
		last := items[len(items)-1]
		if next := (store.ItemPosition{At: last.At, ID: last.ID}); next == after {
			t.Fatalf("the page after %v ends there", after)
		} else {
			after = next
		}
	}
}

func itemsOf(t failer, s store.Store, id string, kind thread.ItemKind, limit int) []*thread.Item {
	t.Helper()
	return readItems(t, limit, func(after store.ItemPosition) ([]*thread.Item, error) {
		return s.Items(ctx(), id, kind, after, limit)
	})
}

func timelineOf(t failer, s store.Store, family []string, limit int) []*thread.Item {
	t.Helper()
	return readItems(t, limit, func(after store.ItemPosition) ([]*thread.Item, error) {
		return s.Timeline(ctx(), family, after, limit)
	})
}

// linksOf returns the links that exist: Links may also return threads that have none.
func linksOf(t failer, s store.Store, id string) map[string]thread.Link {
	t.Helper()
	links, err := s.Links(ctx(), id)
	if err != nil {
		t.Fatalf("Links(%q): %v", id, err)
	}
	return realLinks(links)
}

func realLinks(links map[string]thread.Link) map[string]thread.Link {
	real := maps.Clone(links)
	maps.DeleteFunc(real, func(_ string, l thread.Link) bool { return l.Parent == "" })
	return real
}

func ids(items []*thread.Item) []string {
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = item.ID
	}
	return all
}

// stateOf is what threads are by definition: the fold of their events.
func stateOf(all ...*thread.Event) *thread.State {
	state := thread.NewState()
	for _, e := range all {
		state.Fold(e)
	}
	return state
}

// revisions leaves out what the store adds to a state: it depends on the batches.
var revisions = cmp.Options{cmpopts.IgnoreFields(thread.Item{}, "Rev"), cmpopts.IgnoreFields(thread.Links{}, "LooseRev")}

// ways leaves out what a state remembers of the order in which it came about.
var ways = cmp.Options{
	cmpopts.IgnoreFields(thread.Item{}, "Past"), cmpopts.IgnoreFields(thread.Links{}, "Past", "Loose"), revisions,
}

// requireState compares what can be read of threads with a state.
func requireState(t failer, s store.Store, state *thread.State, ignored ...cmp.Option) {
	t.Helper()
	for id, want := range state.Threads {
		row, err := s.Thread(ctx(), id)
		if !want.Own {
			if !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("Thread(%q), of which no event came: %v, want ErrNotFound", id, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("Thread(%q): %v", id, err)
		}
		requireEqual(t, "thread "+id, row.Thread, *want, ignored...)
		for _, kind := range []thread.ItemKind{thread.KindMessage, thread.KindParticipant} {
			requireEqual(t, string(kind)+"s of "+id, itemsOf(t, s, id, kind, 100), present(state, id, kind), ignored...)
		}
	}
}

// present returns the items that are in a thread, by time and id.
func present(state *thread.State, id string, kind thread.ItemKind) (items []*thread.Item) {
	for key, item := range state.Items {
		if key.ThreadID == id && key.Kind == kind && !item.View().IsZero() {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b *thread.Item) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return items
}

// linksIn returns the links of a state.
func linksIn(state *thread.State) map[string]thread.Link {
	links := make(map[string]thread.Link)
	for id, t := range state.Threads {
		links[id] = t.Link()
	}
	return links
}

// requireTimelines compares the timeline of every thread, read in pages of a size, with that of a
// state.
func requireTimelines(t failer, s store.Store, state *thread.State, page int, ignored ...cmp.Option) {
	t.Helper()
	all := slices.Collect(maps.Values(state.Items))
	for id := range state.Threads {
		family := thread.Family(id, linksOf(t, s, id))
		requireEqual(t, "family of "+id, family, thread.Family(id, linksIn(state)))
		requireEqual(t, "timeline of "+id, timelineOf(t, s, family, page), thread.Timeline(family, all), ignored...)
	}
}
