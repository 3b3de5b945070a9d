package store

import (
	"bytes"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// PushPlan is what the end of claims does to the database. As in a Plan, every decision is in it:
//
//  1. lock and read the threads of PushThreadIDs, in that order;
//  2. give them to PlanPushes;
//  3. mark all items of the threads in Forget as ones that the CRM does not have: Acked and Theirs
//     are cleared, and SetAside becomes thread.Retry where it is set;
//  4. note Acked, SetAside and Theirs of Items, and nothing else of them: the rest may have changed
//     since the claim. Dirty follows from what the row says then;
//  5. write Threads, whose own Items are empty;
//  6. delete the dead letters of Solved, then write Letters. If there is one about the same thing
//     that was replayed, or has the same Raw, it is that letter again: its Subject, Reason and Raw
//     are noted, and if it was replayed, that has failed once more and it waits for an operator
//     again. Any other about the same thing is deleted first;
//  7. of the dead letters of Failed, those that were replayed have failed once more, and wait for an
//     operator again as they are.
type PushPlan struct {
	Threads ThreadWrites
	Forget  []string
	Items   []*thread.Item
	Solved  [][32]byte // sorted
	Letters []Letter   // sorted by digest
	Failed  [][32]byte // sorted
	Held    []bool     // for each push whether its claim held
}

// PushThreadIDs returns the threads that pushes are about, sorted and each once.
func PushThreadIDs(pushes []Push) []string {
	var ids []string
	for i := range pushes {
		ids = append(ids, pushes[i].ThreadID)
		ids = append(ids, pushes[i].Disturb...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// PlanPushes works out what to write. It changes the rows and items it is given. A thread is in one
// push at most.
func PlanPushes(pushes []Push, rows map[string]*ThreadRow, now time.Time) *PushPlan {
	p := &PushPlan{Held: make([]bool, len(pushes))}
	retryIn := make(map[string]time.Duration)
	changed := make(map[string]bool)
	for i := range pushes {
		push := &pushes[i]
		row := rows[push.ThreadID]
		if row == nil || row.Sync.Epoch != push.Epoch || row.Sync.LeaseUntil.IsZero() {
			continue
		}
		p.Held[i], changed[row.ID] = true, true
		p.end(push, row, now)
		retryIn[row.ID] = push.RetryIn
	}
	for i := range pushes {
		if !p.Held[i] {
			continue
		}
		for _, id := range pushes[i].Disturb {
			if row := rows[id]; row != nil && row.Own {
				row.raise(now)
				changed[id] = true
			}
		}
	}
	for id := range changed {
		p.Threads.Updates = append(p.Threads.Updates, ThreadUpdate{ThreadRow: rows[id], RetryIn: retryIn[id]})
	}
	p.sort()
	return p
}

// end ends a claim that held.
func (p *PushPlan) end(push *Push, row *ThreadRow, now time.Time) {
	s := &row.Sync
	s.LeaseUntil, s.Due = time.Time{}, time.Time{}
	s.Uncertain = push.Uncertain
	if push.Error != "" || push.Done || !push.Forget { // else the dead letter about the thread, if there is one, is not solved yet
		s.LastError = push.Error
	}
	if push.Status != 0 || push.Error != "" { // else the CRM was not asked
		s.LastStatus, s.Answered = push.Status, now
	}
	if push.Forget {
		row.CRM, s.Done = thread.Copy{}, 0
		p.Forget = append(p.Forget, row.ID)
	}
	if push.Copy != nil {
		row.CRM = *push.Copy
	}
	if push.Done {
		s.Done = push.Rev
	}
	switch {
	case push.Postponed:
	case push.Error != "":
		s.Attempts++
	default:
		s.Attempts, s.Since = 0, now
	}
	if s.Want == s.Done {
		s.Since = time.Time{}
	}
	// An event that came meanwhile wakes the thread even so.
	s.Parked = push.Park != nil && s.Want == push.Rev
	if row.Links.LooseRev <= push.Rev { // else it was linked anew meanwhile
		row.Links.Loose = slices.DeleteFunc(row.Links.Loose, func(id string) bool { return slices.Contains(push.Checked, id) })
	}
	switch {
	case s.Want != push.Rev:
		retryAside(push)
	case s.Parked:
		p.fail(push)
	}
	p.Items = append(p.Items, push.Items...)
	for _, note := range push.Notes {
		p.Threads.Audit = append(p.Threads.Audit, row.appendAudit(note, now))
	}
	p.letters(push)
}

// retryAside lets what was set aside before the claim be tried again. The thread got a new revision since
// the claim: somebody may have asked for just that, and what the push knows of the item is older. So it is
// with one that shows another value by now: it may come back to the one that is set aside.
func retryAside(push *Push) {
	isNew := make(map[string]bool, len(push.SetAside))
	for _, letter := range push.SetAside {
		isNew[letter.Key] = true
	}
	for _, item := range push.Items {
		if !item.SetAside.IsZero() && !item.Theirs && !isNew[ItemLetter(item.ItemKey).Key] {
			item.SetAside = thread.Retry
		}
	}
}

// fail brings back the dead letters about items that were to be tried again: nothing more becomes of them
// while the thread is parked. The items stay as they are, to be tried again with the thread.
func (p *PushPlan) fail(push *Push) {
	for _, item := range push.Items {
		if item.SetAside == thread.Retry {
			p.Failed = append(p.Failed, ItemLetter(item.ItemKey).Digest())
		}
	}
}

func (p *PushPlan) letters(push *Push) {
	for _, key := range push.Solved {
		p.Solved = append(p.Solved, key.Digest())
	}
	all := push.SetAside
	if push.Park != nil {
		all = append(all[:len(all):len(all)], push.Park)
	}
	for _, letter := range all {
		p.Letters = append(p.Letters, Letter{DeadLetter: letter, Digest: letter.Digest(), entry: -1})
	}
}

func (p *PushPlan) sort() {
	p.Threads.sort()
	slices.Sort(p.Forget)
	slices.SortFunc(p.Items, func(a, b *thread.Item) int { return compareItemKeys(a.ItemKey, b.ItemKey) })
	byBytes := func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(p.Solved, byBytes)
	p.Solved = slices.Compact(p.Solved)
	slices.SortFunc(p.Failed, byBytes)
	slices.SortFunc(p.Letters, func(a, b Letter) int { return byBytes(a.Digest, b.Digest) })
}
