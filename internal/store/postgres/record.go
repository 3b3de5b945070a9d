package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
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
	// forgetItems takes thread.Retry as $2.
	forgetItems = `UPDATE thread_items SET acked = NULL, set_aside = CASE WHEN set_aside IS NOT NULL THEN $2::bytea END, theirs = false
		WHERE thread_id = ANY($1) AND (acked IS NOT NULL OR set_aside IS NOT NULL OR theirs)`

	deleteSolved = `DELETE FROM dead_letters WHERE digest = ANY($1::bytea[])`

	// deleteOtherLetters and writeLetters write the letters of store.PushPlan. The latter takes the
	// arguments of insertDeadLetters.
	deleteOtherLetters = `DELETE FROM dead_letters l
		USING (SELECT unnest($1::bytea[]) AS digest, unnest($2::bytea[]) AS raw) AS new
		WHERE l.digest = new.digest AND l.raw <> new.raw AND ` + isOpen

	writeLetters = `INSERT INTO dead_letters AS l (kind, subject, reason, received_at, raw, digest)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]),
			unnest($4::timestamptz[]), unnest($5::bytea[]), unnest($6::bytea[])
		ON CONFLICT (digest) DO UPDATE SET subject = excluded.subject, reason = excluded.reason, raw = excluded.raw,
			replays = l.replays + (l.replayed_at IS NOT NULL)::int, replayed_at = NULL`

	reopenFailed = `UPDATE dead_letters SET replays = replays + 1, replayed_at = NULL
		WHERE digest = ANY($1::bytea[]) AND replayed_at IS NOT NULL`
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
		b.Queue(forgetItems, plan.Forget, thread.Retry[:])
	}
	if len(plan.Items) > 0 {
		b.Queue(acknowledgeItems, acknowledgedColumns.arguments(plan.Items)...)
	}
	queueThreads(&b, &plan.Threads)
	if len(plan.Solved) > 0 {
		b.Queue(deleteSolved, digestsOf(plan.Solved))
	}
	if len(plan.Letters) > 0 {
		values := letterArguments(plan.Letters)
		raws, digests := values[4], values[5]
		b.Queue(deleteOtherLetters, digests, raws)
		b.Queue(writeLetters, values...)
	}
	if len(plan.Failed) > 0 {
		b.Queue(reopenFailed, digestsOf(plan.Failed))
	}
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, &b).Close()
}

func digestsOf(digests [][32]byte) array {
	return bytesOf(pgtype.ByteaOID, digests, func(d [32]byte) []byte { return d[:] })
}
