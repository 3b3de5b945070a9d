package proof

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Verdict says what is wrong with the data that a service keeps, given what it acknowledged. The zero
// Verdict means that nothing is.
type Verdict struct {
	Lost    int      // events that were acknowledged, and are not there
	Doubled int      // events that count more than once
	Wrong   []string // a line for each thing that is wrong, including the lost and the doubled
}

// OK reports whether nothing is wrong.
func (v *Verdict) OK() bool { return v.Lost == 0 && v.Doubled == 0 && len(v.Wrong) == 0 }

// Others returns how many things are wrong besides lost and doubled events.
func (v *Verdict) Others() int { return max(0, len(v.Wrong)-v.Lost-v.Doubled) }

// Add joins another verdict.
func (v *Verdict) Add(other Verdict) {
	v.Lost += other.Lost
	v.Doubled += other.Doubled
	v.Wrong = append(v.Wrong, other.Wrong...)
}

func (v *Verdict) wrong(format string, args ...any) {
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}

func (v *Verdict) lost(format string, args ...any) {
	v.Lost++
	v.wrong(format, args...)
}

func (v *Verdict) doubled(format string, args ...any) {
	v.Doubled++
	v.wrong(format, args...)
}

// CheckKept compares what is stored at the moment with what was acknowledged so far: all of it must be
// there, and nothing twice. It says nothing about what was not acknowledged, so it may also be called while
// that still has to be repeated.
func CheckKept(ctx context.Context, s *Store, p *Promises) (v Verdict, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stored := make(map[receipt]int)
	err = s.Query(ctx, "SELECT message_id, status, event_at FROM sms_receipt_history", func(rows *sql.Rows) error {
		var r receipt
		var at any
		if err := rows.Scan(&r.id, &r.status, &at); err != nil {
			return err
		}
		r.at, err = instant(at)
		stored[r]++
		return err
	})
	if err != nil {
		return v, err
	}
	for r := range p.receipts {
		if stored[r] == 0 {
			v.lost("receipt %q %s of %s was acknowledged and is lost", r.id, r.status, r.at)
		}
	}
	for r, times := range stored {
		for range times - 1 {
			v.doubled("receipt %q %s of %s is stored %d times", r.id, r.status, r.at, times)
		}
	}
	err = p.checkJournal(ctx, s, &v)
	return v, err
}

// checkJournal looks for the events of threads that were answered ACCEPTED. The caller holds the lock.
func (p *Promises) checkJournal(ctx context.Context, s *Store, v *Verdict) error {
	var journal eventSet
	err := s.Query(ctx, "SELECT thread_id, type, version FROM thread_events", func(rows *sql.Rows) error {
		var e threadEvent
		err := rows.Scan(&e.threadID, &e.kind, &e.version)
		journal.add(e)
		return err
	})
	if err != nil {
		return err
	}
	for e := range p.threads.all() {
		if !journal.has(e) {
			v.lost("event %s of thread %q, version %d, was acknowledged and is lost", e.kind, e.threadID, e.version)
		}
	}
	return nil
}

// CheckAll compares everything that is there with everything that was posted, once all of it is
// acknowledged: messages, dead letters, analytics, the CRM and the audit. It waits until the threads are
// synced; one that is stuck is wrong.
func CheckAll(ctx context.Context, s *Service, t *Traffic, crm *sim.CRM) (v Verdict, err error) {
	p := t.Promises
	if v, err = CheckKept(ctx, s.Store, p); err != nil {
		return v, err
	}
	if err := checkCRM(ctx, s, t, crm, &v); err != nil {
		return v, err
	}
	if err := checkMessages(ctx, s.Store, p, &v); err != nil {
		return v, err
	}
	if err := checkDeadLetters(ctx, s.Store, p, &v); err != nil {
		return v, err
	}
	books, err := CheckBooks(ctx, s)
	v.Add(books)
	return v, err
}

// CheckThreads compares the journal of thread events with what was acknowledged, and the CRM with what was
// posted, once all of it is acknowledged.
func CheckThreads(ctx context.Context, s *Service, t *Traffic, crm *sim.CRM) (v Verdict, err error) {
	t.Promises.mu.Lock()
	err = t.Promises.checkJournal(ctx, s.Store, &v)
	t.Promises.mu.Unlock()
	if err != nil {
		return v, err
	}
	err = checkCRM(ctx, s, t, crm, &v)
	return v, err
}

// checkCRM waits until the threads are synced, and compares the CRM with what was posted. A thread that is
// stuck is wrong, and so is an answer that no post should get.
func checkCRM(ctx context.Context, s *Service, t *Traffic, crm *sim.CRM, v *Verdict) error {
	if n := t.Open(); n != 0 {
		return fmt.Errorf("a fault of the proof: %d posts were made up and not posted", n)
	}
	if err := s.AwaitSynced(ctx); err != nil {
		v.wrong("%v", err)
	}
	p := t.Promises
	p.mu.Lock()
	defer p.mu.Unlock()
	v.Wrong = slices.Concat(v.Wrong, p.strange, crm.Violations(), crm.Differences(t.Conversations.Expected()))
	p.strange = nil
	return nil
}

// CheckBooks compares analytics with a count of all messages, and verifies the audit.
func CheckBooks(ctx context.Context, s *Service) (v Verdict, err error) {
	if err := checkAnalytics(ctx, s, &v); err != nil {
		return v, err
	}
	if err := s.Run(ctx, "audit", "verify"); err != nil {
		if ctx.Err() != nil {
			return v, ctx.Err()
		}
		v.wrong("%v", err)
	}
	return v, nil
}

const selectMessages = `SELECT m.message_id, m.status, m.carrier_code, coalesce(m.region, ''), m.compliance, h.receipts
FROM sms_messages m
JOIN (SELECT message_id, count(*) AS receipts FROM sms_receipt_history GROUP BY message_id) h
ON h.message_id = m.message_id`

// checkMessages compares every message with the state that its receipts must have led to.
func checkMessages(ctx context.Context, s *Store, p *Promises, v *Verdict) error {
	found := make(map[string]sim.State)
	err := s.Query(ctx, selectMessages, func(rows *sql.Rows) error {
		var id, compliance string
		var m sim.State
		err := rows.Scan(&id, &m.Status, &m.Carrier, &m.Region, &compliance, &m.Receipts)
		m.BadSender = compliance == "violation"
		found[id] = m
		return err
	})
	if err != nil {
		return err
	}
	for id, want := range p.ledger.Expected() {
		if got := found[id]; got != want {
			v.wrong("message %q is %+v, not %+v", id, got, want)
		}
		delete(found, id)
	}
	for id := range found {
		if p.isOthers(id) {
			continue
		}
		v.doubled("message %q is stored, and was never posted", id)
	}
	return nil
}

// checkDeadLetters requires each event that had to be refused to be kept, once.
func checkDeadLetters(ctx context.Context, s *Store, p *Promises, v *Verdict) error {
	n, err := s.count(ctx, "SELECT count(*) FROM dead_letters")
	if err != nil {
		return err
	}
	p.mu.Lock()
	want := len(p.refused)
	p.mu.Unlock()
	if n < want {
		v.Lost += want - n
	}
	v.Doubled += max(0, n-want)
	if n != want {
		v.wrong("%d dead letters, not %d", n, want)
	}
	return nil
}
