package store

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Plan is what a batch does to the database, worked out in memory from the rows that exist. It
// holds every decision about events, so that an implementation of Store only reads and writes rows:
//
//  1. lock and read the messages of MessageIDs, in that order, then the threads of ThreadIDs, in
//     that order;
//  2. read the items of ItemKeys and the events of EventKeys that exist: the locks on their threads
//     keep others from writing them;
//  3. give all this to MakePlan;
//  4. write Inserts, Updates, History, Threads, Events, DeadLetters and Counts, and delete those of
//     Resolved;
//  5. tell the Plan which rows of History and DeadLetters were there already.
//
// The slices are sorted by their keys. Transactions that lock in that order cannot wait for each
// other in a ring.
type Plan struct {
	Inserts     []*sms.Message
	Updates     []*sms.Message
	History     []Past
	Threads     ThreadWrites
	Events      []*thread.Event // of threads, for the journal; none of them is in it
	DeadLetters []Letter
	Resolved    []int64
	Counts      []byte // what the batch changes in the counts of analytics, encoded: a new row; nil for none

	outcomes []Outcome
}

// Existing is what MakePlan is to know of the database. Nil maps are empty ones.
type Existing struct {
	Messages map[string]*sms.Message
	Threads  map[string]*ThreadRow
	Items    map[thread.ItemKey]*thread.Item
	Events   map[thread.Key]bool
}

// Past is a row of the history. A row that conflicts with an existing one is joined with it: see
// sms.PastReceipt.Join.
type Past struct {
	sms.PastReceipt
	entry int // the entry it came with; -1 for a receipt that was in the message's row so far
}

// Letter is a row of the dead letters. A row that conflicts with an existing one is left as it is.
type Letter struct {
	*DeadLetter
	Digest [32]byte
	entry  int
}

// MessageIDs returns the ids of the messages that the batch is about, sorted and each once.
func (b *Batch) MessageIDs() []string {
	ids := make([]string, 0, len(b.Entries))
	for _, e := range b.Entries {
		if e.Receipt != nil {
			ids = append(ids, e.Receipt.MessageID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// MakePlan folds the entries of a batch into what exists. It changes what it is given.
func MakePlan(b Batch, existing Existing) *Plan {
	p := &Plan{outcomes: make([]Outcome, len(b.Entries))}
	m := newMerger(p, existing.Messages)
	threads := newThreadMerger(p, &existing, b.Now)
	letters := make(map[[32]byte]bool)
	for i, e := range b.Entries {
		switch {
		case e.Receipt != nil:
			m.fold(i, e.Receipt)
		case e.Thread != nil:
			threads.fold(i, &e)
		case e.DeadLetter != nil:
			digest := e.DeadLetter.Digest()
			if letters[digest] {
				p.outcomes[i].Duplicate = true
				continue
			}
			letters[digest] = true
			p.DeadLetters = append(p.DeadLetters, Letter{DeadLetter: e.DeadLetter, Digest: digest, entry: i})
			continue
		}
		if e.Resolves != 0 {
			p.Resolved = append(p.Resolved, e.Resolves)
		}
	}
	threads.finish()
	m.finish(&b)
	p.sort()
	return p
}

func (p *Plan) sort() {
	byID := func(a, b *sms.Message) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(p.Inserts, byID)
	slices.SortFunc(p.Updates, byID)
	slices.SortFunc(p.History, func(a, b Past) int {
		if c := strings.Compare(a.MessageID, b.MessageID); c != 0 {
			return c
		}
		return bytes.Compare(a.Key[:], b.Key[:])
	})
	slices.SortFunc(p.DeadLetters, func(a, b Letter) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	slices.Sort(p.Resolved)
}

// MarkKnownPast notes that row i of History was in the database already.
func (p *Plan) MarkKnownPast(i int) {
	if e := p.History[i].entry; e >= 0 {
		p.outcomes[e].Duplicate = true
	}
}

// MarkKnownLetter notes that row i of DeadLetters was in the database already.
func (p *Plan) MarkKnownLetter(i int) { p.outcomes[p.DeadLetters[i].entry].Duplicate = true }

// Outcomes returns what became of each entry, once every known row has been noted.
func (p *Plan) Outcomes() []Outcome { return p.outcomes }

// merger folds receipts into messages and keeps account of where each receipt ends: the winning
// one in the message's own row, every other one in the history.
type merger struct {
	plan *Plan
	rows map[string]*messageRow // by the message's id
	past map[pastKey]int        // where in History this batch put a receipt
}

// messageRow is the row of a message on its way through a batch.
type messageRow struct {
	message *sms.Message
	counted *analytics.Contribution // what the row adds to the counts so far; nil for a new one
	changed bool
}

func newMerger(p *Plan, messages map[string]*sms.Message) *merger {
	m := &merger{plan: p, rows: make(map[string]*messageRow, len(messages)), past: make(map[pastKey]int)}
	for id, msg := range messages {
		counted := analytics.ContributionOf(msg)
		m.rows[id] = &messageRow{message: msg, counted: &counted}
	}
	return m
}

type pastKey struct {
	id  string
	key sms.Key
}

func (m *merger) fold(entry int, r *sms.Receipt) {
	row, known := m.rows[r.MessageID]
	if !known {
		row = &messageRow{message: new(sms.Message)}
		m.rows[r.MessageID] = row
	}
	msg := row.message
	before := msg.Winning()
	if msg.Fold(r) {
		row.changed = true
	}
	if !known {
		return
	}
	switch key := r.Key(); key {
	case before.Key:
		m.plan.outcomes[entry].Duplicate = true
	case msg.Key:
		m.toHistory(before, -1)
	default:
		m.toHistory(msg.PastOf(r), entry)
	}
}

// finish settles the messages that changed and counts them.
func (m *merger) finish(b *Batch) {
	var counts analytics.Delta
	for _, row := range m.rows {
		if !row.changed {
			continue
		}
		msg := row.message
		msg.Updated = b.Now
		b.Judge.Settle(msg)
		if row.counted != nil {
			m.plan.Updates = append(m.plan.Updates, msg)
			counts.Remove(*row.counted)
		} else {
			m.plan.Inserts = append(m.plan.Inserts, msg)
		}
		counts.Add(analytics.ContributionOf(msg))
	}
	counts.Merge(b.Observed)
	if !counts.Empty() {
		m.plan.Counts = counts.Encode()
	}
}

func (m *merger) toHistory(past sms.PastReceipt, entry int) {
	k := pastKey{past.MessageID, past.Key}
	if i, again := m.past[k]; again {
		known := &m.plan.History[i]
		known.PastReceipt = known.Join(past)
		if entry >= 0 {
			m.plan.outcomes[entry].Duplicate = true
		}
		return
	}
	m.past[k] = len(m.plan.History)
	m.plan.History = append(m.plan.History, Past{PastReceipt: past, entry: entry})
}
