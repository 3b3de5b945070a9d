package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
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
	keys, err := scanAll(rows, scanItemKey)
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

const wakeParked = `UPDATE threads SET want_rev = want_rev + 1, since_at = ?1, due_at = NULL, attempts = 0, parked = FALSE, trace = ''
	WHERE thread_id IN (
		SELECT thread_id FROM threads
		WHERE parked AND last_status IN (SELECT value FROM json_each(?2)) AND thread_id > ?3
		ORDER BY thread_id LIMIT ?4)
	RETURNING thread_id`

// WakeParked implements store.Queue. What was set aside stays so: the statuses are not about it.
func (s *Store) WakeParked(ctx context.Context, statuses []int, now time.Time) (int64, error) {
	return store.WakeInSteps(ctx, func(ctx context.Context, after string, limit int) (woken int, last string, err error) {
		err = s.write(ctx, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, wakeParked, timeText(now), jsonList(statuses), after, limit)
			if err != nil {
				return err
			}
			ids, err := scanAll(rows, func(r row) (id string, err error) {
				err = r.Scan(&id)
				return id, err
			})
			if len(ids) > 0 {
				woken, last = len(ids), slices.Max(ids)
			}
			return err
		})
		if err != nil {
			return 0, "", failed("wake parked threads", err)
		}
		return woken, last, nil
	})
}
