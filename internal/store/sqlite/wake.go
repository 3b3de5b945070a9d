package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
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
		if _, err := tx.Stmt(p.retryItems).Exec(plan.Retry); err != nil {
			return err
		}
		if err := p.writeThreads(tx, &plan.Threads); err != nil {
			return err
		}
		_, err = tx.Stmt(p.deleteDeadLetter).Exec(resolves)
		return err
	})
}

// WakeParked implements store.Queue. What was set aside stays so: the statuses are not about it.
func (s *Store) WakeParked(ctx context.Context, statuses []int, now time.Time) (woken int64, err error) {
	list, err := json.Marshal(statuses)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE threads SET want_rev = want_rev + 1, since_at = ?, due_at = NULL,
			attempts = 0, parked = FALSE WHERE parked AND last_status IN (SELECT value FROM json_each(?))`, timeText(now), string(list))
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
