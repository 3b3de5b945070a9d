package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const (
	retryItems = `UPDATE thread_items SET set_aside = NULL WHERE thread_id = $1 AND set_aside IS NOT NULL
		RETURNING kind, item_id`

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
func (s *Store) Wake(ctx context.Context, threadID string, resolves int64, note audit.Note, now time.Time) error {
	return s.retryRaces("wake", func() error { return s.wake(ctx, threadID, resolves, note, now) })
}

func (s *Store) wake(ctx context.Context, threadID string, resolves int64, note audit.Note, now time.Time) error {
	conn, err := s.queue.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()

	rows := make(map[string]*store.ThreadRow)
	var b pgx.Batch
	b.Queue("BEGIN")
	queueLockThreads(&b, []string{threadID}, rows)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	plan, err := store.PlanWake(rows[threadID], note, now)
	if err != nil {
		_, rollback := conn.Exec(ctx, "ROLLBACK")
		return errors.Join(err, rollback)
	}
	letters, err := retryAside(ctx, conn, threadID)
	if err != nil {
		return err
	}
	b = pgx.Batch{}
	if len(letters) > 0 {
		b.Queue(deleteSolved, bytesOf(pgtype.ByteaOID, letters, func(d [32]byte) []byte { return d[:] }))
	}
	queueThreads(&b, plan)
	if resolves != 0 {
		b.Queue("DELETE FROM dead_letters WHERE id = $1", resolves)
	}
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, &b).Close()
}

// retryAside lets what was set aside of a thread be tried again, and returns the digests of the dead
// letters about it, sorted.
func retryAside(ctx context.Context, conn *pgxpool.Conn, threadID string) ([][32]byte, error) {
	rows, err := conn.Query(ctx, retryItems, threadID)
	if err != nil {
		return nil, err
	}
	letters, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([32]byte, error) {
		key := thread.ItemKey{ThreadID: threadID}
		err := row.Scan(&key.Kind, &key.ID)
		return store.ItemLetter(key).Digest(), err
	})
	slices.SortFunc(letters, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	return letters, err
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
