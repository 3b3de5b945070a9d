package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	raiseAlarm = `INSERT INTO alarms (name, subject, raised_at, detail) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (name, subject) DO UPDATE SET raised_at = excluded.raised_at, cleared_at = NULL, detail = excluded.detail
		WHERE cleared_at IS NOT NULL`

	clearAlarm = "UPDATE alarms SET cleared_at = ?3, detail = ?4 WHERE name = ?1 AND subject = ?2 AND cleared_at IS NULL"
)

// Raise implements store.Overseer.
func (s *Store) Raise(ctx context.Context, a store.Alarm) (raised bool, err error) {
	return s.turnAlarm(ctx, "raise alarm", raiseAlarm, &a, a.Raised, a.RaisedNote())
}

// Clear implements store.Overseer.
func (s *Store) Clear(ctx context.Context, a store.Alarm) (cleared bool, err error) {
	return s.turnAlarm(ctx, "clear alarm", clearAlarm, &a, a.Cleared, a.ClearedNote())
}

// turnAlarm runs a statement that changes an alarm or finds that there is nothing to change, and records
// a change in the audit log.
func (s *Store) turnAlarm(ctx context.Context, op, statement string, a *store.Alarm, at time.Time, note audit.Note) (turned bool, err error) {
	detail, err := json.Marshal(a.Detail)
	if err != nil {
		return false, err
	}
	err = s.change(ctx, op, func(tx *sql.Tx, p *statements) (err error) {
		turned, err = affects(tx.ExecContext(ctx, statement, a.Name, a.Subject, timeText(at), string(detail)))
		if err != nil || !turned {
			return err
		}
		return p.appendAudit(tx, note, at)
	})
	return turned && err == nil, err
}

// Alarms implements store.Overseer.
func (s *Store) Alarms(ctx context.Context, limit int) ([]store.Alarm, error) {
	alarms, err := query(ctx, s.readers, scanAlarm, `SELECT name, subject, raised_at, cleared_at, detail FROM alarms
		ORDER BY cleared_at DESC NULLS FIRST, raised_at DESC, name, subject LIMIT ?`, limit)
	if err != nil {
		return nil, failed("list alarms", err)
	}
	return alarms, nil
}

func scanAlarm(r row) (a store.Alarm, err error) {
	var detail []byte
	if err := r.Scan(&a.Name, &a.Subject, instant{&a.Raised}, instant{&a.Cleared}, &detail); err != nil {
		return a, err
	}
	err = json.Unmarshal(detail, &a.Detail)
	return a, err
}
