package thread_test

import (
	"math"
	"testing"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// item returns an item of T1 that shows a value, and of which the CRM has acknowledged another: ""
// is that there is none.
func item(id, shown, acked string) *thread.Item {
	s := thread.NewState()
	key := thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: id}
	if acked != "" {
		s.Fold(updated("T1", 1, 1, id, acked))
	}
	switch {
	case shown != "":
		s.Fold(updated("T1", 2, 2, id, shown))
	default:
		s.Fold(event(thread.Split, "T5", 1, 3, "T1", id, ""))
	}
	i := s.Items[key]
	if acked != "" {
		i.Acked = hashOf(id, acked)
	}
	return i
}

func hashOf(id, text string) thread.Hash {
	m := message(id, text)
	return thread.HashOf(m.Content())
}

// person returns a participant of T1, and of which the CRM has acknowledged another name.
func person(id, name, acked string) *thread.Item {
	p := thread.Participant{ID: id, Role: "AGENT", Name: name}
	s := fold(&thread.Event{Type: thread.Updated, ThreadID: "T1", Version: 1, Participants: []thread.Participant{p}})
	i := s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindParticipant, ID: id}]
	if acked != "" {
		p.Name = acked
		i.Acked = thread.HashOf(p.Content())
	}
	return i
}

func TestDeltaJSON(t *testing.T) {
	row := &thread.Thread{ID: "T1", Own: true, Version: 4, UpdatedAt: minute(5)}
	tests := []struct {
		name   string
		parent string
		items  []*thread.Item
		want   string
	}{
		{"nothing", "", nil, `{"threadId":"T1","version":9,"updatedAt":"2026-03-14T10:05:00Z","parentThreadId":null,"addedMessages":[],"addedParticipants":[]}`},
		{"linked", `T"0`, nil, `{"threadId":"T1","version":9,"updatedAt":"2026-03-14T10:05:00Z","parentThreadId":"T\"0","addedMessages":[],"addedParticipants":[]}`},
		{"each list", "", []*thread.Item{
			item("m1", "new", ""), item("m2", "Hello!", "Hello"), item("m3", "", "old"), person("p1", "Ada", ""), item("m4", "<new>\u2028", ""),
			person("p2", "Bob", "Rob"), item("m5", "", "old"),
		}, `{"threadId":"T1","version":9,"updatedAt":"2026-03-14T10:05:00Z","parentThreadId":null,` +
			`"addedMessages":[{"id":"m1","text":"new","timestamp":"2026-03-14T09:01:00Z","authorId":"p1","direction":"INBOUND"},` +
			`{"id":"m4","text":"<new>` + "\u2028" + `","timestamp":"2026-03-14T09:04:00Z","authorId":"p1","direction":"INBOUND"}],` +
			`"addedParticipants":[{"id":"p1","role":"AGENT","name":"Ada"}],` +
			`"updatedMessages":[{"id":"m2","text":"Hello!","timestamp":"2026-03-14T09:02:00Z","authorId":"p1","direction":"INBOUND"}],` +
			`"removedMessages":["m3","m5"],"updatedParticipants":[{"id":"p2","role":"AGENT","name":"Bob"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(thread.NewDelta(row, tt.parent, tt.items).JSON(9)); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDelta(t *testing.T) {
	has := thread.Copy{Exists: true, Version: 7, Head: 4, UpdatedAt: minute(5), Parent: "T0"}
	with := func(change func(*thread.Copy)) thread.Copy {
		c := has
		change(&c)
		return c
	}
	tests := []struct {
		name                string
		crm                 thread.Copy
		items               []*thread.Item
		isEmpty, overwrites bool
		version             int64
	}{
		{"nothing new", has, nil, true, false, 8},
		{"unknown to the CRM", thread.Copy{}, nil, false, false, 4},
		{"an item to add", has, []*thread.Item{item("m1", "new", "")}, false, false, 8},
		{"an item to change", has, []*thread.Item{item("m1", "new", "old")}, false, true, 8},
		{"an item to remove", has, []*thread.Item{item("m1", "", "old")}, false, true, 8},
		{"a higher version", with(func(c *thread.Copy) { c.Head = 3 }), nil, false, false, 8},
		{"a later time", with(func(c *thread.Copy) { c.UpdatedAt = minute(4) }), nil, false, false, 8},
		{"a link", with(func(c *thread.Copy) { c.Parent = "" }), nil, false, true, 8},
		{"another writer's link", with(func(c *thread.Copy) { c.Parent, c.ParentTheirs = "folder", true }), nil, true, false, 8},
		{"a lower version in the CRM", with(func(c *thread.Copy) { c.Version, c.Head = 2, 2 }), nil, false, false, 4},
		{"no higher version", with(func(c *thread.Copy) { c.Version = math.MaxInt64 }), nil, true, false, math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := &thread.Thread{ID: "T1", Own: true, Version: 4, UpdatedAt: minute(5), CRM: tt.crm}
			d := thread.NewDelta(row, "T0", tt.items)
			if got := d.IsEmpty(&tt.crm); got != tt.isEmpty {
				t.Errorf("empty: %v", got)
			}
			if got := d.Overwrites(&tt.crm); got != tt.overwrites {
				t.Errorf("overwrites: %v", got)
			}
			if got := d.PushVersion(&tt.crm); got != tt.version {
				t.Errorf("version: %d, want %d", got, tt.version)
			}
		})
	}
}

func TestDirty(t *testing.T) {
	change := func(i *thread.Item, change func(*thread.Item)) *thread.Item {
		change(i)
		return i
	}
	tests := []struct {
		name string
		item *thread.Item
		want bool
	}{
		{"new", item("m1", "new", ""), true},
		{"as acknowledged", item("m1", "old", "old"), false},
		{"changed", item("m1", "new", "old"), true},
		{"removed", item("m1", "", "old"), true},
		{"removed, and unknown to the CRM", item("m1", "", ""), false},
		{"set aside", change(item("m1", "new", "old"), func(i *thread.Item) { i.SetAside = i.View() }), false},
		{"set aside before it changed", change(item("m1", "new", "old"), func(i *thread.Item) { i.SetAside = hashOf("m1", "bad") }), true},
		{"set aside, then as acknowledged", change(item("m1", "old", "old"), func(i *thread.Item) { i.SetAside = hashOf("m1", "bad") }), true},
		{"set aside, then removed", change(item("m1", "", ""), func(i *thread.Item) { i.SetAside = hashOf("m1", "bad") }), true},
		{"another writer's", change(item("m1", "new", "old"), func(i *thread.Item) { i.Theirs = true }), false},
	}
	for _, tt := range tests {
		if got := tt.item.Dirty(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestPastKeepsTheLatest(t *testing.T) {
	s := thread.NewState()
	text := func(n int) string { return string(rune('A' + n)) }
	for n := range 100 {
		s.Fold(updated("T1", int64(n), 1, "m1", text(n%70)))
	}
	past := s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: "m1"}].Past
	for n := range 70 {
		// The last 64 of 0…69, 0…29 without repetition are 36…69 and 0…29.
		if got, want := past.Has(hashOf("m1", text(n))), n < 30 || n >= 36; got != want {
			t.Errorf("value %d: %v", n, got)
		}
	}
}
