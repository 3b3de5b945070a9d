package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const (
	deleteLetterAbout = "DELETE FROM dead_letters WHERE digest = ?"

	// deleteOtherLetter and writeLetter write a letter of store.PushPlan. They take the values of
	// insertDeadLetter.
	deleteOtherLetter = "DELETE FROM dead_letters WHERE digest = ?6 AND raw <> ?5 AND " + isOpen
	writeLetter       = `INSERT INTO dead_letters (kind, subject, reason, received_at, raw, digest)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (digest) DO UPDATE SET subject = excluded.subject, reason = excluded.reason, raw = excluded.raw,
			replays = replays + (replayed_at IS NOT NULL), replayed_at = NULL`

	reopenFailed = `UPDATE dead_letters SET replays = replays + 1, replayed_at = NULL
		WHERE digest = ? AND replayed_at IS NOT NULL`
)

// Record implements store.Queue.
func (s *Store) Record(ctx context.Context, pushes []store.Push, now time.Time) ([]bool, error) {
	var plan *store.PushPlan
	err := s.change(ctx, "record pushes", func(tx *sql.Tx, p *statements) error {
		rows, err := p.existingThreads(tx, store.PushThreadIDs(pushes))
		if err != nil {
			return err
		}
		plan = store.PlanPushes(pushes, rows, now)
		s.putOff(plan.Threads.Updates)
		return p.writePushes(tx, plan)
	})
	if err != nil {
		return nil, err
	}
	return plan.Held, nil
}

// putOff lets the times to wait begin.
func (s *Store) putOff(updates []store.ThreadUpdate) {
	now := s.queueTime()
	for _, u := range updates {
		if u.RetryIn != 0 {
			u.Sync.Due = now.Add(u.RetryIn)
		}
	}
}

func (p *statements) writePushes(tx *sql.Tx, plan *store.PushPlan) error {
	for _, id := range plan.Forget {
		if _, err := tx.Stmt(p.forgetItems).Exec(id, thread.Retry[:]); err != nil {
			return err
		}
	}
	note := tx.Stmt(p.noteItem)
	for _, i := range plan.Items {
		_, err := note.Exec(hash(i.Acked[:]), hash(i.SetAside[:]), i.Theirs, i.ThreadID, string(i.Kind), i.ID)
		if err != nil {
			return err
		}
	}
	if err := p.writeThreads(tx, &plan.Threads); err != nil {
		return err
	}
	return p.writeLetters(tx, plan)
}

func (p *statements) writeLetters(tx *sql.Tx, plan *store.PushPlan) error {
	remove := tx.Stmt(p.deleteLetterAbout)
	for _, solved := range plan.Solved {
		if _, err := remove.Exec(solved[:]); err != nil {
			return err
		}
	}
	removeOther, write := tx.Stmt(p.deleteOtherLetter), tx.Stmt(p.writeLetter)
	for _, l := range plan.Letters {
		values := letterValues(l)
		if _, err := removeOther.Exec(values...); err != nil {
			return err
		}
		if _, err := write.Exec(values...); err != nil {
			return err
		}
	}
	reopen := tx.Stmt(p.reopenFailed)
	for _, failed := range plan.Failed {
		if _, err := reopen.Exec(failed[:]); err != nil {
			return err
		}
	}
	return nil
}
