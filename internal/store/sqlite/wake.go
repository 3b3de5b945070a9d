package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const (
	selectReplayed = "SELECT id, kind, digest, raw FROM dead_letters WHERE id = ? AND " + isOpen
	noteReplayed   = "UPDATE dead_letters SET replayed_at = ? WHERE id = ?"
)

// Wake implements store.Queue.
func (s *Store) Wake(ctx context.Context, threadID string, replays int64, note audit.Note, now time.Time) error {
	return s.change(ctx, "wake thread", func(tx *sql.Tx, p *statements) error {
		rows, err := p.existingThreads(tx, []string{threadID})
		if err != nil {
			return err
		}
		letter, err := p.replayedLetter(tx, replays)
		if err != nil {
			return err
		}
		aside, err := p.asideOf(tx, threadID, letter)
		if err != nil {
			return err
		}
		plan, err := store.PlanWake(rows[threadID], letter, aside, note, now)
		if err != nil {
			return err
		}
		return p.writeWake(tx, plan, now)
	})
}

// replayedLetter reads what store.PlanWake is to know of a dead letter: nil for none.
func (p *statements) replayedLetter(tx *sql.Tx, id int64) (*store.ReplayedLetter, error) {
	if id == 0 {
		return nil, nil
	}
	letter := &store.ReplayedLetter{}
	err := tx.Stmt(p.selectReplayed).QueryRow(id).Scan(&letter.ID, &letter.Kind, digest(letter.Digest[:]), &letter.Raw)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	return letter, nil
}

// asideOf reads the keys of the items that are set aside: of the one that a letter tells, or of all.
func (p *statements) asideOf(tx *sql.Tx, threadID string, letter *store.ReplayedLetter) ([]thread.ItemKey, error) {
	statement, args := p.asideKeys, []any{threadID}
	if letter != nil {
		if key, isTold := letter.Item(threadID); isTold {
			statement, args = p.asideKey, []any{threadID, string(key.Kind), key.ID}
		}
	}
	rows, err := tx.Stmt(statement).Query(args...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, scanItemKey)
}

func (p *statements) writeWake(tx *sql.Tx, plan *store.WakePlan, now time.Time) error {
	retry := tx.Stmt(p.retryItem)
	for _, key := range plan.Retry {
		if _, err := retry.Exec(thread.Retry[:], key.ThreadID, string(key.Kind), key.ID); err != nil {
			return err
		}
	}
	if err := p.writeThreads(tx, &plan.Threads); err != nil {
		return err
	}
	if _, err := tx.Stmt(p.noteReplayed).Exec(timeText(now), plan.Replayed); err != nil {
		return err
	}
	_, err := tx.Stmt(p.deleteDeadLetter).Exec(plan.Solved)
	return err
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
