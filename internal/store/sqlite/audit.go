package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// The columns of audit in the order of scanEntry.
const auditColumns = "id, subject, seq, at, action, outcome, detail, prev_hash, hash"

func scanEntry(r row) (e audit.Entry, err error) {
	err = r.Scan(&e.ID, &e.Subject, &e.Seq, instant{&e.At}, &e.Action, &e.Outcome, &e.Detail, digest(e.Prev[:]), digest(e.Hash[:]))
	return e, err
}

const (
	insertAudit = `INSERT INTO audit (subject, seq, at, action, outcome, detail, prev_hash, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

	selectAuditHead = "SELECT subject, seq, hash FROM audit_heads WHERE subject = ?"

	writeAuditHead = `INSERT INTO audit_heads (subject, seq, hash) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash`
)

// writeAudit adds entries. Its callers write the ends of the chains.
func (p *statements) writeAudit(tx *sql.Tx, entries []audit.Entry) error {
	insert := tx.Stmt(p.insertAudit)
	for _, e := range entries {
		_, err := insert.Exec(e.Subject, e.Seq, timeText(e.At), string(e.Action), e.Outcome, e.Detail, hash(e.Prev[:]), e.Hash[:])
		if err != nil {
			return err
		}
	}
	return nil
}

// Audit implements store.AuditLog.
func (s *Store) Audit(ctx context.Context, note audit.Note, now time.Time) error {
	return s.change(ctx, "write audit", func(tx *sql.Tx, p *statements) error { return p.appendAudit(tx, note, now) })
}

// appendAudit adds a note that is not about a thread.
func (p *statements) appendAudit(tx *sql.Tx, note audit.Note, now time.Time) error {
	head, err := scanHead(tx.Stmt(p.selectAuditHead).QueryRow(note.Subject))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	entry := head.Append(note, now)
	if err := p.writeAudit(tx, []audit.Entry{entry}); err != nil {
		return err
	}
	_, err = tx.Stmt(p.writeAuditHead).Exec(note.Subject, head.Seq, head.Hash[:])
	return err
}

func scanHead(r row) (h store.AuditHead, err error) {
	err = r.Scan(&h.Subject, &h.Seq, digest(h.Hash[:]))
	return h, err
}

// AuditEntries implements store.AuditLog. In a chain ids grow with seq, so those of one subject come
// from its index.
func (s *Store) AuditEntries(ctx context.Context, subject string, before int64, limit int) (entries []audit.Entry, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	if subject == "" {
		entries, err = query(ctx, s.readers, scanEntry, "SELECT "+auditColumns+` FROM audit
			WHERE id < ? ORDER BY id DESC LIMIT ?`, before, limit)
	} else {
		entries, err = query(ctx, s.readers, scanEntry, "SELECT "+auditColumns+` FROM audit
			WHERE subject = ? AND id < ? ORDER BY seq DESC LIMIT ?`, subject, before, limit)
	}
	if err != nil {
		return nil, failed("list audit", err)
	}
	return entries, nil
}

// AuditChains implements store.AuditLog.
func (s *Store) AuditChains(ctx context.Context, subject string, seq int64, limit int) ([]audit.Entry, error) {
	entries, err := query(ctx, s.readers, scanEntry, "SELECT "+auditColumns+` FROM audit
		WHERE (subject, seq) > (?, ?) ORDER BY subject, seq LIMIT ?`, subject, seq, limit)
	if err != nil {
		return nil, failed("read audit chains", err)
	}
	return entries, nil
}

var listHeads = store.HeadsQuery("?")

// AuditHeads implements store.AuditLog.
func (s *Store) AuditHeads(ctx context.Context, after string, limit int) ([]store.AuditHead, error) {
	heads, err := query(ctx, s.readers, scanHead, listHeads, store.HeadsArguments(after, limit)...)
	if err != nil {
		return nil, failed("read audit heads", err)
	}
	return heads, nil
}
