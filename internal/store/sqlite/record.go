package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

const deleteLetterAbout = "DELETE FROM dead_letters WHERE digest = ?"

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
		if _, err := tx.Stmt(p.forgetItems).Exec(id); err != nil {
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
	remove, insert := tx.Stmt(p.deleteLetterAbout), tx.Stmt(p.insertDeadLetter)
	for _, solved := range plan.Solved {
		if _, err := remove.Exec(solved[:]); err != nil {
			return err
		}
	}
	for _, l := range plan.Letters {
		if _, err := insert.Exec(letterValues(l)...); err != nil {
			return err
		}
	}
	return nil
}
