package sqlite

import (
	"context"
	"database/sql"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	writeReplica = `INSERT INTO replicas (id, host, version, started_at, seen_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, version = excluded.version,
			started_at = excluded.started_at, seen_at = excluded.seen_at`

	forgetReplicas = "DELETE FROM replicas WHERE seen_at < ?"
)

// Beat implements store.Overseer.
func (s *Store) Beat(ctx context.Context, r store.Replica) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, writeReplica, r.ID, r.Host, r.Version, timeText(r.Started), timeText(r.Seen)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, forgetReplicas, timeText(r.Seen.Add(-store.ReplicaSilence)))
		return err
	})
	if err != nil {
		return failed("beat", err)
	}
	return nil
}

// Replicas implements store.Overseer.
func (s *Store) Replicas(ctx context.Context) ([]store.Replica, error) {
	replicas, err := query(ctx, s.readers, scanReplica, `SELECT id, host, version, started_at, seen_at FROM replicas
		ORDER BY started_at, id`)
	if err != nil {
		return nil, failed("list replicas", err)
	}
	return replicas, nil
}

func scanReplica(r row) (p store.Replica, err error) {
	err = r.Scan(&p.ID, &p.Host, &p.Version, instant{&p.Started}, instant{&p.Seen})
	return p, err
}
