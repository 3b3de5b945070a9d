package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// auditColumns are the columns of audit, besides the id.
var auditColumns = columns[audit.Entry]{
	text("subject", func(e audit.Entry) string { return e.Subject }),
	number("seq", func(e audit.Entry) int64 { return e.Seq }),
	timeOrNull("at", func(e audit.Entry) time.Time { return e.At }),
	text("action", func(e audit.Entry) string { return string(e.Action) }),
	text("outcome", func(e audit.Entry) string { return e.Outcome }),
	text("detail", func(e audit.Entry) string { return e.Detail }),
	hashOrNull("prev_hash", func(e audit.Entry) []byte { return e.Prev[:] }),
	hashOrNull("hash", func(e audit.Entry) []byte { return e.Hash[:] }),
}

var insertAudit = `INSERT INTO audit (` + auditColumns.names() + `) ` + auditColumns.unnest()

// lockAuditHead makes the end of a chain if there is none, and locks it: an update that changes
// nothing locks, where DO NOTHING would return no row.
const lockAuditHead = `INSERT INTO audit_heads AS h (subject, seq) VALUES ($1, 0)
	ON CONFLICT (subject) DO UPDATE SET seq = h.seq
	RETURNING h.seq, h.hash`

// Audit implements store.AuditLog.
func (s *Store) Audit(ctx context.Context, note audit.Note, now time.Time) error {
	conn, err := s.queue.Acquire(ctx)
	if err != nil {
		return failed("audit", err)
	}
	defer conn.Release()

	var head audit.Head
	var b pgx.Batch
	b.Queue("BEGIN")
	queueLockHead(&b, note.Subject, &head)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return failed("audit", err)
	}
	if err := appendAudit(ctx, conn.Conn(), &head, note, now); err != nil {
		return failed("audit", err)
	}
	return nil
}

// queueLockHead queues the lock and the read of the end of a chain that is not a thread's.
func queueLockHead(b *pgx.Batch, subject string, head *audit.Head) {
	b.Queue(lockAuditHead, subject).QueryRow(func(row pgx.Row) error {
		var hash []byte
		err := row.Scan(&head.Seq, &hash)
		copy(head.Hash[:], hash)
		return err
	})
}

// appendAudit adds a note to the chain whose end is locked, and commits.
func appendAudit(ctx context.Context, conn *pgx.Conn, head *audit.Head, note audit.Note, now time.Time) error {
	entry := head.Append(note, now)
	var b pgx.Batch
	b.Queue(insertAudit, auditColumns.arguments([]audit.Entry{entry})...)
	b.Queue("UPDATE audit_heads SET seq = $2, hash = $3 WHERE subject = $1", note.Subject, head.Seq, head.Hash[:])
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, &b).Close()
}

const selectedEntry = "id, subject, seq, at, action, outcome, detail, prev_hash, hash"

// AuditEntries implements store.AuditLog. In a chain the ids grow with seq, because whoever appends
// to it has its lock; so the index of the chain gives the order.
func (s *Store) AuditEntries(ctx context.Context, subject string, before int64, limit int) ([]audit.Entry, error) {
	if subject == "" {
		return s.entries(ctx, `WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	}
	return s.entries(ctx, `WHERE subject = $3 AND ($1 = 0 OR id < $1) ORDER BY seq DESC LIMIT $2`, before, limit, subject)
}

// AuditChains implements store.AuditLog.
func (s *Store) AuditChains(ctx context.Context, subject string, seq int64, limit int) ([]audit.Entry, error) {
	return s.entries(ctx, `WHERE (subject, seq) > ($1, $2) ORDER BY subject, seq LIMIT $3`, subject, seq, limit)
}

func (s *Store) entries(ctx context.Context, which string, args ...any) ([]audit.Entry, error) {
	rows, err := s.reads.Query(ctx, "SELECT "+selectedEntry+" FROM audit "+which, args...)
	if err != nil {
		return nil, failed("read audit", err)
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, failed("read audit", err)
	}
	return entries, nil
}

func scanEntry(row pgx.CollectableRow) (audit.Entry, error) {
	var (
		e          audit.Entry
		prev, hash []byte
	)
	err := row.Scan(&e.ID, &e.Subject, &e.Seq, &e.At, &e.Action, &e.Outcome, &e.Detail, &prev, &hash)
	e.At = e.At.UTC()
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return e, err
}

var listHeads = store.HeadsQuery("$")

// AuditHeads implements store.AuditLog.
func (s *Store) AuditHeads(ctx context.Context, after string, limit int) ([]store.AuditHead, error) {
	rows, err := s.reads.Query(ctx, listHeads, store.HeadsArguments(after, limit)...)
	if err != nil {
		return nil, failed("read audit", err)
	}
	heads, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h store.AuditHead, err error) {
		var hash []byte
		err = row.Scan(&h.Subject, &h.Seq, &hash)
		copy(h.Hash[:], hash)
		return h, err
	})
	if err != nil {
		return nil, failed("read audit", err)
	}
	return heads, nil
}
