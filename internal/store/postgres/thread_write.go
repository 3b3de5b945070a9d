package postgres

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var (
	insertThreads = `INSERT INTO threads (` + threadColumns.names() + `) ` + threadColumns.unnest()

	// Whoever updates a thread has read it under its lock, so all columns are written.
	updateThreads = `UPDATE threads t SET ` + threadColumns.assign("new", "thread_id", "due_at") + `,
			due_at = CASE WHEN new.retry_in > 0 THEN clock_timestamp() + new.retry_in * interval '1 microsecond' ELSE new.due_at END
		FROM (` + threadColumns.unnest() + fmt.Sprintf(", unnest($%d::bigint[]) AS retry_in", len(threadColumns)+1) + `) AS new
		WHERE t.thread_id = new.thread_id`

	upsertItems = `INSERT INTO thread_items (` + itemColumns.names() + `) ` + itemColumns.unnest() + `
		ON CONFLICT (thread_id, kind, item_id) DO UPDATE SET ` + itemColumns.assign("excluded", "thread_id", "kind", "item_id")

	insertEvents = `INSERT INTO thread_events (` + eventColumns.names() + `) ` + eventColumns.unnest()
)

type event = *thread.Event

// eventColumns are the columns of thread_events.
var eventColumns = columns[event]{
	hashOrNull("event_key", func(e event) []byte { return e.Key[:] }),
	text("thread_id", func(e event) string { return e.ThreadID }),
	text("type", func(e event) string { return string(e.Type) }),
	number("version", func(e event) int64 { return e.Version }),
	timeOrNull("updated_at", func(e event) time.Time { return e.UpdatedAt }),
	timeOrNull("received_at", func(e event) time.Time { return e.Received }),
	jsonText("raw", func(e event) []byte { return e.Raw }),
}

// queueThreads queues what a transaction writes of threads. A thread that is new comes first: if
// another transaction has inserted it, nothing else of it is written.
func queueThreads(b *pgx.Batch, w *store.ThreadWrites) {
	if len(w.Inserts) > 0 {
		b.Queue(insertThreads, threadColumns.arguments(w.Inserts)...)
	}
	if len(w.Updates) > 0 {
		rows := make([]threadRow, len(w.Updates))
		for i, u := range w.Updates {
			rows[i] = u.ThreadRow
		}
		retryIn := numbers(w.Updates, func(u store.ThreadUpdate) int64 { return u.RetryIn.Microseconds() })
		b.Queue(updateThreads, append(threadColumns.arguments(rows), retryIn)...)
	}
	if len(w.Items) > 0 {
		b.Queue(upsertItems, itemColumns.arguments(w.Items)...)
	}
	if len(w.Audit) > 0 {
		b.Queue(insertAudit, auditColumns.arguments(w.Audit)...)
	}
}
