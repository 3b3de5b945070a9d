package thread_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// world is a model of all that stands around the package: the rows of a store, the pushes of a
// syncer, and a CRM. It has one rule of each: a thread is pushed when its own state has changed or
// when it was disturbed, and otherwise not.
type world struct {
	*rapid.T
	state   *thread.State
	crm     *aCRM
	sync    map[string]*progress
	flights []*flight
	chunk   int

	isLossy bool // answers of the CRM get lost
}

type progress struct {
	want, done int64
	uncertain  bool
	isLeased   bool
}

// flight is a push that has begun: what was read when it did.
type flight struct {
	rev       int64
	thread    *thread.Thread
	delta     *thread.Delta
	more      bool
	uncertain bool
	checked   []string
	disturbed []string
	touched   []*thread.Item
}

func newWorld(t *rapid.T) *world {
	return &world{
		T: t, state: thread.NewState(), crm: newCRM(), sync: make(map[string]*progress),
		chunk: rapid.SampledFrom([]int{1, 2, 500}).Draw(t, "chunk"),
	}
}

func (w *world) happen(e *thread.Event) {
	for _, id := range e.ThreadIDs() {
		if w.sync[id] == nil {
			w.sync[id] = new(progress)
		}
	}
	before := linksOf(w.state)[e.ThreadID]
	shown := w.state.Fold(e)
	for _, id := range shown {
		w.sync[id].want++
	}
	t := w.state.Threads[e.ThreadID]
	if t.Link() != before {
		t.Links.LooseRev = w.sync[t.ID].want
	}
	for _, key := range e.Items() {
		if item := w.state.Items[key]; item.Dirty() && slices.Contains(shown, key.ThreadID) {
			item.Rev = w.sync[key.ThreadID].want
		}
	}
}

// due returns the threads that wait to be pushed.
func (w *world) due() (ids []string) {
	for _, id := range slices.Sorted(maps.Keys(w.sync)) {
		if p := w.sync[id]; p.want > p.done && !p.isLeased {
			ids = append(ids, id)
		}
	}
	return ids
}

// begin leases a thread and reads it.
func (w *world) begin(id string) {
	p, t, links := w.sync[id], *w.state.Threads[id], linksOf(w.state)
	p.isLeased = true
	t.Links.Loose, t.Links.Past = slices.Clone(t.Links.Loose), slices.Clone(t.Links.Past)
	var dirty, unsure []*thread.Item
	for key, item := range w.state.Items {
		c := *item
		switch {
		case key.ThreadID != id:
		case item.Dirty():
			dirty = append(dirty, &c)
		case p.uncertain && !item.Theirs && item.Rev > p.done:
			unsure = append(unsure, &c)
		}
	}
	slices.SortFunc(dirty, func(a, b *thread.Item) int {
		return cmp.Or(cmp.Compare(a.Rev, b.Rev), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	f := &flight{rev: p.want, thread: &t, uncertain: p.uncertain, checked: t.Links.Loose, more: len(dirty) > w.chunk}
	if f.more {
		dirty, unsure = dirty[:w.chunk], nil
	}
	f.delta = thread.NewDelta(&t, thread.FollowedParent(id, links), append(dirty, unsure...))
	f.disturbed = thread.Disturbed(id, t.Links.Loose, links)
	w.flights = append(w.flights, f)
}

// end sends what a flight has read, and records what became of it.
func (w *world) end(f *flight) {
	w.flights = slices.DeleteFunc(w.flights, func(other *flight) bool { return other == f })
	id := f.thread.ID
	p, t := w.sync[id], w.state.Threads[id]
	p.isLeased = false
	f.touched = f.delta.Items
	ok := w.push(f)
	if ok && !f.more {
		p.done, p.uncertain = f.rev, false
	} else {
		p.uncertain = f.uncertain
	}
	t.CRM = f.thread.CRM
	for _, item := range f.touched {
		row := w.state.Items[item.ItemKey]
		row.Acked, row.SetAside, row.Theirs = item.Acked, item.SetAside, item.Theirs
	}
	if t.Links.LooseRev <= f.rev {
		t.Links.Loose = slices.DeleteFunc(t.Links.Loose, func(id string) bool { return slices.Contains(f.checked, id) })
	}
	for _, other := range f.disturbed {
		if t := w.state.Threads[other]; t != nil && t.Own {
			w.sync[other].want++
		}
	}
	if len(w.crm.violations) > 0 {
		w.Fatalf("%v", w.crm.violations)
	}
}

// push sends a delta. It is false when the answer did not come.
func (w *world) push(f *flight) bool {
	c := &f.thread.CRM
	if !f.uncertain && f.delta.IsEmpty(c) {
		return true
	}
	for look := f.uncertain || c.Shared && f.delta.Overwrites(c); ; look = true {
		remote := w.crm.threads[f.thread.ID]
		create := remote == nil
		if create && !c.Exists {
			f.delta.Items = slices.DeleteFunc(slices.Clone(f.delta.Items), func(i *thread.Item) bool { return i.View().IsZero() })
		}
		if look && !create {
			r := thread.Resolve(f.thread, f.delta, w.crm.remote(remote), f.uncertain)
			isOurs := f.uncertain && r.Brought && remote.version == c.NextVersion()
			isKnown := !f.more && !w.crm.isTerse && (isOurs || !c.Exists)
			r.Copy.Shared = c.Shared || remote.version != c.Version && !isKnown
			*c, f.delta = r.Copy, r.Delta
			f.uncertain = f.uncertain && f.more
			if r.Done() {
				c.Head, c.UpdatedAt = f.delta.Version, f.delta.UpdatedAt
				return true
			}
		}
		fate := "answered"
		if w.isLossy {
			fate = rapid.SampledFrom([]string{"answered", "answered", "lost", "answer lost"}).Draw(w.T, "fate")
		}
		version := f.delta.PushVersion(c)
		raw := f.delta.JSON(version)
		var err error
		if fate != "lost" {
			err = w.crm.write(raw, create, c.ETag)
		}
		switch {
		case fate != "answered":
			f.uncertain = true
			return false
		case err == nil:
			w.acknowledge(f, version)
			return true
		case err == errGone:
			w.Fatalf("%s is gone", f.thread.ID)
		}
	}
}

func (w *world) acknowledge(f *flight, version int64) {
	for _, item := range f.delta.Items {
		item.Acked = item.View()
	}
	c := &f.thread.CRM
	c.Exists, c.Version, c.ETag = true, version, fmt.Sprint(w.crm.threads[f.thread.ID].tag)
	c.Head, c.UpdatedAt, c.Parent = f.delta.Version, f.delta.UpdatedAt, f.delta.Parent
}

// settle pushes until nothing is left to be pushed.
func (w *world) settle() {
	w.isLossy = false
	for pushes := 0; len(w.due())+len(w.flights) > 0; pushes++ {
		if pushes > 1000 {
			w.Fatal("the pushes do not come to an end")
		}
		if len(w.flights) > 0 {
			w.end(w.flights[0])
		} else {
			w.begin(w.due()[0])
		}
	}
}

// checkEqual checks that the CRM has what the threads show, and beside that other writers' work.
func (w *world) checkEqual() {
	links := linksOf(w.state)
	for id, t := range w.state.Threads {
		there := w.crm.threads[id]
		if there == nil {
			if t.Own {
				w.Fatalf("the CRM does not have %s", id)
			}
			continue
		}
		if parent := thread.FollowedParent(id, links); !there.linked && there.parent != parent {
			w.Fatalf("%s: parent %q, want %q", id, there.parent, parent)
		}
		if !t.CRM.Exists || t.CRM.Head != t.Version || !t.CRM.UpdatedAt.Equal(t.UpdatedAt) || t.CRM.Version > there.version {
			w.Fatalf("%s: copy %+v of version %d", id, t.CRM, there.version)
		}
		w.checkItems(id, "m ", thread.KindMessage, there.messages)
		w.checkItems(id, "p ", thread.KindParticipant, there.people)
	}
}

func (w *world) checkItems(threadID, list string, kind thread.ItemKind, has map[string]thread.Fields) {
	want := make(map[string]thread.Fields)
	for key, item := range w.state.Items {
		if key.ThreadID == threadID && key.Kind == kind && !item.View().IsZero() {
			var fields thread.Fields
			if err := json.Unmarshal(item.Content, &fields); err != nil {
				w.Fatal(err)
			}
			want[key.ID] = fields
		}
	}
	for name, value := range w.crm.threads[threadID].foreign {
		if id, isOurs := name[len(list):], name[:len(list)] == list; isOurs && value != nil {
			want[id] = value
		} else if isOurs {
			delete(want, id)
		}
	}
	if !maps.EqualFunc(has, want, func(a, b thread.Fields) bool { return maps.Equal(a, b) }) {
		w.Fatalf("%s: the CRM has %v, want %v", threadID, has, want)
	}
}

// live lets steps happen in some order, then everything come to rest.
func (w *world) live(steps ...string) {
	count := rapid.IntRange(1, 40).Draw(w.T, "steps")
	for n := range count {
		switch step := rapid.SampledFrom(steps).Draw(w.T, "step"); step {
		case "event":
			w.happen(events().Draw(w.T, "event"))
		case "begin":
			if due := w.due(); len(due) > 0 {
				w.begin(rapid.SampledFrom(due).Draw(w.T, "claimed"))
			}
		case "end":
			if len(w.flights) > 0 {
				w.end(w.flights[rapid.IntRange(0, len(w.flights)-1).Draw(w.T, "flight")])
			}
		case "settle":
			isLossy := w.isLossy
			w.settle()
			w.checkEqual()
			w.isLossy = isLossy
		default:
			w.crm.meddle(rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(w.T, "meddled with"), step,
				rapid.SampledFrom([]string{"m1", "m2", "m3"}).Draw(w.T, "message"), n)
		}
	}
	w.settle()
	w.checkEqual()
}

func TestDeltasMakeTheCRMEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		newWorld(t).live("event", "event", "event", "begin", "begin", "end", "end", "settle")
	})
}

func TestLostAnswersDoNoHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.isLossy = true
		w.live("event", "event", "begin", "end", "begin", "end", "settle")
	})
}

func TestLostAnswersOfATerseCRMDoNoHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.isLossy, w.crm.isTerse = true, true
		w.live("event", "event", "begin", "end", "begin", "end", "settle")
	})
}

func TestOtherWritersWorkStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		newWorld(t).live("event", "event", "begin", "end", "settle", "add", "edit", "remove", "rename", "link")
	})
}

func TestOtherWritersWorkStaysWhenAnswersAreLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.isLossy = true
		w.live("event", "event", "begin", "end", "begin", "end", "settle", "add", "edit", "rename", "link")
	})
}
