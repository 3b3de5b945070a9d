package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const (
	lockReplayed = "SELECT id, kind, digest, raw FROM dead_letters WHERE id = $1 AND " + isOpen + " FOR UPDATE"

	asideKeys = "SELECT thread_id, kind, item_id FROM thread_items WHERE thread_id = $1 AND set_aside IS NOT NULL AND NOT theirs"

	// asideKey says "set_aside IS NOT NULL" so that the planner does not see it: by statistics from before,
	// it would go through all that is set aside in the thread.
	asideKey = `SELECT thread_id, kind, item_id FROM thread_items
		WHERE thread_id = $1 AND kind = $2 AND item_id = $3 AND coalesce(set_aside, '') <> '' AND NOT theirs`

	retryItems = `UPDATE thread_items i SET set_aside = $4
		FROM (SELECT unnest($1::text[]) AS thread_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS item_id) AS retry
		WHERE i.thread_id = retry.thread_id AND i.kind = retry.kind AND i.item_id = retry.item_id`

	wakeParked = `WITH stuck AS (
			SELECT thread_id FROM threads WHERE parked AND last_status = ANY($1) AND thread_id > $2
			ORDER BY thread_id LIMIT $3 FOR UPDATE
		), woken AS (
			UPDATE threads t SET want_rev = t.want_rev + 1, since_at = $4, due_at = NULL, attempts = 0, parked = false, trace = ''
			FROM stuck WHERE t.thread_id = stuck.thread_id RETURNING t.thread_id
		)
		SELECT count(*), coalesce(max(thread_id), '') FROM woken`
)

// Wake implements store.Queue.
func (s *Store) Wake(ctx context.Context, threadID string, replays int64, note audit.Note, now time.Time) error {
	return s.retryRaces("wake", func() error { return s.wake(ctx, threadID, replays, note, now) })
}

func (s *Store) wake(ctx context.Context, threadID string, replays int64, note audit.Note, now time.Time) error {
	conn, err := s.queue.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()

	rows := make(map[string]*store.ThreadRow)
	var b pgx.Batch
	b.Queue("BEGIN")
	queueLockThreads(&b, []string{threadID}, rows)
	letter := queueReplayed(&b, replays)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	aside, err := asideOf(ctx, conn, threadID, letter)
	if err != nil {
		return err
	}
	plan, err := store.PlanWake(rows[threadID], letter, aside, note, now)
	if err != nil {
		_, rollback := conn.Exec(ctx, "ROLLBACK")
		return errors.Join(err, rollback)
	}
	b = pgx.Batch{}
	if len(plan.Retry) > 0 {
		threads, kinds, ids := itemKeys(plan.Retry)
		b.Queue(retryItems, threads, kinds, ids, thread.Retry[:])
	}
	queueThreads(&b, &plan.Threads)
	if plan.Replayed != 0 {
		b.Queue("UPDATE dead_letters SET replayed_at = $2 WHERE id = $1", plan.Replayed, now)
	}
	if plan.Solved != 0 {
		b.Queue("DELETE FROM dead_letters WHERE id = $1", plan.Solved)
	}
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, &b).Close()
}

// queueReplayed queues the read of what store.PlanWake is to know of a dead letter: nil for none.
func queueReplayed(b *pgx.Batch, id int64) *store.ReplayedLetter {
	if id == 0 {
		return nil
	}
	letter := &store.ReplayedLetter{}
	b.Queue(lockReplayed, id).Query(func(rows pgx.Rows) error {
		var kind string
		var digest []byte
		_, err := pgx.ForEachRow(rows, []any{&letter.ID, &kind, &digest, &letter.Raw}, func() error {
			letter.Kind = store.Kind(kind)
			copy(letter.Digest[:], digest)
			return nil
		})
		return err
	})
	return letter
}

// asideOf reads the keys of the items that are set aside: of the one that a letter tells, or of all.
func asideOf(ctx context.Context, conn *pgxpool.Conn, threadID string, letter *store.ReplayedLetter) ([]thread.ItemKey, error) {
	statement, args := asideKeys, []any{threadID}
	if letter != nil {
		if key, isTold := letter.Item(threadID); isTold {
			statement, args = asideKey, []any{threadID, string(key.Kind), key.ID}
		}
	}
	rows, err := conn.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[thread.ItemKey])
}

// WakeParked implements store.Queue. What was set aside stays so: the statuses are not about it.
func (s *Store) WakeParked(ctx context.Context, statuses []int, now time.Time) (int64, error) {
	return store.WakeInSteps(ctx, func(ctx context.Context, after string, limit int) (woken int, last string, err error) {
		if err := s.queue.QueryRow(ctx, wakeParked, statuses, after, limit, now).Scan(&woken, &last); err != nil {
			return 0, "", failed("wake parked threads", err)
		}
		return woken, last, nil
	})
}
