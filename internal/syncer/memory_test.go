package syncer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// memory is a database in memory, with the decisions of package store.
type memory struct {
	clock func() time.Time // of the database

	mu      sync.Mutex
	rows    map[string]*store.ThreadRow
	items   map[thread.ItemKey]*thread.Item
	events  map[thread.Key]bool
	letters map[[32]byte]*store.DeadLetter
	entries []audit.Entry
	paused  time.Time

	away    bool   // every call fails
	refused string // a thread of which nothing can be recorded but a failure
	calls   int
	records int
}

func newMemory() *memory {
	return &memory{
		clock: time.Now, rows: make(map[string]*store.ThreadRow), items: make(map[thread.ItemKey]*thread.Item),
		events: make(map[thread.Key]bool), letters: make(map[[32]byte]*store.DeadLetter),
	}
}

var errAway = fmt.Errorf("connection refused: %w", store.ErrUnavailable)

// enter locks the database, unless it is away.
func (m *memory) enter() error {
	m.mu.Lock()
	m.calls++
	if m.away {
		m.mu.Unlock()
		return errAway
	}
	return nil
}

func (m *memory) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func cloneRow(r *store.ThreadRow) *store.ThreadRow {
	c := *r
	c.Links.Past, c.Links.Loose = slices.Clone(r.Links.Past), slices.Clone(r.Links.Loose)
	return &c
}

func cloneItem(i *thread.Item) *thread.Item {
	c := *i
	c.Past, c.Content = slices.Clone(i.Past), slices.Clone(i.Content)
	return &c
}

// commit applies events and returns the revision of the last one's thread.
func (m *memory) commit(events ...*thread.Event) (rev int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.clock().UTC()
	b := store.Batch{Now: at}
	for _, e := range events {
		b.Entries = append(b.Entries, store.Entry{Thread: e})
	}
	existing := store.Existing{
		Threads: make(map[string]*store.ThreadRow), Items: make(map[thread.ItemKey]*thread.Item), Events: maps.Clone(m.events),
	}
	for _, id := range b.ThreadIDs() {
		if row := m.rows[id]; row != nil {
			existing.Threads[id] = cloneRow(row)
		}
	}
	for _, key := range b.ItemKeys() {
		if item := m.items[key]; item != nil {
			existing.Items[key] = cloneItem(item)
		}
	}
	p := store.MakePlan(b, existing)
	for _, row := range p.Threads.Inserts {
		m.rows[row.ID] = row
	}
	for _, item := range p.Threads.Items {
		m.items[item.ItemKey] = item
	}
	for _, e := range p.Events {
		m.events[e.Key] = true
	}
	m.write(&p.Threads, at)
	outcomes := p.Outcomes()
	return outcomes[len(outcomes)-1].Rev
}

func (m *memory) write(w *store.ThreadWrites, at time.Time) {
	for _, u := range w.Updates {
		row := *u.ThreadRow
		if u.RetryIn > 0 {
			row.Sync.Due = at.Add(u.RetryIn)
		}
		m.rows[u.ID] = &row
	}
	m.entries = append(m.entries, w.Audit...)
}

func (m *memory) ReleaseLeases(context.Context) error {
	if err := m.enter(); err != nil {
		return err
	}
	m.mu.Unlock()
	return nil
}

func (m *memory) Claim(_ context.Context, r store.ClaimRequest) (c store.Claimed, err error) {
	if err := m.enter(); err != nil {
		return c, err
	}
	defer m.mu.Unlock()
	at := m.clock()
	if m.paused.After(at) {
		return store.Claimed{Wait: m.paused.Sub(at), Paused: true}, nil
	}
	var due []*store.ThreadRow
	for _, row := range m.rows {
		s := &row.Sync
		if !row.Own || s.Want <= s.Done || s.Parked || r.Fresh && s.Attempts > 0 {
			continue
		}
		next := s.Due
		if s.LeaseUntil.After(next) {
			next = s.LeaseUntil
		}
		if next.After(at) {
			if wait := next.Sub(at); c.Wait == 0 || wait < c.Wait {
				c.Wait = wait
			}
			continue
		}
		due = append(due, row)
	}
	slices.SortFunc(due, func(a, b *store.ThreadRow) int {
		return cmp.Or(a.Sync.Since.Compare(b.Sync.Since), cmp.Compare(a.ID, b.ID))
	})
	for _, row := range due[:min(len(due), r.Limit)] {
		row.Sync.Uncertain = row.Sync.Uncertain || !row.Sync.LeaseUntil.IsZero()
		row.Sync.LeaseUntil = at.Add(r.Lease)
		row.Sync.Epoch++
		c.Work = append(c.Work, m.work(row, r.Items))
	}
	if len(c.Work) == r.Limit {
		c.Wait = 0
	}
	return c, nil
}

func (m *memory) work(row *store.ThreadRow, most int) store.Work {
	w := store.Work{
		Claim: store.Claim{ThreadID: row.ID, Epoch: row.Sync.Epoch}, Row: *cloneRow(row), Links: make(map[string]thread.Link),
	}
	for _, item := range m.items {
		switch {
		case item.ThreadID != row.ID || item.Theirs:
		case item.Dirty():
			w.Items = append(w.Items, cloneItem(item))
		case row.Sync.Uncertain && item.Rev > row.Sync.Done:
			w.Unsure = append(w.Unsure, cloneItem(item))
		}
		if item.ThreadID == row.ID && !item.SetAside.IsZero() && !item.Dirty() && !item.Theirs {
			w.Aside = max(w.Aside, item.Rev)
		}
	}
	byRev := func(a, b *thread.Item) int {
		return cmp.Or(cmp.Compare(a.Rev, b.Rev), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(w.Items, byRev)
	slices.SortFunc(w.Unsure, byRev)
	if len(w.Items) > most {
		w.Items, w.More, w.Unsure = w.Items[:most], true, nil
	}
	for _, from := range append([]string{row.ID}, row.Links.Loose...) {
		for at := from; m.rows[at] != nil && m.rows[at].Link().Parent != ""; at = m.rows[at].Link().Parent {
			if _, known := w.Links[at]; known {
				break
			}
			w.Links[at] = m.rows[at].Link()
		}
	}
	return w
}

func (m *memory) Extend(_ context.Context, claims []store.Claim, lease time.Duration) (lost []store.Claim, err error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	at := m.clock()
	for _, c := range claims {
		s := &m.rows[c.ThreadID].Sync
		if s.Epoch != c.Epoch || !s.LeaseUntil.After(at) {
			lost = append(lost, c)
			continue
		}
		s.LeaseUntil = at.Add(lease)
	}
	return lost, nil
}

func (m *memory) Record(_ context.Context, pushes []store.Push, now time.Time) ([]bool, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, p := range pushes {
		if p.ThreadID == m.refused && p.Copy != nil {
			return nil, fmt.Errorf("bad bytes: %w", store.ErrRefused)
		}
	}
	m.records++
	rows := make(map[string]*store.ThreadRow)
	for _, id := range store.PushThreadIDs(pushes) {
		if row := m.rows[id]; row != nil {
			rows[id] = cloneRow(row)
		}
	}
	p := store.PlanPushes(pushes, rows, now)
	for _, item := range m.items {
		if slices.Contains(p.Forget, item.ThreadID) {
			item.Acked, item.Theirs = thread.Hash{}, false
			if !item.SetAside.IsZero() {
				item.SetAside = thread.Retry
			}
		}
	}
	for _, item := range p.Items {
		known := m.items[item.ItemKey]
		known.Acked, known.SetAside, known.Theirs = item.Acked, item.SetAside, item.Theirs
	}
	m.write(&p.Threads, m.clock())
	for _, digest := range p.Solved {
		delete(m.letters, digest)
	}
	for _, l := range p.Letters {
		m.letters[l.Digest] = l.DeadLetter
	}
	return p.Held, nil
}

func (m *memory) Pause(_ context.Context, d time.Duration) error {
	if err := m.enter(); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if until := m.clock().Add(d); until.After(m.paused) {
		m.paused = until
	}
	return nil
}

func (m *memory) WakeParked(_ context.Context, statuses []int, now time.Time) (n int64, err error) {
	if err := m.enter(); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for id, row := range m.rows {
		if row.Sync.Parked && slices.Contains(statuses, row.Sync.LastStatus) {
			m.wake(id, now)
			n++
		}
	}
	return n, nil
}

// wake is the Wake of a store.
func (m *memory) wake(id string, now time.Time) {
	var aside []thread.ItemKey
	for key, item := range m.items {
		if key.ThreadID == id && !item.SetAside.IsZero() && !item.Theirs {
			aside = append(aside, key)
		}
	}
	p, err := store.PlanWake(m.rows[id], nil, aside, audit.Note{Action: audit.ActionReplay}, now)
	if err != nil {
		panic(err)
	}
	for _, key := range p.Retry {
		m.items[key].SetAside = thread.Retry
	}
	m.write(&p.Threads, now)
}

func (m *memory) DoneRev(_ context.Context, id string) (done, aside int64, err error) {
	if err := m.enter(); err != nil {
		return 0, 0, err
	}
	defer m.mu.Unlock()
	row := m.rows[id]
	if row == nil || !row.Own {
		return 0, 0, store.ErrNotFound
	}
	for _, item := range m.items {
		if item.ThreadID == id && !item.SetAside.IsZero() && !item.Theirs {
			aside = max(aside, item.Rev)
		}
	}
	return row.Sync.Done, aside, nil
}

// sync returns how far a thread is.
func (m *memory) sync(id string) store.Sync {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[id].Sync
}

// isSynced reports whether the CRM has all of every thread.
func (m *memory) isSynced() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, row := range m.rows {
		if row.Own && row.Sync.Want != row.Sync.Done {
			return false
		}
	}
	return true
}

// notes counts the audit entries by action and outcome.
func (m *memory) notes() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make(map[string]int)
	for _, e := range m.entries {
		if e.Action != audit.ActionEvent {
			counts[string(e.Action)+" "+e.Outcome]++
		}
	}
	return counts
}
