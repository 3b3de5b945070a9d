package sqlite

import (
	"context"
	"os"

	"github.com/cxbridge/cxbridge/internal/store"
)

// selectBacklog looks at the threads that have waited longest, by the index of the queue.
const selectBacklog = `SELECT count(*), count(*) FILTER (WHERE attempts > 0), min(since_at),
		(SELECT count(*) FROM (SELECT 1 FROM threads WHERE parked LIMIT ?1))
	FROM (SELECT attempts, since_at FROM threads WHERE ` + inQueue + ` ORDER BY since_at LIMIT ?1)`

// Backlog implements store.Overseer.
func (s *Store) Backlog(ctx context.Context, most int) (b store.Backlog, err error) {
	err = s.readers.QueryRowContext(ctx, selectBacklog, most).Scan(&b.Pending, &b.Retrying, instant{&b.Oldest}, &b.Parked)
	if err != nil {
		return store.Backlog{}, failed("read backlog", err)
	}
	return b, nil
}

// Describe implements store.Overseer. The write-ahead log counts as a part of the database.
func (s *Store) Describe(ctx context.Context) (store.Description, error) {
	d := store.Description{Engine: "SQLite"}
	var path string
	err := s.readers.QueryRowContext(ctx, "SELECT sqlite_version(), file FROM pragma_database_list WHERE name = 'main'").Scan(&d.Version, &path)
	if err != nil {
		return store.Description{}, failed("describe", err)
	}
	if d.Schema, err = s.version(ctx); err != nil {
		return store.Description{}, failed("describe", err)
	}
	for _, name := range []string{path, path + "-wal"} {
		file, err := os.Stat(name)
		if os.IsNotExist(err) {
			continue // a log that is not begun yet
		}
		if err != nil {
			return store.Description{}, failed("describe", err)
		}
		d.Bytes += file.Size()
	}
	return d, nil
}
