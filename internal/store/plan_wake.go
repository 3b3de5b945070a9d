package store

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// WakePlan is what Wake does to the database. As in a Plan, every decision is in it:
//
//  1. lock and read the thread, and the dead letter that is replayed;
//  2. read the keys of the thread's items that are set aside, but for those that are Theirs. For a letter
//     that is replayed, its Item is enough, if it has one;
//  3. give them to PlanWake;
//  4. set SetAside of Retry to thread.Retry;
//  5. write Threads, whose own Items are empty;
//  6. note that the letter Replayed was replayed: it is seen no more, until PushPlan's Letters bring it
//     back or its Solved delete it;
//  7. delete the letter Solved.
type WakePlan struct {
	Threads  ThreadWrites
	Retry    []thread.ItemKey
	Replayed int64 // id of a dead letter; 0 for none
	Solved   int64 // id of a dead letter; 0 for none
}

// ReplayedLetter is what PlanWake is to know of the dead letter that is replayed.
type ReplayedLetter struct {
	ID     int64
	Kind   Kind
	Digest [32]byte
	Raw    []byte
}

// Item returns the item of a thread that the letter is about, as its body tells. It is false when the body
// does not: the letter is about something else, or a person was erased from it.
func (l *ReplayedLetter) Item(threadID string) (key thread.ItemKey, isTold bool) {
	var body struct {
		Kind thread.ItemKind `json:"kind"`
		Item struct {
			ID string `json:"id"`
		} `json:"item"`
	}
	if json.Unmarshal(l.Raw, &body) != nil {
		return thread.ItemKey{}, false
	}
	key = thread.ItemKey{ThreadID: threadID, Kind: body.Kind, ID: body.Item.ID}
	return key, ItemLetter(key).Digest() == l.Digest
}

// PlanWake works out what Wake writes, and changes the row. The row is nil when there is no such thread; a
// thread of which no event has come is ErrNotFound. The letter is nil when none is replayed, and
// the zero one when it is gone: somebody else has replayed it, or deleted it.
//
// The thread gets a new revision even while it is pushed, because that push may not know of the
// items that are tried again. A lease that runs goes on.
func PlanWake(row *ThreadRow, letter *ReplayedLetter, aside []thread.ItemKey, note audit.Note, now time.Time) (*WakePlan, error) {
	if row == nil || !row.Own {
		return nil, ErrNotFound
	}
	s := &row.Sync
	if s.Want == s.Done || s.Parked {
		s.Since = now
	}
	s.Want++
	s.Due, s.Attempts, s.Parked, s.Trace = time.Time{}, 0, false, ""
	p := &WakePlan{Threads: ThreadWrites{
		Updates: []ThreadUpdate{{ThreadRow: row}},
		Audit:   []audit.Entry{row.appendAudit(note, now)},
	}}
	switch {
	case letter == nil:
		p.Retry = aside
	case letter.ID != 0:
		p.replay(row, letter, aside)
	}
	return p, nil
}

// replay tries again what a dead letter is about, and nothing else that is set aside. A letter that no push
// would solve is deleted: the CRM has had the thread since, or nothing is set aside that it could be about.
func (p *WakePlan) replay(row *ThreadRow, letter *ReplayedLetter, aside []thread.ItemKey) {
	isOpen := row.Sync.LastError != ""
	if letter.Kind == KindThreadItem {
		i := slices.IndexFunc(aside, func(key thread.ItemKey) bool { return ItemLetter(key).Digest() == letter.Digest })
		if isOpen = i >= 0; isOpen {
			p.Retry = aside[i : i+1]
		}
	}
	if isOpen {
		p.Replayed = letter.ID
	} else {
		p.Solved = letter.ID
	}
}
