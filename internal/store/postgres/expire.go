package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// expiry is a step of Expire.
type expiry struct {
	before time.Time
	cursor string
	limit  int
}

// Expire implements store.Archive.
//
// It cannot deadlock with those who write: it passes over rows that are locked, which are for the next
// time, and whatever else it deletes belongs to a message or thread that it has locked.
func (s *Store) Expire(ctx context.Context, kind store.Expirable, before time.Time, cursor string, limit int) (store.Expired, error) {
	step, known := map[store.Expirable]func(context.Context, pgx.Tx, expiry) (store.Expired, error){
		store.ExpireMessages: expireMessages, store.ExpireThreads: expireThreads,
		store.ExpireJournal: expireJournal, store.ExpireDeadLetters: expireDeadLetters,
	}[kind]
	if !known {
		return store.Expired{}, fmt.Errorf("postgres: expire: nothing is called %q", kind)
	}
	var expired store.Expired
	err := pgx.BeginFunc(ctx, s.reads, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, "SELECT "+alongIndexes); err != nil {
			return err
		}
		expired, err = step(ctx, tx, expiry{before, cursor, limit})
		return err
	})
	if err != nil {
		return store.Expired{}, failed("expire "+string(kind), err)
	}
	return expired, nil
}

// alongIndexes makes a transaction find rows by indexes, however little the planner knows of the
// tables, as writerConfig does for a connection: a step looks at few rows of many. It also bounds how
// long its locks outlive a replica that stands still.
const alongIndexes = `set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
	set_config('enable_mergejoin', 'off', true), set_config('idle_in_transaction_session_timeout', '10s', true)`

// The rows that are too old come from an index by time, from that of the step before on: so the
// entries of rows that were just deleted are not passed over again and again.
const (
	oldMessages = `SELECT message_id, first_seen_at FROM sms_messages
		WHERE first_seen_at < $1 AND first_seen_at >= $2 ORDER BY first_seen_at LIMIT $3 FOR UPDATE SKIP LOCKED`

	oldEvents = `SELECT event_key, received_at FROM thread_events
		WHERE received_at < $1 AND received_at >= $2 ORDER BY received_at LIMIT $3 FOR UPDATE SKIP LOCKED`
)

func expireMessages(ctx context.Context, tx pgx.Tx, e expiry) (store.Expired, error) {
	return expireOldest[string](ctx, tx, e, oldMessages,
		"DELETE FROM sms_receipts WHERE message_id = ANY($1)", "DELETE FROM sms_messages WHERE message_id = ANY($1)")
}

func expireJournal(ctx context.Context, tx pgx.Tx, e expiry) (store.Expired, error) {
	return expireOldest[[]byte](ctx, tx, e, oldEvents, "DELETE FROM thread_events WHERE event_key = ANY($1)")
}

// expireOldest locks rows by their keys and deletes them. The cursor is a time.
func expireOldest[K any](ctx context.Context, tx pgx.Tx, e expiry, lock string, deletes ...string) (store.Expired, error) {
	from := momentOf(time.Time{})
	if e.cursor != "" {
		at, err := time.Parse(time.RFC3339Nano, e.cursor)
		if err != nil {
			return store.Expired{}, err
		}
		from = momentOf(at)
	}
	rows, err := tx.Query(ctx, lock, e.before, from, e.limit)
	if err != nil {
		return store.Expired{}, err
	}
	var (
		keys []K
		last time.Time
	)
	for rows.Next() {
		var key K
		if err := rows.Scan(&key, &last); err != nil {
			return store.Expired{}, err
		}
		keys = append(keys, key)
	}
	if err := rows.Err(); err != nil || len(keys) == 0 {
		return store.Expired{}, err
	}
	for _, statement := range deletes {
		if _, err := tx.Exec(ctx, statement, keys); err != nil {
			return store.Expired{}, err
		}
	}
	expired := store.Expired{Deleted: len(keys)}
	if len(keys) == e.limit {
		expired.Cursor = last.UTC().Format(time.RFC3339Nano)
	}
	return expired, nil
}

// oldLetters keeps what is said of a thread that is parked, or is being pushed after a replay, and of an
// item that is set aside: without it nobody could see why, or try again. OFFSET 0 keeps the planner from reading the other table as a
// whole.
const (
	oldLetters = `SELECT id, received_at < $1 AND NOT CASE kind
				WHEN 'thread-push' THEN EXISTS (SELECT FROM threads t WHERE t.thread_id = subject
					AND (t.parked OR t.want_rev > t.done_rev AND replayed_at IS NOT NULL) OFFSET 0)
				WHEN 'thread-item' THEN EXISTS (SELECT FROM thread_items i WHERE i.thread_id = subject AND i.set_aside IS NOT NULL OFFSET 0)
				ELSE false END
		FROM dead_letters WHERE id > $2 ORDER BY id LIMIT $3`

	deleteOldLetters = `DELETE FROM dead_letters
		WHERE id IN (SELECT id FROM dead_letters WHERE id = ANY($1) FOR UPDATE SKIP LOCKED)`
)

// expireDeadLetters has an id for its cursor.
func expireDeadLetters(ctx context.Context, tx pgx.Tx, e expiry) (expired store.Expired, err error) {
	var after int64
	if e.cursor != "" {
		if _, err := fmt.Sscan(e.cursor, &after); err != nil {
			return expired, err
		}
	}
	page, err := oldPage[int64](ctx, tx, oldLetters, e.before, after, e.limit)
	if err != nil {
		return expired, err
	}
	if len(page) == e.limit {
		expired.Cursor = fmt.Sprint(page[e.limit-1].Key)
	}
	tag, err := tx.Exec(ctx, deleteOldLetters, oldKeys(page))
	expired.Deleted = int(tag.RowsAffected())
	return expired, err
}

const (
	isOldThread = `t.changed_at < $1 AND t.lease_until IS NULL AND NOT t.parked AND t.want_rev <= t.done_rev
		AND (t.own OR EXISTS (SELECT FROM thread_items i WHERE i.thread_id = t.thread_id OFFSET 0))`

	// oldThreads passes over those that have nothing left to be deleted.
	oldThreads = `SELECT t.thread_id, ` + isOldThread + ` FROM threads t WHERE t.thread_id > $2 ORDER BY t.thread_id LIMIT $3`

	lockOldThreads = `SELECT t.thread_id FROM threads t WHERE t.thread_id = ANY($2) AND ` + isOldThread + `
		ORDER BY t.thread_id FOR UPDATE SKIP LOCKED`

	oldItems = `SELECT thread_id, kind, item_id FROM thread_items WHERE thread_id = ANY($1)
		ORDER BY thread_id, kind, item_id LIMIT $2`

	deleteItems = `DELETE FROM thread_items i
		USING (SELECT unnest($1::text[]) AS thread_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS item_id) AS old
		WHERE i.thread_id = old.thread_id AND i.kind = old.kind AND i.item_id = old.item_id`

	// emptyThreads: see store.Emptying. What the CRM has of the thread is to be read before anything is
	// pushed again, because no items are left that say it.
	emptyThreads = `UPDATE threads SET own = false, uncertain = true, attempts = 0, last_error = '' WHERE thread_id = ANY($1)`
)

// expireThreads empties threads. The cursor is that of store.Emptying.
func expireThreads(ctx context.Context, tx pgx.Tx, e expiry) (expired store.Expired, err error) {
	after := strings.TrimPrefix(e.cursor, ">")
	page, err := oldPage[string](ctx, tx, oldThreads, e.before, after, e.limit)
	if err != nil {
		return expired, err
	}
	plan, err := planEmptying(ctx, tx, e, oldKeys(page))
	if err != nil {
		return expired, err
	}
	if err := empty(ctx, tx, plan); err != nil {
		return expired, err
	}
	ids := make([]string, len(page))
	for i, row := range page {
		ids[i] = row.Key
	}
	return store.Expired{Deleted: plan.Done, Cursor: plan.Next(ids, after, e.limit)}, nil
}

// planEmptying locks threads, as far as they are old still, and reads their first items.
func planEmptying(ctx context.Context, tx pgx.Tx, e expiry, ids []string) (*store.Emptying, error) {
	rows, err := tx.Query(ctx, lockOldThreads, e.before, ids)
	if err != nil {
		return nil, err
	}
	locked, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	if rows, err = tx.Query(ctx, oldItems, locked, e.limit+1); err != nil {
		return nil, err
	}
	items, err := pgx.CollectRows(rows, pgx.RowToStructByPos[thread.ItemKey])
	if err != nil {
		return nil, err
	}
	return store.PlanEmptying(locked, items, e.limit), nil
}

func empty(ctx context.Context, tx pgx.Tx, plan *store.Emptying) error {
	if len(plan.Threads) == 0 {
		return nil
	}
	letters := make([][]byte, len(plan.Letters))
	for i := range plan.Letters {
		letters[i] = plan.Letters[i][:]
	}
	threads, kinds, ids := itemKeys(plan.Items)
	var b pgx.Batch
	b.Queue(emptyThreads, plan.Threads)
	b.Queue(deleteItems, threads, kinds, ids)
	b.Queue(deleteSolved, letters)
	return tx.SendBatch(ctx, &b).Close()
}

// itemKeys returns the parts of keys, each as a list.
func itemKeys(keys []thread.ItemKey) (threads, kinds, ids []string) {
	for _, k := range keys {
		threads, kinds, ids = append(threads, k.ThreadID), append(kinds, string(k.Kind)), append(ids, k.ID)
	}
	return threads, kinds, ids
}

// oldRow is a row by its key, and whether it is to go.
type oldRow[K any] struct {
	Key   K
	IsOld bool
}

// oldPage reads the rows after one.
func oldPage[K any](ctx context.Context, tx pgx.Tx, statement string, before time.Time, after K, limit int) ([]oldRow[K], error) {
	rows, err := tx.Query(ctx, statement, before, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[oldRow[K]])
}

// oldKeys returns the keys of the rows that are to go.
func oldKeys[K any](page []oldRow[K]) (old []K) {
	for _, r := range page {
		if r.IsOld {
			old = append(old, r.Key)
		}
	}
	return old
}
