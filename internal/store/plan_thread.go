package store

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// ThreadWrites are the rows of threads that a transaction writes. All of their threads are locked,
// or new.
type ThreadWrites struct {
	Inserts []*ThreadRow
	Updates []ThreadUpdate
	Items   []*thread.Item // new ones, and ones that exist: each whole, with Dirty as it says
	Audit   []audit.Entry
}

// ThreadUpdate is a row to write in whole.
type ThreadUpdate struct {
	*ThreadRow

	// RetryIn is not 0 when Due is to be this time after now, by the clock of the database.
	RetryIn time.Duration
}

func (w *ThreadWrites) sort() {
	slices.SortFunc(w.Inserts, func(a, b *ThreadRow) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(w.Updates, func(a, b ThreadUpdate) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(w.Items, func(a, b *thread.Item) int { return compareItemKeys(a.ItemKey, b.ItemKey) })
	slices.SortFunc(w.Audit, func(a, b audit.Entry) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), cmp.Compare(a.Seq, b.Seq))
	})
}

func compareItemKeys(a, b thread.ItemKey) int {
	return cmp.Or(strings.Compare(a.ThreadID, b.ThreadID), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
}

// ThreadIDs returns the ids of the threads that the batch is about, sorted and each once.
func (b *Batch) ThreadIDs() []string {
	var ids []string
	for _, e := range b.Entries {
		if e.Thread != nil {
			ids = append(ids, e.Thread.ThreadIDs()...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ItemKeys returns the keys of the items that the batch is about, sorted and each once.
func (b *Batch) ItemKeys() []thread.ItemKey {
	var keys []thread.ItemKey
	for _, e := range b.Entries {
		if e.Thread != nil {
			keys = append(keys, e.Thread.Items()...)
		}
	}
	slices.SortFunc(keys, compareItemKeys)
	return slices.Compact(keys)
}

// EventKeys returns the keys of the events of threads in the batch, sorted and each once.
func (b *Batch) EventKeys() []thread.Key {
	var keys []thread.Key
	for _, e := range b.Entries {
		if e.Thread != nil {
			keys = append(keys, e.Thread.Key)
		}
	}
	slices.SortFunc(keys, func(a, b thread.Key) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(keys)
}

// threadMerger folds events into threads, and raises the revisions of those that show something new.
type threadMerger struct {
	plan   *Plan
	rows   map[string]*ThreadRow
	isNew  map[string]bool
	raised map[string]bool // by this batch
	known  map[thread.Key]bool
	state  *thread.State
	now    time.Time
}

func newThreadMerger(p *Plan, existing *Existing, now time.Time) *threadMerger {
	m := &threadMerger{
		plan: p, rows: existing.Threads, isNew: make(map[string]bool), raised: make(map[string]bool),
		known: existing.Events, state: thread.NewState(), now: now,
	}
	if m.rows == nil {
		m.rows = make(map[string]*ThreadRow)
	}
	if m.known == nil {
		m.known = make(map[thread.Key]bool)
	}
	for id, row := range m.rows {
		m.state.Threads[id] = &row.Thread
	}
	if existing.Items != nil {
		m.state.Items = existing.Items
	}
	return m
}

// fold applies the event of an entry, and says what became of it.
func (m *threadMerger) fold(entry int, e *Entry) {
	outcome := &m.plan.outcomes[entry]
	if m.known[e.Thread.Key] {
		outcome.Duplicate, outcome.Stale = true, true
	} else {
		outcome.Stale = !m.apply(e)
	}
	outcome.Rev = m.rows[e.Thread.ThreadID].Sync.Want
	outcome.ParentRev = m.parentRev(e.Thread)
}

// apply applies an event that was not known, and reports whether any thread shows something new.
func (m *threadMerger) apply(e *Entry) (isShown bool) {
	m.known[e.Thread.Key] = true
	m.plan.Events = append(m.plan.Events, e.Thread)
	m.addRows(e.Thread)
	row := m.rows[e.Thread.ThreadID]
	link := row.Link()
	shown := m.state.Fold(e.Thread)
	for _, id := range shown {
		m.raise(id, e.Trace)
		m.plan.Threads.Audit = append(m.plan.Threads.Audit, m.rows[id].appendAudit(eventNote(e), m.now))
	}
	if !row.Link().Equal(link) {
		row.Links.LooseRev = row.Sync.Want
	}
	return len(shown) > 0
}

// parentRev returns the revision in which the parent lacks the messages that an event took out of it: 0
// when no event of the parent has listed any of them, because then they never were in the CRM's parent.
func (m *threadMerger) parentRev(e *thread.Event) int64 {
	if !e.TakesFromParent() {
		return 0
	}
	for i := range e.Messages {
		taken := m.state.Items[thread.ItemKey{ThreadID: e.Parent, Kind: thread.KindMessage, ID: e.Messages[i].ID}]
		if taken != nil && !taken.Stamp.Hash.IsZero() {
			return m.rows[e.Parent].Sync.Want
		}
	}
	return 0
}

// addRows adds the rows of an event's threads that do not exist.
func (m *threadMerger) addRows(e *thread.Event) {
	for _, id := range e.ThreadIDs() {
		if m.rows[id] == nil {
			row := &ThreadRow{Thread: thread.Thread{ID: id}, FirstSeen: e.Received, Changed: m.now}
			m.rows[id], m.isNew[id] = row, true
			m.state.Threads[id] = &row.Thread
			m.state.ChangedThreads[id] = true
		}
	}
}

// raise makes a thread due, once in a batch. Of the events that do so in one batch, the trace of the
// last one is kept.
func (m *threadMerger) raise(id, trace string) {
	if !m.raised[id] {
		m.raised[id] = true
		m.rows[id].raise(m.now)
	}
	m.rows[id].Sync.Trace = trace
}

// raise gives the thread a new revision, which the CRM is to be told of. One that is parked is
// tried again; one that waits after a failure goes on waiting.
func (r *ThreadRow) raise(now time.Time) {
	s := &r.Sync
	if s.Want == s.Done || s.Parked {
		s.Since, s.Due, s.Attempts, s.Parked = now, time.Time{}, 0, false
	}
	s.Want++
	s.Trace = ""
	r.Changed = now
}

// appendAudit adds a note to the chain of the thread, whose name it gets, and returns the entry.
func (r *ThreadRow) appendAudit(n audit.Note, now time.Time) audit.Entry {
	n.Subject = audit.ThreadSubject(r.ID)
	return r.Audit.Append(n, now)
}

// eventNote says that an event was applied.
func eventNote(e *Entry) audit.Note {
	ev := e.Thread
	note := audit.Note{Action: audit.ActionEvent, Outcome: "accepted", Detail: audit.Detail{
		"type": ev.Type, "thread": ev.ThreadID, "version": ev.Version,
		"messages": len(ev.Messages), "participants": len(ev.Participants),
	}}
	if ev.Parent != "" {
		note.Detail["parent"] = ev.Parent
	}
	if e.Resolves != 0 {
		note.Action, note.Detail["deadLetter"] = audit.ActionReplay, e.Resolves
	}
	return note
}

// finish collects the rows to write, once all events are folded.
func (m *threadMerger) finish() {
	w := &m.plan.Threads
	for key := range m.state.ChangedItems {
		item, row := m.state.Items[key], m.rows[key.ThreadID]
		if m.raised[key.ThreadID] { // also when it is not dirty: a push that is on its way may make it so
			item.Rev = row.Sync.Want
		}
		w.Items = append(w.Items, item)
	}
	for id, row := range m.rows {
		switch {
		case m.isNew[id]:
			w.Inserts = append(w.Inserts, row)
		case m.raised[id] || m.state.ChangedThreads[id]:
			w.Updates = append(w.Updates, ThreadUpdate{ThreadRow: row})
		}
	}
	w.sort()
	slices.SortFunc(m.plan.Events, func(a, b *thread.Event) int { return bytes.Compare(a.Key[:], b.Key[:]) })
}
