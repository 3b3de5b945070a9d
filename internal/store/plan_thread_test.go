package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// threadRows is a database as a plan sees it: it does what Plan tells an implementation to do, and
// fails where a database would.
type threadRows struct {
	threads map[string]store.ThreadRow
	items   map[thread.ItemKey]thread.Item
	events  map[thread.Key]bool
	audit   []audit.Entry
}

func newThreadRows() *threadRows {
	return &threadRows{threads: make(map[string]store.ThreadRow), items: make(map[thread.ItemKey]thread.Item), events: make(map[thread.Key]bool)}
}

// read returns copies of rows, as a database does.
func (db *threadRows) read(ids []string) map[string]*store.ThreadRow {
	found := make(map[string]*store.ThreadRow)
	for _, id := range ids {
		if row, ok := db.threads[id]; ok {
			row.Links.Loose, row.Links.Past = slices.Clone(row.Links.Loose), slices.Clone(row.Links.Past)
			found[id] = &row
		}
	}
	return found
}

func (db *threadRows) commit(t failer, now time.Time, entries ...store.Entry) []store.Outcome {
	batch := store.Batch{Entries: entries, Now: now, Judge: judge}
	existing := store.Existing{Threads: db.read(batch.ThreadIDs()), Items: make(map[thread.ItemKey]*thread.Item), Events: make(map[thread.Key]bool)}
	for _, key := range batch.ItemKeys() {
		if item, ok := db.items[key]; ok {
			existing.Items[key] = &item
		}
	}
	for _, key := range batch.EventKeys() {
		if db.events[key] {
			existing.Events[key] = true
		}
	}
	plan := store.MakePlan(batch, existing)
	for _, e := range plan.Events {
		if db.events[e.Key] {
			t.Fatalf("the event %s is in the journal already", e.Raw)
		}
		db.events[e.Key] = true
	}
	if !slices.IsSortedFunc(plan.Events, func(a, b *thread.Event) int { return bytes.Compare(a.Key[:], b.Key[:]) }) {
		t.Fatalf("the events are not sorted")
	}
	db.write(t, &plan.Threads)
	return plan.Outcomes()
}

func (db *threadRows) write(t failer, w *store.ThreadWrites) {
	for _, row := range w.Inserts {
		if _, exists := db.threads[row.ID]; exists {
			t.Fatalf("insert of %s, which exists", row.ID)
		}
		db.threads[row.ID] = *row
	}
	for _, u := range w.Updates {
		if _, exists := db.threads[u.ID]; !exists {
			t.Fatalf("update of %s, which does not exist", u.ID)
		}
		db.threads[u.ID] = *u.ThreadRow
	}
	for _, item := range w.Items {
		if item.Dirty() && item.Rev == 0 {
			t.Fatalf("%v is dirty since no revision", item.ItemKey)
		}
		db.items[item.ItemKey] = *item
	}
	db.audit = append(db.audit, w.Audit...)
	byID := func(a, b *store.ThreadRow) int { return strings.Compare(a.ID, b.ID) }
	byKey := func(a, b *thread.Item) int {
		return strings.Compare(a.ThreadID+"\x00"+string(a.Kind)+"\x00"+a.ID, b.ThreadID+"\x00"+string(b.Kind)+"\x00"+b.ID)
	}
	if !slices.IsSortedFunc(w.Inserts, byID) || !slices.IsSortedFunc(w.Items, byKey) ||
		!slices.IsSortedFunc(w.Updates, func(a, b store.ThreadUpdate) int { return byID(a.ThreadRow, b.ThreadRow) }) {
		t.Fatalf("the rows are not sorted: %+v", w)
	}
}

// requireUnbroken verifies the chains against the heads in the rows.
func (db *threadRows) requireUnbroken(t failer) {
	entries := slices.Clone(db.audit)
	slices.SortStableFunc(entries, func(a, b audit.Entry) int { return strings.Compare(a.Subject, b.Subject) })
	v := audit.Verifier{Heads: make(map[string]audit.Head)}
	for id, row := range db.threads {
		v.Heads[audit.ThreadSubject(id)] = row.Audit
	}
	for _, e := range entries {
		v.Entry(e)
	}
	v.Finish()
	if len(v.Problems) > 0 {
		t.Fatalf("the audit: %v", v.Problems)
	}
}

func threadEvent(kind thread.Type, id, parent string, version int, messages ...string) *thread.Event {
	e := &thread.Event{Type: kind, ThreadID: id, Parent: parent, NamesParent: parent != "", Version: int64(version), UpdatedAt: now.Add(time.Duration(version) * time.Second), Received: now}
	for _, m := range messages {
		e.Messages = append(e.Messages, thread.Message{ID: m, Text: "text of " + m})
	}
	return sealed(e)
}

func sealed(e *thread.Event) *thread.Event {
	e.Raw, _ = json.Marshal(e)
	e.Key = sha256.Sum256(e.Raw)
	return e
}

func entriesOf(events ...*thread.Event) []store.Entry {
	entries := make([]store.Entry, len(events))
	for i, e := range events {
		entries[i].Thread = e
	}
	return entries
}

func drawThreadEvent(t *rapid.T) *thread.Event {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	kind := thread.Type(pick("type", string(thread.Updated), string(thread.Merged), string(thread.Split)))
	id, parent := pick("thread", "a", "b", "c"), pick("parent", "", "a", "b", "c")
	if parent == id {
		parent = ""
	}
	e := threadEvent(kind, id, parent, rapid.IntRange(0, 3).Draw(t, "version"), rapid.SliceOfN(rapid.SampledFrom([]string{"m", "n"}), 0, 2).Draw(t, "messages")...)
	if rapid.Bool().Draw(t, "participant") {
		e.Participants = []thread.Participant{{ID: "p", Name: pick("name", "Ann", "Bob")}}
	}
	e.Raw = nil
	return sealed(e)
}

// The rows are those of one fold, however the events come; and each batch raises what it shows once.
func TestThreadPlanInAnyOrderAndBatching(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawThreadEvent), 1, 10).Draw(t, "events")
		db, state := newThreadRows(), thread.NewState()
		arriving := rapid.Permutation(append(slices.Clone(all), all[:len(all)/2]...)).Draw(t, "arriving")
		known := make(map[thread.Key]bool)
		for rest := arriving; len(rest) > 0; {
			size := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			before := maps.Clone(db.threads)
			outcomes := db.commit(t, now, entriesOf(rest[:size]...)...)
			shown := make(map[string]bool)
			for i, e := range rest[:size] {
				var shows []string
				if !known[e.Key] {
					shows = state.Fold(e)
				}
				if outcomes[i].Duplicate != known[e.Key] || outcomes[i].Stale != (len(shows) == 0) {
					t.Fatalf("outcome %+v of %s", outcomes[i], e.Raw)
				}
				known[e.Key] = true
				for _, id := range shows {
					shown[id] = true
				}
				if rev := outcomes[i].Rev; rev > db.threads[e.ThreadID].Sync.Want || shown[e.ThreadID] && rev != db.threads[e.ThreadID].Sync.Want {
					t.Fatalf("the event has revision %d of a thread that wants %d", rev, db.threads[e.ThreadID].Sync.Want)
				}
				// An event that comes later in the batch may give the parent its revision.
				if rev, want := outcomes[i].ParentRev, db.threads[e.Parent].Sync.Want; rev > want || slices.Contains(shows, e.Parent) && rev != want {
					t.Fatalf("the event has revision %d of a parent that wants %d", rev, want)
				}
			}
			for id, row := range db.threads {
				want := before[id].Sync.Want
				if shown[id] {
					want++
				}
				if row.Sync.Want != want {
					t.Fatalf("%s wants %d, want %d", id, row.Sync.Want, want)
				}
			}
			rest = rest[size:]
		}
		db.requireState(t, state)
		db.requireUnbroken(t)
		if len(db.events) != len(known) {
			t.Fatalf("%d events in the journal, want %d", len(db.events), len(known))
		}
	})
}

func (db *threadRows) requireState(t failer, state *thread.State) {
	threads, items := make(map[string]*thread.Thread), make(map[thread.ItemKey]*thread.Item)
	for id, row := range db.threads {
		threads[id] = &row.Thread
	}
	for key, item := range db.items {
		items[key] = &item
	}
	ignored := cmp.Options{cmpopts.IgnoreFields(thread.Item{}, "Rev"), cmpopts.IgnoreFields(thread.Links{}, "LooseRev"), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(state.Threads, threads, ignored); diff != "" {
		t.Fatalf("threads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(state.Items, items, ignored); diff != "" {
		t.Fatalf("items (-want +got):\n%s", diff)
	}
}

func TestThreadPlanTouchesOnlyWhatChanges(t *testing.T) {
	first := threadEvent(thread.Updated, "t", "p", 5, "a", "b")
	for name, test := range map[string]struct {
		event *thread.Event
		want  string // inserts, updates, items, events, audit
	}{
		"known":                     {first, "0 0 0 0 0"},
		"brings nothing new":        {threadEvent(thread.Updated, "t", "", 4, "a"), "0 0 0 1 0"},
		"a version alone":           {threadEvent(thread.Updated, "t", "", 6), "0 1 0 1 1"},
		"an old version with a new": {threadEvent(thread.Updated, "t", "", 4, "c"), "0 1 1 1 1"},
		"an older link":             {threadEvent(thread.Updated, "t", "q", 4), "0 0 0 1 0"},
		"a higher link":             {threadEvent(thread.Merged, "t", "q", 6), "0 1 0 1 1"},
		"split off":                 {threadEvent(thread.Split, "c", "t", 6, "a"), "1 1 2 1 2"},
		"split off what is newer":   {threadEvent(thread.Split, "c", "t", 4, "a"), "1 0 2 1 1"},
		"split off a stranger":      {threadEvent(thread.Split, "c", "s", 4, "a"), "2 0 2 1 1"},
		"split without messages":    {threadEvent(thread.Split, "c", "s", 4), "1 0 0 1 1"},
		"merged under a stranger":   {threadEvent(thread.Merged, "c", "s", 4), "1 0 0 1 1"},
	} {
		db := newThreadRows()
		db.commit(t, now, entriesOf(first)...)
		batch := store.Batch{Entries: entriesOf(test.event), Now: now, Judge: judge}
		items := make(map[thread.ItemKey]*thread.Item)
		for key, item := range db.items {
			items[key] = &item
		}
		plan := store.MakePlan(batch, store.Existing{Threads: db.read(batch.ThreadIDs()), Items: items, Events: db.events})
		w := plan.Threads
		if got := fmt.Sprint(len(w.Inserts), len(w.Updates), len(w.Items), len(plan.Events), len(w.Audit)); got != test.want {
			t.Errorf("%s: inserts, updates, items, events, audit = %s, want %s", name, got, test.want)
		}
	}
}

func TestThreadPlanRaises(t *testing.T) {
	later := now.Add(time.Hour)
	event := entriesOf(threadEvent(thread.Updated, "t", "", 6, "m"))
	for name, test := range map[string]struct{ before, after store.Sync }{
		"synced": {store.Sync{Want: 3, Done: 3, LastStatus: 200}, store.Sync{Want: 4, Done: 3, Since: later, LastStatus: 200}},
		"behind": {store.Sync{Want: 3, Done: 2, Since: now}, store.Sync{Want: 4, Done: 2, Since: now}},
		"parked": {
			store.Sync{Want: 3, Done: 2, Since: now, Parked: true, Attempts: 2, LastError: "x"},
			store.Sync{Want: 4, Done: 2, Since: later, LastError: "x"},
		},
		"retrying": {
			store.Sync{Want: 3, Done: 2, Since: now, Due: later, Attempts: 2, Uncertain: true},
			store.Sync{Want: 4, Done: 2, Since: now, Due: later, Attempts: 2, Uncertain: true},
		},
		"leased": {
			store.Sync{Want: 3, Done: 2, Since: now, LeaseUntil: later, Epoch: 7},
			store.Sync{Want: 4, Done: 2, Since: now, LeaseUntil: later, Epoch: 7},
		},
	} {
		db := newThreadRows()
		db.threads["t"] = store.ThreadRow{Thread: thread.Thread{ID: "t", Own: true}, Sync: test.before, Changed: now}
		db.commit(t, later, event...)
		if diff := cmp.Diff(test.after, db.threads["t"].Sync); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !db.threads["t"].Changed.Equal(later) {
			t.Errorf("%s: changed %v", name, db.threads["t"].Changed)
		}
	}
}

// Items keep the revision at which the CRM began to lack them, where nothing of them changes.
func TestThreadPlanRevisionsOfItems(t *testing.T) {
	db := newThreadRows()
	db.commit(t, now, entriesOf(threadEvent(thread.Updated, "t", "", 1, "a", "b"))...)
	db.commit(t, now, entriesOf(threadEvent(thread.Updated, "t", "", 2, "c"))...)
	db.commit(t, now, entriesOf(threadEvent(thread.Split, "s", "t", 3, "b"), threadEvent(thread.Updated, "t", "", 4, "d"))...)
	got := make(map[string]int64)
	for key, item := range db.items {
		got[key.ThreadID+"/"+key.ID] = item.Rev
	}
	// What was taken away before the CRM acknowledged it may be on its way there.
	want := map[string]int64{"t/a": 1, "t/b": 3, "t/c": 2, "t/d": 3, "s/b": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
	if b := db.items[thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "b"}]; b.Dirty() {
		t.Error("what the CRM never had is to be removed from it")
	}
}

func TestThreadPlanAudit(t *testing.T) {
	db := newThreadRows()
	entries := entriesOf(threadEvent(thread.Updated, "t", "", 1, "m"), threadEvent(thread.Split, "s", "t", 2, "m"), threadEvent(thread.Updated, "t", "", 0))
	entries[1].Resolves = 7
	db.commit(t, now, entries...)
	db.commit(t, now, entries...)
	var told []string
	for _, e := range db.audit {
		told = append(told, fmt.Sprintf("%s %d %s %s %s", e.Subject, e.Seq, e.Action, e.Outcome, e.Detail))
	}
	want := []string{
		`s 1 replay accepted {"deadLetter":7,"messages":1,"parent":"t","participants":0,"thread":"s","type":"THREAD_SPLIT","version":2}`,
		`t 1 event accepted {"messages":1,"participants":0,"thread":"t","type":"THREAD_UPDATED","version":1}`,
		`t 2 replay accepted {"deadLetter":7,"messages":1,"parent":"t","participants":0,"thread":"s","type":"THREAD_SPLIT","version":2}`,
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	db.requireUnbroken(t)
}

func TestThreadKeysOfABatch(t *testing.T) {
	split := threadEvent(thread.Split, "b", "C", 1, "m", "a")
	batch := store.Batch{Entries: append(entriesOf(threadEvent(thread.Merged, "c", "x", 1, "m"), split, split), store.Entry{DeadLetter: &store.DeadLetter{}})}
	if got, want := batch.ThreadIDs(), []string{"C", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("ThreadIDs = %q, want %q", got, want)
	}
	var keys []string
	for _, k := range batch.ItemKeys() {
		keys = append(keys, k.ThreadID+"/"+k.ID)
	}
	if want := []string{"C/a", "C/m", "b/a", "b/m", "c/m"}; !slices.Equal(keys, want) {
		t.Errorf("ItemKeys = %q, want %q", keys, want)
	}
	if got := batch.EventKeys(); len(got) != 2 || bytes.Compare(got[0][:], got[1][:]) >= 0 {
		t.Errorf("EventKeys = %x", got)
	}
	if got := batch.MessageIDs(); len(got) != 0 {
		t.Errorf("MessageIDs = %q", got)
	}
}
