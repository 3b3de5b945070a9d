package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Wake implements store.Queue.
func (s *Store) Wake(ctx context.Context, threadID string, resolves int64, note audit.Note, now time.Time) error {
	return s.change(ctx, "wake thread", func(tx *sql.Tx, p *statements) error {
		rows, err := p.existingThreads(tx, []string{threadID})
		if err != nil {
			return err
		}
		plan, err := store.PlanWake(rows[threadID], note, now)
		if err != nil {
			return err
		}
		if err := p.retryAside(tx, threadID); err != nil {
			return err
		}
		if err := p.writeThreads(tx, plan); err != nil {
			return err
		}
		_, err = tx.Stmt(p.deleteDeadLetter).Exec(resolves)
		return err
	})
}

// retryAside lets what was set aside of a thread be tried again, and deletes the dead letters about
// it.
func (p *statements) retryAside(tx *sql.Tx, threadID string) error {
	rows, err := tx.Stmt(p.retryItems).Query(threadID)
	if err != nil {
		return err
	}
	keys, err := scanAll(rows, func(r row) (key thread.ItemKey, err error) {
		return key, r.Scan(&key.ThreadID, &key.Kind, &key.ID)
	})
	if err != nil {
		return err
	}
	remove := tx.Stmt(p.deleteLetterAbout)
	for _, key := range keys {
		digest := store.ItemLetter(key).Digest()
		if _, err := remove.Exec(digest[:]); err != nil {
			return err
		}
	}
	return nil
}

// WakeParked implements store.Queue. What was set aside stays so: the statuses are not about it.
func (s *Store) WakeParked(ctx context.Context, statuses []int, now time.Time) (woken int64, err error) {
	list, err := json.Marshal(statuses)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE threads SET want_rev = want_rev + 1, since_at = ?, due_at = NULL,
			attempts = 0, parked = FALSE, trace = '' WHERE parked AND last_status IN (SELECT value FROM json_each(?))`, timeText(now), string(list))
		if err != nil {
			return err
		}
		woken, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, failed("wake parked threads", err)
	}
	return woken, nil
}
