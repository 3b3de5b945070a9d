package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Of replicas that change one alarm at the same time, the first has its row's lock, and the others
// find afterwards that there is nothing left to change.
const (
	raiseAlarm = `INSERT INTO alarms AS a (name, subject, raised_at, detail) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name, subject) DO UPDATE SET raised_at = excluded.raised_at, cleared_at = NULL, detail = excluded.detail
		WHERE a.cleared_at IS NOT NULL`

	clearAlarm = "UPDATE alarms SET cleared_at = $3, detail = $4 WHERE name = $1 AND subject = $2 AND cleared_at IS NULL"
)

// Raise implements store.Overseer.
func (s *Store) Raise(ctx context.Context, a store.Alarm) (raised bool, err error) {
	if raised, err = s.turnAlarm(ctx, raiseAlarm, &a, a.Raised, a.RaisedNote()); err != nil {
		return false, failed("raise alarm", err)
	}
	return raised, nil
}

// Clear implements store.Overseer.
func (s *Store) Clear(ctx context.Context, a store.Alarm) (cleared bool, err error) {
	if cleared, err = s.turnAlarm(ctx, clearAlarm, &a, a.Cleared, a.ClearedNote()); err != nil {
		return false, failed("clear alarm", err)
	}
	return cleared, nil
}

// turnAlarm runs a statement that changes an alarm or finds that there is nothing to change, and records
// a change in the audit log.
func (s *Store) turnAlarm(ctx context.Context, statement string, a *store.Alarm, at time.Time, note audit.Note) (turned bool, err error) {
	detail, err := json.Marshal(a.Detail)
	if err != nil {
		return false, err
	}
	conn, err := s.queue.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release() // a transaction that is not over ends with the connection

	var head audit.Head
	var b pgx.Batch
	b.Queue("BEGIN")
	b.Queue(statement, a.Name, a.Subject, at, string(detail)).Exec(func(tag pgconn.CommandTag) error {
		turned = tag.RowsAffected() > 0
		return nil
	})
	queueLockHead(&b, note.Subject, &head)
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return false, err
	}
	if !turned {
		_, err := conn.Exec(ctx, "ROLLBACK")
		return false, err
	}
	return true, appendAudit(ctx, conn.Conn(), &head, note, at)
}

// Alarms implements store.Overseer.
func (s *Store) Alarms(ctx context.Context, limit int) ([]store.Alarm, error) {
	rows, err := s.reads.Query(ctx, `SELECT name, subject, raised_at, cleared_at, detail FROM alarms
		ORDER BY cleared_at DESC NULLS FIRST, raised_at DESC, name COLLATE "C", subject LIMIT $1`, limit)
	if err != nil {
		return nil, failed("list alarms", err)
	}
	alarms, err := pgx.CollectRows(rows, scanAlarm)
	if err != nil {
		return nil, failed("list alarms", err)
	}
	return alarms, nil
}

func scanAlarm(row pgx.CollectableRow) (store.Alarm, error) {
	var (
		a       store.Alarm
		cleared *time.Time
		detail  string
	)
	if err := row.Scan(&a.Name, &a.Subject, &a.Raised, &cleared, &detail); err != nil {
		return a, err
	}
	a.Raised, a.Cleared = a.Raised.UTC(), timeOf(cleared)
	err := json.Unmarshal([]byte(detail), &a.Detail)
	return a, err
}
