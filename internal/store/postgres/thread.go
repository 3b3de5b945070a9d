package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

type threadRow = *store.ThreadRow

// threadColumns are the columns of threads.
var threadColumns = columns[threadRow]{
	text("thread_id", func(r threadRow) string { return r.ID }),
	flag("own", func(r threadRow) bool { return r.Own }),
	number("version", func(r threadRow) int64 { return r.Version }),
	timeOrNull("updated_at", func(r threadRow) time.Time { return r.UpdatedAt }),
	textOrNull("parent_id", func(r threadRow) string { return r.Link().Parent }),
	textOrNull("link", func(r threadRow) string { return string(r.Link().Kind) }),
	timeOrNull("linked_at", func(r threadRow) time.Time { return r.Link().UpdatedAt }),
	text("links", func(r threadRow) string { return r.Links.Encode() }),
	text("crm", func(r threadRow) string { return r.CRM.Encode() }),
	number("want_rev", func(r threadRow) int64 { return r.Sync.Want }),
	number("done_rev", func(r threadRow) int64 { return r.Sync.Done }),
	timeOrNull("since_at", func(r threadRow) time.Time { return r.Sync.Since }),
	timeOrNull("due_at", func(r threadRow) time.Time { return r.Sync.Due }),
	number("attempts", func(r threadRow) int64 { return int64(r.Sync.Attempts) }),
	timeOrNull("lease_until", func(r threadRow) time.Time { return r.Sync.LeaseUntil }),
	number("epoch", func(r threadRow) int64 { return r.Sync.Epoch }),
	flag("uncertain", func(r threadRow) bool { return r.Sync.Uncertain }),
	flag("parked", func(r threadRow) bool { return r.Sync.Parked }),
	number("last_status", func(r threadRow) int64 { return int64(r.Sync.LastStatus) }),
	text("last_error", func(r threadRow) string { return r.Sync.LastError }),
	timeOrNull("answered_at", func(r threadRow) time.Time { return r.Sync.Answered }),
	number("audit_seq", func(r threadRow) int64 { return r.Audit.Seq }),
	hashOrNull("audit_hash", func(r threadRow) []byte { return r.Audit.Hash[:] }),
	timeOrNull("first_seen_at", func(r threadRow) time.Time { return r.FirstSeen }),
	timeOrNull("changed_at", func(r threadRow) time.Time { return r.Changed }),
	text("trace", func(r threadRow) string { return r.Sync.Trace }),
}

// selectedThread is a select list of what scanThread reads, from threads as t.
const selectedThread = `t.thread_id, t.own, t.version, t.updated_at, t.links, t.crm, t.want_rev, t.done_rev,
	t.since_at, t.due_at, t.attempts, t.lease_until, t.epoch, t.uncertain, t.parked, t.last_status,
	t.last_error, t.answered_at, t.audit_seq, t.audit_hash, t.first_seen_at, t.changed_at, t.trace`

func scanThread(row pgx.CollectableRow) (*store.ThreadRow, error) {
	var (
		r                           store.ThreadRow
		links, crm                  string
		updated                     *time.Time
		since, due, lease, answered *time.Time
		head                        []byte
	)
	s := &r.Sync
	err := row.Scan(&r.ID, &r.Own, &r.Version, &updated, &links, &crm, &s.Want, &s.Done,
		&since, &due, &s.Attempts, &lease, &s.Epoch, &s.Uncertain, &s.Parked, &s.LastStatus,
		&s.LastError, &answered, &r.Audit.Seq, &head, &r.FirstSeen, &r.Changed, &s.Trace)
	if err != nil {
		return nil, err
	}
	r.UpdatedAt, s.Since, s.Due = timeOf(updated), timeOf(since), timeOf(due)
	s.LeaseUntil, s.Answered = timeOf(lease), timeOf(answered)
	r.FirstSeen, r.Changed = r.FirstSeen.UTC(), r.Changed.UTC()
	copy(r.Audit.Hash[:], head)
	if r.Links, err = thread.ParseLinks(links); err != nil {
		return nil, err
	}
	r.CRM, err = thread.ParseCopy(crm)
	return &r, err
}

// Thread implements store.ThreadReader.
func (s *Store) Thread(ctx context.Context, id string) (*store.ThreadRow, error) {
	rows, err := s.reads.Query(ctx, "SELECT "+selectedThread+" FROM threads t WHERE t.own AND t.thread_id = $1", id)
	if err != nil {
		return nil, failed("read thread", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, scanThread)
	if err != nil {
		return nil, failed("read thread", err)
	}
	return row, nil
}

// The states of threads, as store.Sync has them. Each has a statement of its own, so that the parked ones
// come from their index.
var stateConditions = map[store.SyncState]string{
	"":                  "TRUE",
	store.StateSynced:   "NOT t.parked AND t.want_rev <= t.done_rev",
	store.StatePending:  "NOT t.parked AND t.want_rev > t.done_rev AND t.attempts <= 0",
	store.StateRetrying: "NOT t.parked AND t.want_rev > t.done_rev AND t.attempts > 0",
	store.StateParked:   "t.parked",
	store.StateWaiting:  "NOT t.parked AND t.want_rev > t.done_rev",
}

// listThreads lists those that meet a condition. It ignores the case of ASCII letters alone, as SQLite
// does.
func listThreads(condition string) string {
	return `SELECT ` + selectedThread + ` FROM threads t
		WHERE t.own AND t.thread_id > $1 AND strpos(lower(t.thread_id), lower($2 COLLATE "C")) > 0
			AND ($3::timestamptz IS NULL OR t.changed_at >= $3) AND ` + condition + `
		ORDER BY t.thread_id LIMIT $4`
}

// Threads implements store.ThreadReader.
func (s *Store) Threads(ctx context.Context, q store.ThreadQuery) ([]store.ThreadRow, error) {
	condition, told := stateConditions[q.State]
	if !told {
		return nil, nil
	}
	var since *time.Time
	if !q.Since.IsZero() {
		since = &q.Since
	}
	rows, err := s.reads.Query(ctx, listThreads(condition), q.After, q.Text, since, q.Limit)
	if err != nil {
		return nil, failed("list threads", err)
	}
	threads, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (store.ThreadRow, error) {
		r, err := scanThread(row)
		if err != nil {
			return store.ThreadRow{}, err
		}
		return *r, nil
	})
	if err != nil {
		return nil, failed("list threads", err)
	}
	return threads, nil
}

const readDoneRev = `SELECT done_rev,
		(SELECT coalesce(max(rev), 0) FROM thread_items WHERE thread_id = $1 AND set_aside IS NOT NULL AND NOT theirs)
	FROM threads WHERE own AND thread_id = $1`

// DoneRev implements store.Queue.
func (s *Store) DoneRev(ctx context.Context, threadID string) (done, aside int64, err error) {
	if err := s.reads.QueryRow(ctx, readDoneRev, threadID).Scan(&done, &aside); err != nil {
		return 0, 0, failed("read revision", err)
	}
	return done, aside, nil
}
