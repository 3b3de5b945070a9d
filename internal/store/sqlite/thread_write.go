package sqlite

import (
	"database/sql"
	"strings"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var (
	insertThread = "INSERT INTO threads (" + strings.Join(threadColumns, ", ") + ") VALUES (?" +
		strings.Repeat(", ?", len(threadColumns)-1) + ")"

	updateThread = "UPDATE threads SET " + strings.Join(threadColumns[1:], " = ?, ") +
		" = ? WHERE thread_id = ?"
)

const (
	selectEvents = "SELECT event_key FROM json_each(?) AS wanted CROSS JOIN thread_events ON event_key = unhex(wanted.value)"

	insertEvent = `INSERT INTO thread_events (event_key, thread_id, type, version, updated_at, received_at, raw)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
)

// existingEvents returns which of some events are in the journal.
func (p *statements) existingEvents(tx *sql.Tx, keys []thread.Key) (map[thread.Key]bool, error) {
	found, err := selectAll(tx.Stmt(p.selectEvents), scanEventKey, hexadecimal(keys))
	if err != nil {
		return nil, err
	}
	events := make(map[thread.Key]bool, len(found))
	for _, k := range found {
		events[k] = true
	}
	return events, nil
}

func scanEventKey(r row) (k thread.Key, err error) {
	err = r.Scan(digest(k[:]))
	return k, err
}

// writeEvents adds events to the journal.
func (p *statements) writeEvents(tx *sql.Tx, events []*thread.Event) error {
	insert := tx.Stmt(p.insertEvent)
	for _, e := range events {
		_, err := insert.Exec(e.Key[:], e.ThreadID, string(e.Type), e.Version, timeText(e.UpdatedAt), timeText(e.Received), string(e.Raw))
		if err != nil {
			return err
		}
	}
	return nil
}

// writeThreads writes rows of threads, their items and their audit entries.
func (p *statements) writeThreads(tx *sql.Tx, w *store.ThreadWrites) error {
	insert, update := tx.Stmt(p.insertThread), tx.Stmt(p.updateThread)
	for _, r := range w.Inserts {
		if _, err := insert.Exec(threadValues(r)...); err != nil {
			return err
		}
	}
	for _, u := range w.Updates {
		values := threadValues(u.ThreadRow)
		if _, err := update.Exec(append(values[1:], values[0])...); err != nil {
			return err
		}
	}
	write := tx.Stmt(p.writeItem)
	for _, i := range w.Items {
		if _, err := write.Exec(itemValues(i)...); err != nil {
			return err
		}
	}
	return p.writeAudit(tx, w.Audit)
}
