package proof

import (
	"context"
	"database/sql"
	"time"
)

// lockPoll is how often PostgreSQL is asked for waiting replicas.
const lockPoll = 500 * time.Millisecond

// WatchLockWaits asks PostgreSQL how long replicas wait for a lock, until ctx is done, and returns the
// longest wait that it saw. A replica that holds a lock for long keeps all others from the database.
func WatchLockWaits(ctx context.Context, s *Store) (longest time.Duration, err error) {
	const query = `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8
		FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'replica-%'`
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return longest, nil
		}
		err := s.Query(context.WithoutCancel(ctx), query, func(rows *sql.Rows) error {
			var seconds float64
			err := rows.Scan(&seconds)
			longest = max(longest, time.Duration(seconds*float64(time.Second)))
			return err
		})
		if err != nil {
			return longest, err
		}
	}
}
