package postgres

import (
	"context"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	// selectBacklog looks at the threads that have waited longest, by the index of the queue.
	selectBacklog = `SELECT count(*), count(*) FILTER (WHERE attempts > 0), min(since_at),
			(SELECT count(*) FROM (SELECT FROM threads WHERE parked LIMIT $1) AS parked)
		FROM (SELECT attempts, since_at FROM threads WHERE ` + isQueued + ` ORDER BY since_at LIMIT $1) AS waiting`

	describe = `SELECT split_part(current_setting('server_version'), ' ', 1), pg_database_size(current_database()),
		(SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied)`
)

// Backlog implements store.Overseer.
func (s *Store) Backlog(ctx context.Context, most int) (b store.Backlog, err error) {
	var oldest *time.Time
	err = s.reads.QueryRow(ctx, selectBacklog, most).Scan(&b.Pending, &b.Retrying, &oldest, &b.Parked)
	if err != nil {
		return store.Backlog{}, failed("read backlog", err)
	}
	b.Oldest = timeOf(oldest)
	return b, nil
}

// Describe implements store.Overseer.
func (s *Store) Describe(ctx context.Context) (store.Description, error) {
	d := store.Description{Engine: "PostgreSQL"}
	if err := s.reads.QueryRow(ctx, describe).Scan(&d.Version, &d.Bytes, &d.Schema); err != nil {
		return store.Description{}, failed("describe", err)
	}
	return d, nil
}
