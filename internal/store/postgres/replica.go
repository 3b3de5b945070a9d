package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	writeReplica = `INSERT INTO replicas (id, host, version, started_at, seen_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, version = excluded.version,
			started_at = excluded.started_at, seen_at = excluded.seen_at`

	forgetReplicas = "DELETE FROM replicas WHERE seen_at < $1"
)

// Beat implements store.Overseer. The statements are transactions of their own, so that no two replicas
// wait for each other in a ring.
func (s *Store) Beat(ctx context.Context, r store.Replica) error {
	if _, err := s.reads.Exec(ctx, writeReplica, r.ID, r.Host, r.Version, r.Started, r.Seen); err != nil {
		return failed("beat", err)
	}
	if _, err := s.reads.Exec(ctx, forgetReplicas, r.Seen.Add(-store.ReplicaSilence)); err != nil {
		return failed("beat", err)
	}
	return nil
}

// Replicas implements store.Overseer.
func (s *Store) Replicas(ctx context.Context) ([]store.Replica, error) {
	rows, err := s.reads.Query(ctx, `SELECT id, host, version, started_at, seen_at FROM replicas
		ORDER BY started_at, id COLLATE "C"`)
	if err != nil {
		return nil, failed("list replicas", err)
	}
	replicas, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r store.Replica, err error) {
		err = row.Scan(&r.ID, &r.Host, &r.Version, &r.Started, &r.Seen)
		r.Started, r.Seen = r.Started.UTC(), r.Seen.UTC()
		return r, err
	})
	if err != nil {
		return nil, failed("list replicas", err)
	}
	return replicas, nil
}
