package thread_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// told returns the fields that the CRM tells of a message with a text.
func told(id, text string) thread.Fields {
	m := message(id, text)
	var fields thread.Fields
	if err := json.Unmarshal(m.Content(), &fields); err != nil {
		panic(err)
	}
	return fields
}

// What becomes of a message m1 that the thread shows as "ours", after it was "old".
func TestResolveItems(t *testing.T) {
	without := func(f thread.Fields, names ...string) thread.Fields {
		for _, name := range names {
			delete(f, name)
		}
		return f
	}
	relisted := item("m1", "", "old") // and then the thread listed it again
	relisted.ListedAt = minute(9)
	past := func(i *thread.Item) *thread.Item { // "old" and "ours" were values; the CRM acknowledged none
		i.Acked = thread.Hash{}
		return i
	}
	tests := []struct {
		name      string
		item      *thread.Item
		has       thread.Fields // nil: it does not have it
		uncertain bool

		rest   string // the list in which it is pushed; "" when it is not
		theirs bool
		acked  string // the text that the CRM has; "" for none, "?" for one that it does not tell
	}{
		{"not there, and new", item("m1", "ours", ""), nil, false, "addedMessages", false, ""},
		{"there as ours", item("m1", "ours", ""), told("m1", "ours"), false, "", false, "ours"},
		{"there as ours, and acknowledged otherwise", item("m1", "ours", "old"), told("m1", "ours"), false, "", false, "ours"},
		{"there as acknowledged", item("m1", "ours", "old"), told("m1", "old"), false, "updatedMessages", false, "old"},
		{"there as an earlier value", past(item("m1", "ours", "old")), told("m1", "old"), false, "updatedMessages", false, "old"},
		{"another writer's value", item("m1", "ours", "old"), told("m1", "theirs"), false, "", true, "theirs"},
		{"another writer's value, uncertain", item("m1", "ours", "old"), told("m1", "theirs"), true, "", true, "theirs"},
		{"another writer's under our id", item("m1", "ours", ""), told("m1", "theirs"), false, "", true, "theirs"},
		{"another writer has removed it", item("m1", "ours", "old"), nil, false, "", true, ""},
		{"another writer has removed it, uncertain", item("m1", "ours", "old"), nil, true, "", true, ""},

		{"to remove, there as acknowledged", item("m1", "", "old"), told("m1", "old"), false, "removedMessages", false, "old"},
		{"to remove, changed by another writer", item("m1", "", "old"), told("m1", "theirs"), false, "", true, "theirs"},
		{"to remove, not there by another writer", item("m1", "", "old"), nil, false, "", true, ""},
		{"to remove, not there, perhaps by us", item("m1", "", "old"), nil, true, "", false, ""},
		{"pushed without an answer, then taken away", past(item("m1", "", "old")), told("m1", "old"), true, "removedMessages", false, "old"},
		{"removed without an answer, then listed again", relisted, nil, true, "addedMessages", false, ""},

		{"time in another spelling", item("m1", "ours", "old"), thread.Fields{"id": "m1", "text": "ours", "timestamp": "2026-03-14T10:01:00.000+0100"}, false, "", false, "ours"},
		{"fields that are not told", item("m1", "ours", "old"), without(told("m1", "old"), "direction", "timestamp"), false, "updatedMessages", false, "old"},
		{"fields that we do not know", item("m1", "ours", "ours"), thread.Fields{"id": "m1", "text": "ours", "colour": "red"}, false, "", false, "ours"},
		{"id alone, new", item("m1", "ours", ""), thread.Fields{"id": "m1"}, false, "", false, "ours"},
		{"id alone, new, uncertain", item("m1", "ours", ""), thread.Fields{"id": "m1"}, true, "", false, "ours"},
		{"id alone, two values, uncertain", past(item("m1", "ours", "old")), thread.Fields{"id": "m1"}, true, "updatedMessages", false, "?"},
		{"id alone, acknowledged", item("m1", "ours", "old"), thread.Fields{}, false, "updatedMessages", false, "old"},
		{"id alone, to remove", item("m1", "", "old"), thread.Fields{"id": "m1"}, false, "removedMessages", false, "old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := &thread.Thread{ID: "T1", Version: 4, CRM: thread.Copy{Exists: true, Version: 4, Head: 4}}
			remote := &thread.Remote{Version: 6, ETag: "x", Messages: make(map[string]thread.Fields)}
			if tt.has != nil {
				remote.Messages["m1"] = tt.has
			}
			i := *tt.item
			r := thread.Resolve(row, thread.NewDelta(row, "", []*thread.Item{&i}), remote, tt.uncertain)
			list := ""
			for name := range r.Delta.Lists() {
				list = name
			}
			if list != tt.rest || len(r.Settled)+len(r.Delta.Items) != 1 || r.Done() != (tt.rest == "") {
				t.Errorf("pushed as %q, settled %d", list, len(r.Settled))
			}
			acked := thread.Hash{}
			if tt.acked != "" {
				acked = hashOf("m1", tt.acked)
			}
			isAcked := i.Acked == acked || tt.acked == "?" && !i.Acked.IsZero() && i.Acked != i.View()
			if i.Theirs != tt.theirs || !isAcked {
				t.Errorf("theirs: %v, acked %x", i.Theirs, i.Acked)
			}
			if tt.rest == "" && i.Dirty() {
				t.Error("it is still dirty")
			}
			if r.Copy.Version != 6 || r.Copy.ETag != "x" || !r.Copy.Exists {
				t.Errorf("copy %+v", r.Copy)
			}
		})
	}
}

// A CRM may store times less precisely than they came. What it then tells is our own.
func TestResolveStoredTimes(t *testing.T) {
	at := func(text string) time.Time {
		parsed, ok := thread.ParseTime(text)
		if !ok {
			t.Fatalf("%q is no time", text)
		}
		return parsed
	}
	const ours = "2026-03-14T09:01:02.345678Z"
	for has, isOurs := range map[string]bool{
		ours:                               true,
		"2026-03-14T10:01:02.345678+01:00": true,
		"2026-03-14T09:01:02.345Z":         true,
		"2026-03-14T09:01:02.346Z":         true,
		"2026-03-14T09:01:02Z":             true,
		"2026-03-14T09:01:02.34Z":          false,
		"2026-03-14T09:01:02.344Z":         false,
		"2026-03-14T09:01:02.345677Z":      false,
		"2026-03-14T09:01:01Z":             false,
		"2026-03-14T09:01:03Z":             false,
		"2026-03-14T09:01:00Z":             false,
		"soon":                             false,
	} {
		t.Run(has, func(t *testing.T) {
			e := updated("T1", 4, 4, "m1", "ours")
			e.Messages[0].Timestamp, e.UpdatedAt = ours, at(ours)
			s := fold(e)
			row, i := s.Threads["T1"], s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: "m1"}]
			fields := told("m1", "ours")
			fields["timestamp"] = has
			remote := &thread.Remote{Version: 4, Messages: map[string]thread.Fields{"m1": fields}}
			thread.Resolve(row, thread.NewDelta(row, "", []*thread.Item{i}), remote, true)
			if i.Theirs == isOurs || isOurs && i.Acked != i.View() {
				t.Errorf("theirs: %v", i.Theirs)
			}
			if has == "soon" {
				return
			}
			remote.UpdatedAt = at(has)
			isOlder := !isOurs && remote.UpdatedAt.Before(row.UpdatedAt)
			if r := thread.Resolve(row, thread.NewDelta(row, "", nil), remote, true); r.Done() == isOlder {
				t.Errorf("done: %v", r.Done())
			}
		})
	}
}

// What the CRM has is an earlier value of ours, and not the present one stored to the second.
func TestResolveEarlierTime(t *testing.T) {
	earlier, later := updated("T1", 3, 3, "m1", "ours"), updated("T1", 4, 4, "m1", "ours")
	later.Messages[0].Timestamp = "2026-03-14T09:01:00.345Z"
	s := fold(earlier, later)
	row, i := s.Threads["T1"], s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: "m1"}]
	remote := &thread.Remote{Version: 3, Messages: map[string]thread.Fields{"m1": told("m1", "ours")}}
	r := thread.Resolve(row, thread.NewDelta(row, "", []*thread.Item{i}), remote, true)
	if len(r.Delta.Lists()["updatedMessages"]) != 1 || i.Theirs {
		t.Errorf("%+v, %+v", r, i)
	}
}

// Of a copy without messages only the version is used, whatever else it tells: the delta is pushed in
// whole, with our own link.
func TestResolveVersionOnly(t *testing.T) {
	for name, remote := range map[string]*thread.Remote{
		"nothing else":    {Version: 9},
		"no link":         {Version: 9, NamesParent: true},
		"another link":    {Version: 9, NamesParent: true, Parent: "folder"},
		"a later time":    {Version: 9, UpdatedAt: minute(59)},
		"the participant": {Version: 9, Participants: map[string]thread.Fields{"p1": {"id": "p1", "name": "Ada"}}},
	} {
		for _, uncertain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, uncertain %v", name, uncertain), func(t *testing.T) {
				row := &thread.Thread{ID: "T1", Version: 4, CRM: thread.Copy{Exists: true, Version: 4, Parent: "P"}}
				d := thread.NewDelta(row, "Q", []*thread.Item{item("m1", "ours", ""), person("p1", "Ada", "Bob")})
				r := thread.Resolve(row, d, remote, uncertain)
				if diff := cmp.Diff(d, r.Delta); diff != "" {
					t.Errorf("what is pushed is not the delta:\n%s", diff)
				}
				want := thread.Copy{Exists: true, Version: 9, Parent: "P"}
				if r.Copy != want || r.Kept != 0 || len(r.Settled) != 0 || r.Done() {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}

// What the CRM has of the thread itself is not known either: a link that was pushed without an answer, and is
// to be put back, is pushed although the CRM acknowledged it before.
func TestResolveVersionOnlyIsNeverDone(t *testing.T) {
	row := &thread.Thread{ID: "T1", Version: 4, CRM: thread.Copy{Exists: true, Version: 4, Head: 4, Parent: "P"}}
	if r := thread.Resolve(row, thread.NewDelta(row, "P", nil), &thread.Remote{Version: 5}, true); r.Done() {
		t.Errorf("%+v", r)
	}
}

func TestResolveWithoutParticipants(t *testing.T) {
	row := &thread.Thread{ID: "T1", Version: 4, CRM: thread.Copy{Exists: true, Version: 4}}
	d := thread.NewDelta(row, "", []*thread.Item{item("m1", "ours", ""), person("p1", "Ada", "Bob")})
	r := thread.Resolve(row, d, &thread.Remote{Version: 9, Messages: map[string]thread.Fields{"m1": told("m1", "ours")}}, false)
	if len(r.Settled) != 1 || len(r.Delta.Items) != 1 || r.Delta.Items[0].ID != "p1" || len(d.Items) != 2 {
		t.Errorf("%+v, %+v", r, d)
	}
}

// The link of T1, which was of T0 and is now of P.
func TestResolveParent(t *testing.T) {
	tests := []struct {
		name      string
		crm       thread.Copy
		has       string
		uncertain bool

		rest   string // the parent that is to be pushed
		theirs bool
	}{
		{"as acknowledged", thread.Copy{Exists: true, Parent: "T0"}, "T0", false, "P", false},
		{"as ours", thread.Copy{Exists: true, Parent: "T0"}, "P", false, "P", false},
		{"another writer's", thread.Copy{Exists: true, Parent: "T0"}, "folder", false, "folder", true},
		{"another writer's, uncertain", thread.Copy{Exists: true, Parent: "T0"}, "folder", true, "folder", true},
		{"another writer's unlinking", thread.Copy{Exists: true, Parent: "T0"}, "", false, "", true},
		{"cut by us, perhaps", thread.Copy{Exists: true, Parent: "T0"}, "", true, "P", false},
		{"pushed without an answer", thread.Copy{Exists: true}, "T0", true, "P", false},
		{"an earlier one, put back by another writer", thread.Copy{Exists: true}, "T0", false, "T0", true},
		{"made by another writer", thread.Copy{}, "", false, "P", false},
		{"made and linked by another writer", thread.Copy{}, "folder", false, "folder", true},
		{"another writer's again", thread.Copy{Exists: true, Parent: "folder", ParentTheirs: true}, "drawer", false, "drawer", true},
		{"another writer's still", thread.Copy{Exists: true, Parent: "folder", ParentTheirs: true}, "folder", false, "folder", true},
		{"another writer's, then an earlier one of ours", thread.Copy{Exists: true, Parent: "folder", ParentTheirs: true}, "T0", true, "T0", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := fold(event(thread.Merged, "T1", 1, 1, "T0"), event(thread.Merged, "T1", 2, 2, "P")).Threads["T1"]
			row.CRM = tt.crm
			remote := &thread.Remote{Version: 9, Parent: tt.has, NamesParent: true, Messages: map[string]thread.Fields{}}
			r := thread.Resolve(row, thread.NewDelta(row, "P", nil), remote, tt.uncertain)
			if r.Delta.Parent != tt.rest || r.Copy.ParentTheirs != tt.theirs || r.Copy.Parent != tt.has {
				t.Errorf("to push %q, theirs %v, copy %q", r.Delta.Parent, r.Copy.ParentTheirs, r.Copy.Parent)
			}
			if r.Done() != (tt.rest == tt.has) {
				t.Errorf("done: %v", r.Done())
			}
		})
	}
}

// While nobody knows what a push has left in the CRM, and the CRM does not tell, an item that shows what was
// acknowledged long ago stays dirty until it is acknowledged anew.
func TestResolveUnsureItemsStayDirty(t *testing.T) {
	idsAlone := map[string]thread.Fields{"m1": {"id": "m1"}}
	for name, remote := range map[string]*thread.Remote{
		"version only": {Version: 2}, "ids only": {Version: 2, Messages: idsAlone},
	} {
		for _, uncertain := range []bool{true, false} {
			m := item("m1", "x", "x")
			d := &thread.Delta{ThreadID: "T1", Version: 3, Items: []*thread.Item{m}}
			r := thread.Resolve(&thread.Thread{ID: "T1", CRM: thread.Copy{Exists: true, Version: 1}}, d, remote, uncertain)
			if m.Dirty() != uncertain || len(r.Delta.Items) != 1 {
				t.Errorf("%s, uncertain %v: dirty %v, %d to push", name, uncertain, m.Dirty(), len(r.Delta.Items))
			}
		}
	}
}

// A message that was taken away and came back, while nobody knows whether the CRM still has it, is added: a CRM
// that reports its version only may be unable to update it.
func TestResolveWithoutItemsAddsWhatCameBack(t *testing.T) {
	s := thread.NewState()
	s.Fold(updated("T1", 1, 1, "m1", "x"))
	m := s.Items[thread.ItemKey{ThreadID: "T1", Kind: thread.KindMessage, ID: "m1"}]
	m.Acked = m.View()
	s.Fold(event(thread.Split, "T2", 2, 2, "T1", "m1", "x"))
	s.Fold(updated("T1", 3, 3, "m1", "y"))
	for list, uncertain := range map[string]bool{"addedMessages": true, "updatedMessages": false} {
		item := *m
		d := &thread.Delta{ThreadID: "T1", Version: 3, Items: []*thread.Item{&item}}
		r := thread.Resolve(s.Threads["T1"], d, &thread.Remote{Version: 2}, uncertain)
		if got := r.Delta.Lists(); len(got[list]) != 1 {
			t.Errorf("uncertain %v: %v, want m1 in %s", uncertain, got, list)
		}
	}
}
