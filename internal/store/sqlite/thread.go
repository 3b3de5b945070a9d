package sqlite

import (
	"context"
	"database/sql"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// The columns of threads, in the order of threadValues.
var threadColumns = []string{
	"thread_id", "own", "version", "updated_at", "parent_id", "link", "linked_at", "links", "crm",
	"want_rev", "done_rev", "since_at", "due_at", "attempts", "lease_until", "epoch", "uncertain",
	"parked", "last_status", "last_error", "answered_at", "audit_seq", "audit_hash", "first_seen_at",
	"changed_at", "trace",
}

func threadValues(r *store.ThreadRow) []any {
	link, sync := r.Link(), &r.Sync
	return []any{
		r.ID, r.Own, r.Version, timeText(r.UpdatedAt), text(link.Parent), text(string(link.Kind)),
		timeText(link.UpdatedAt), r.Links.Encode(), r.CRM.Encode(), sync.Want, sync.Done,
		timeText(sync.Since), timeText(sync.Due), sync.Attempts, timeText(sync.LeaseUntil), sync.Epoch,
		sync.Uncertain, sync.Parked, sync.LastStatus, sync.LastError, timeText(sync.Answered),
		r.Audit.Seq, hash(r.Audit.Hash[:]), timeText(r.FirstSeen), timeText(r.Changed),
		sync.Trace,
	}
}

// The columns of threads in the order of scanThread.
const readThread = `thread_id, own, version, updated_at, links, crm, want_rev, done_rev, since_at, due_at,
	attempts, lease_until, epoch, uncertain, parked, last_status, last_error, answered_at, audit_seq,
	audit_hash, first_seen_at, changed_at, trace`

func scanThread(r row) (*store.ThreadRow, error) {
	var (
		t          store.ThreadRow
		links, crm string
		sync       = &t.Sync
	)
	err := r.Scan(&t.ID, &t.Own, &t.Version, instant{&t.UpdatedAt}, &links, &crm, &sync.Want, &sync.Done,
		instant{&sync.Since}, instant{&sync.Due}, &sync.Attempts, instant{&sync.LeaseUntil}, &sync.Epoch,
		&sync.Uncertain, &sync.Parked, &sync.LastStatus, &sync.LastError, instant{&sync.Answered},
		&t.Audit.Seq, digest(t.Audit.Hash[:]), instant{&t.FirstSeen}, instant{&t.Changed}, &sync.Trace)
	if err != nil {
		return nil, err
	}
	if t.Links, err = thread.ParseLinks(links); err != nil {
		return nil, err
	}
	t.CRM, err = thread.ParseCopy(crm)
	return &t, err
}

// The states of threads, as store.Sync has them. Each has a statement of its own, so that the parked ones
// come from their index.
var stateConditions = map[store.SyncState]string{
	"":                  "TRUE",
	store.StateSynced:   "NOT parked AND want_rev <= done_rev",
	store.StatePending:  "NOT parked AND want_rev > done_rev AND attempts <= 0",
	store.StateRetrying: "NOT parked AND want_rev > done_rev AND attempts > 0",
	store.StateParked:   "parked",
	store.StateWaiting:  "NOT parked AND want_rev > done_rev",
}

// listThreads lists those that meet a condition. It ignores the case of ASCII letters alone.
func listThreads(condition string) string {
	return "SELECT " + readThread + ` FROM threads
		WHERE own AND thread_id > ?1 AND instr(lower(thread_id), lower(?2)) AND (?3 IS NULL OR changed_at >= ?3) AND ` + condition + `
		ORDER BY thread_id LIMIT ?4`
}

// Threads implements store.ThreadReader.
func (s *Store) Threads(ctx context.Context, q store.ThreadQuery) ([]store.ThreadRow, error) {
	condition, told := stateConditions[q.State]
	if !told {
		return nil, nil
	}
	rows, err := query(ctx, s.readers, scanThread, listThreads(condition), q.After, q.Text, timeText(q.Since), q.Limit)
	if err != nil {
		return nil, failed("list threads", err)
	}
	threads := make([]store.ThreadRow, len(rows))
	for i, row := range rows {
		threads[i] = *row
	}
	return threads, nil
}

// Thread implements store.ThreadReader.
func (s *Store) Thread(ctx context.Context, id string) (*store.ThreadRow, error) {
	row, err := scanThread(s.readers.QueryRowContext(ctx, "SELECT "+readThread+" FROM threads WHERE thread_id = ? AND own", id))
	if err != nil {
		return nil, failed("read thread", err)
	}
	return row, nil
}

const selectThreads = "SELECT " + readThread +
	" FROM json_each(?) AS wanted CROSS JOIN threads ON thread_id = wanted.value"

// existingThreads reads rows, by id.
func (p *statements) existingThreads(tx *sql.Tx, ids []string) (map[string]*store.ThreadRow, error) {
	rows, err := selectAll(tx.Stmt(p.selectThreads), scanThread, ids)
	if err != nil {
		return nil, err
	}
	threads := make(map[string]*store.ThreadRow, len(rows))
	for _, row := range rows {
		threads[row.ID] = row
	}
	return threads, nil
}
