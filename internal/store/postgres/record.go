package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/store"
)

// acknowledgedColumns are the columns of thread_items that the end of a claim writes, with their
// key.
var acknowledgedColumns = columns[item]{
	text("thread_id", func(i item) string { return i.ThreadID }),
	text("kind", func(i item) string { return string(i.Kind) }),
	text("item_id", func(i item) string { return i.ID }),
	hashOrNull("acked", func(i item) []byte { return i.Acked[:] }),
	hashOrNull("set_aside", func(i item) []byte { return i.SetAside[:] }),
	flag("theirs", func(i item) bool { return i.Theirs }),
}

var acknowledgeItems = `UPDATE thread_items i SET ` + acknowledgedColumns.assign("new", "thread_id", "kind", "item_id") + `
	FROM (` + acknowledgedColumns.unnest() + `) AS new
	WHERE i.thread_id = new.thread_id AND i.kind = new.kind AND i.item_id = new.item_id`

const (
	forgetItems = `UPDATE thread_items SET acked = NULL, set_aside = NULL, theirs = false
		WHERE thread_id = ANY($1) AND (acked IS NOT NULL OR set_aside IS NOT NULL OR theirs)`

	deleteSolved = `DELETE FROM dead_letters WHERE digest = ANY($1::bytea[])`
)

// Record implements store.Queue. It locks threads as Commit does. The dead letters that it deletes
// and writes are about threads that it has locked, and only whoever has that lock writes them.
func (s *Store) Record(ctx context.Context, pushes []store.Push, now time.Time) ([]bool, error) {
	if len(pushes) == 0 {
		return nil, nil
	}
	var held []bool
	err := s.retryRaces("record", func() (err error) {
		held, err = s.record(ctx, pushes, now)
		return err
	})
	return held, err
}

// record runs the transaction in two round trips, as commit does.
func (s *Store) record(ctx context.Context, pushes []store.Push, now time.Time) ([]bool, error) {
	conn, err := s.queue.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()

	rows := make(map[string]*store.ThreadRow)
	var lock pgx.Batch
	lock.Queue("BEGIN")
	queueLockThreads(&lock, store.PushThreadIDs(pushes), rows)
	if err := conn.SendBatch(ctx, &lock).Close(); err != nil {
		return nil, err
	}
	plan := store.PlanPushes(pushes, rows, now)
	return plan.Held, writePushes(ctx, conn.Conn(), plan)
}

func writePushes(ctx context.Context, conn *pgx.Conn, plan *store.PushPlan) error {
	var b pgx.Batch
	if len(plan.Forget) > 0 {
		b.Queue(forgetItems, plan.Forget)
	}
	if len(plan.Items) > 0 {
		b.Queue(acknowledgeItems, acknowledgedColumns.arguments(plan.Items)...)
	}
	queueThreads(&b, &plan.Threads)
	if len(plan.Solved) > 0 {
		b.Queue(deleteSolved, bytesOf(pgtype.ByteaOID, plan.Solved, func(d [32]byte) []byte { return d[:] }))
	}
	if len(plan.Letters) > 0 {
		b.Queue(insertDeadLetters, letterArguments(plan.Letters)...)
	}
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, &b).Close()
}
