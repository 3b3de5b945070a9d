package postgres

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const (
	lockThreads = "SELECT " + selectedThread + " FROM threads t WHERE t.thread_id = ANY($1) ORDER BY t.thread_id FOR UPDATE"

	readItems = `SELECT ` + selectedItem + `
		FROM (SELECT unnest($1::text[]) AS thread_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS item_id) AS key
		JOIN thread_items i USING (thread_id, kind, item_id)`

	readEvents = "SELECT event_key FROM thread_events WHERE event_key = ANY($1::bytea[])"
)

// queueLockThreads queues the lock of threads, in the order of their ids, and reads them.
func queueLockThreads(b *pgx.Batch, ids []string, into map[string]*store.ThreadRow) {
	b.Queue(lockThreads, ids).Query(func(rows pgx.Rows) error {
		locked, err := pgx.CollectRows(rows, scanThread)
		for _, row := range locked {
			into[row.ID] = row
		}
		return err
	})
}

// queueItems queues the read of items by their keys.
func queueItems(b *pgx.Batch, keys []thread.ItemKey, into map[thread.ItemKey]*thread.Item) {
	type key = thread.ItemKey
	if len(keys) == 0 {
		return
	}
	b.Queue(readItems,
		someTexts(keys, func(k key) string { return k.ThreadID }),
		someTexts(keys, func(k key) string { return string(k.Kind) }),
		someTexts(keys, func(k key) string { return k.ID }),
	).Query(func(rows pgx.Rows) error {
		items, err := pgx.CollectRows(rows, scanItem)
		for _, item := range items {
			into[item.ItemKey] = item
		}
		return err
	})
}

// queueEvents queues the read of which events are known.
func queueEvents(b *pgx.Batch, keys []thread.Key, into map[thread.Key]bool) {
	b.Queue(readEvents, bytesOf(pgtype.ByteaOID, keys, func(k thread.Key) []byte { return k[:] })).
		Query(func(rows pgx.Rows) error {
			var raw []byte
			_, err := pgx.ForEachRow(rows, []any{&raw}, func() error {
				into[thread.Key(raw)] = true
				return nil
			})
			return err
		})
}
