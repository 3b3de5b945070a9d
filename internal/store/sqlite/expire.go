package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Expire implements store.Archive.
func (s *Store) Expire(ctx context.Context, kind store.Expirable, before time.Time, cursor string, limit int) (store.Expired, error) {
	expire, known := map[store.Expirable]func(ctx context.Context, tx *sql.Tx, before any, cursor string, limit int) (store.Expired, error){
		store.ExpireMessages: expireMessages, store.ExpireThreads: expireThreads,
		store.ExpireJournal: expireJournal, store.ExpireDeadLetters: expireDeadLetters,
	}[kind]
	if !known {
		return store.Expired{}, fmt.Errorf("sqlite: expire: nothing is called %q", kind)
	}
	var expired store.Expired
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		expired, err = expire(ctx, tx, timeText(before), cursor, limit)
		return err
	})
	if err != nil {
		return store.Expired{}, failed("expire "+string(kind), err)
	}
	return expired, nil
}

// oldRow is a row by its rowid, and whether it is to go.
type oldRow struct {
	id    int64
	isOld bool
}

func scanOldRow(r row) (o oldRow, err error) {
	err = r.Scan(&o.id, &o.isOld)
	return o, err
}

// oldRows reads a page of rows by rowid, and returns those that are to go. The cursor is a rowid.
func oldRows(ctx context.Context, tx *sql.Tx, statement string, before any, cursor string, limit int) (old []int64, next string, err error) {
	var after int64
	if cursor != "" {
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return nil, "", err
		}
	}
	page, err := query(ctx, tx, scanOldRow, statement, before, after, limit)
	if err != nil {
		return nil, "", err
	}
	for _, r := range page {
		if r.isOld {
			old = append(old, r.id)
		}
	}
	if len(page) == limit {
		next = strconv.FormatInt(page[limit-1].id, 10)
	}
	return old, next, nil
}

// Rows are in the order in which they came, so a page of which none is old ends the work: the index by
// time that would show the same costs every commit. The row of a dead letter that was replayed has an
// earlier time than its neighbours; it goes with them.
const (
	oldMessages = `SELECT rowid, first_seen_at < ? FROM sms_messages WHERE rowid > ? ORDER BY rowid LIMIT ?`
	oldEvents   = `SELECT rowid, received_at < ? FROM thread_events WHERE rowid > ? ORDER BY rowid LIMIT ?`

	deleteReceipts = `DELETE FROM sms_receipts WHERE message_id IN (
		SELECT message_id FROM sms_messages WHERE rowid IN (SELECT value FROM json_each(?)))`
	deleteMessages = "DELETE FROM sms_messages WHERE rowid IN (SELECT value FROM json_each(?))"
	deleteEvents   = "DELETE FROM thread_events WHERE rowid IN (SELECT value FROM json_each(?))"
)

func expireMessages(ctx context.Context, tx *sql.Tx, before any, cursor string, limit int) (store.Expired, error) {
	return expireOldest(ctx, tx, oldMessages, before, cursor, limit, deleteReceipts, deleteMessages)
}

func expireJournal(ctx context.Context, tx *sql.Tx, before any, cursor string, limit int) (store.Expired, error) {
	return expireOldest(ctx, tx, oldEvents, before, cursor, limit, deleteEvents)
}

func expireOldest(ctx context.Context, tx *sql.Tx, statement string, before any, cursor string, limit int, deletes ...string) (e store.Expired, err error) {
	old, next, err := oldRows(ctx, tx, statement, before, cursor, limit)
	if err != nil || len(old) == 0 {
		return e, err
	}
	for _, statement := range deletes {
		if _, err := tx.ExecContext(ctx, statement, jsonList(old)); err != nil {
			return e, err
		}
	}
	return store.Expired{Deleted: len(old), Cursor: next}, nil
}

// oldLetters keeps what is said of a thread that is parked, or is being pushed after a replay, and of an
// item that is set aside: without it nobody could see why, or try again.
const oldLetters = `SELECT id, received_at < ? AND NOT CASE kind
			WHEN 'thread-push' THEN EXISTS (SELECT 1 FROM threads WHERE thread_id = subject
				AND (parked OR want_rev > done_rev AND replayed_at IS NOT NULL))
			WHEN 'thread-item' THEN EXISTS (SELECT 1 FROM thread_items WHERE thread_id = subject AND set_aside IS NOT NULL)
			ELSE FALSE END
	FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?`

func expireDeadLetters(ctx context.Context, tx *sql.Tx, before any, cursor string, limit int) (e store.Expired, err error) {
	old, next, err := oldRows(ctx, tx, oldLetters, before, cursor, limit)
	if err != nil {
		return e, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))", jsonList(old))
	return store.Expired{Deleted: len(old), Cursor: next}, err
}

const (
	// oldThreads passes over those that have nothing left to be deleted.
	oldThreads = `SELECT thread_id, changed_at < ? AND lease_until IS NULL AND NOT parked AND want_rev <= done_rev
			AND (own OR EXISTS (SELECT 1 FROM thread_items i WHERE i.thread_id = t.thread_id))
		FROM threads t WHERE thread_id > ? ORDER BY thread_id LIMIT ?`

	oldItems = `SELECT thread_id, kind, item_id FROM thread_items WHERE thread_id IN (SELECT value FROM json_each(?))
		ORDER BY thread_id, kind, item_id LIMIT ?`

	deleteItems = `DELETE FROM thread_items WHERE (thread_id, kind, item_id) IN (
		SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))`

	// emptyThreads: see store.Emptying. What the CRM has of the thread is to be read before anything is
	// pushed again, because no items are left that say it.
	emptyThreads = `UPDATE threads SET own = FALSE, uncertain = TRUE, attempts = 0, last_error = ''
		WHERE thread_id IN (SELECT value FROM json_each(?))`

	deleteLettersAbout = "DELETE FROM dead_letters WHERE digest IN (SELECT unhex(value) FROM json_each(?))"
)

// expireThreads empties threads. The cursor is that of store.Emptying.
func expireThreads(ctx context.Context, tx *sql.Tx, before any, cursor string, limit int) (e store.Expired, err error) {
	after := strings.TrimPrefix(cursor, ">")
	var old []string
	page, err := query(ctx, tx, func(r row) (id string, err error) {
		var isOld bool
		if err = r.Scan(&id, &isOld); isOld {
			old = append(old, id)
		}
		return id, err
	}, oldThreads, before, after, limit)
	if err != nil {
		return e, err
	}
	items, err := query(ctx, tx, scanItemKey, oldItems, jsonList(old), limit+1)
	if err != nil {
		return e, err
	}
	plan := store.PlanEmptying(old, items, limit)
	for _, do := range []struct{ statement, list string }{
		{emptyThreads, jsonList(plan.Threads)}, {deleteItems, jsonList(itemTriples(plan.Items))}, {deleteLettersAbout, jsonList(hexadecimal(plan.Letters))},
	} {
		if _, err := tx.ExecContext(ctx, do.statement, do.list); err != nil {
			return e, err
		}
	}
	return store.Expired{Deleted: plan.Done, Cursor: plan.Next(page, after, limit)}, nil
}
