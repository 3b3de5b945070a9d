package main

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresRole derives the role of a PostgreSQL process from its title. The title of a connection has the
// client's address and port, as in "postgres: user database 127.0.0.1(40000) idle".
func postgresRole(title string) string {
	switch {
	case strings.Contains(title, "walwriter"):
		return ofWALWriter
	case strings.HasPrefix(title, "postgres: ") && strings.Contains(title, "("):
		return ofBackends
	}
	return ofOthers
}

// databaseWork is what a PostgreSQL has done; it only grows.
type databaseWork struct {
	Statements int64 `json:"statements"` // BEGIN and COMMIT among them
	Commits    int64 `json:"commits"`
	Inserted   int64 `json:"rows_inserted"`
	Updated    int64 `json:"rows_updated"`
	WALRecords int64 `json:"wal_records"`
	WALBytes   int64 `json:"wal_bytes"`
	WALImages  int64 `json:"wal_page_images"` // whole pages in the log, of the first change after a checkpoint
	WALWrites  int64 `json:"wal_writes"`
	WALSyncs   int64 `json:"wal_syncs"` // of the log: fsync or fdatasync
}

func (w *databaseWork) since(before *databaseWork) *databaseWork {
	if w == nil {
		return nil
	}
	return &databaseWork{
		Statements: w.Statements - before.Statements, Commits: w.Commits - before.Commits,
		Inserted: w.Inserted - before.Inserted, Updated: w.Updated - before.Updated,
		WALRecords: w.WALRecords - before.WALRecords, WALBytes: w.WALBytes - before.WALBytes, WALImages: w.WALImages - before.WALImages,
		WALWrites: w.WALWrites - before.WALWrites, WALSyncs: w.WALSyncs - before.WALSyncs,
	}
}

// Writes and syncs of the log are in pg_stat_wal up to PostgreSQL 17, and in pg_stat_io since 18.
const (
	walCallsIn17 = "SELECT wal_write, wal_sync FROM pg_stat_wal"
	walCallsIn18 = "SELECT coalesce(sum(writes), 0)::bigint, coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'"
)

// work needs countingStatements, and the extension.
func (d *postgresDatabase) work(ctx context.Context) (*databaseWork, error) {
	w := &databaseWork{}
	var err error
	if w.Statements, err = d.statements(ctx); err != nil {
		return nil, err
	}
	err = d.connect(ctx, func(conn *pgx.Conn) error {
		var version int
		err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, xact_commit, tup_inserted, tup_updated,
			wal_records, wal_bytes::bigint, wal_fpi FROM pg_stat_database, pg_stat_wal WHERE datname = current_database()`).
			Scan(&version, &w.Commits, &w.Inserted, &w.Updated, &w.WALRecords, &w.WALBytes, &w.WALImages)
		if err != nil {
			return err
		}
		calls := walCallsIn17
		if version >= 180000 {
			calls = walCallsIn18
		}
		return conn.QueryRow(ctx, calls).Scan(&w.WALWrites, &w.WALSyncs)
	})
	return w, err
}

// statement is what PostgreSQL counts of a statement.
type statement struct {
	Text     string        `json:"text"` // with $1 for values, cut short
	Calls    int64         `json:"calls"`
	Rows     int64         `json:"rows"`
	Time     time.Duration `json:"time_ns"` // of all calls
	WALBytes int64         `json:"wal_bytes"`
}

// statementList returns the statements that took most of the time, except those that read counters.
func (d *postgresDatabase) statementList(ctx context.Context) (list []statement, err error) {
	err = d.connect(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT left(regexp_replace(btrim(query), '\s+', ' ', 'g'), 120), calls, rows, total_exec_time, wal_bytes::bigint
			FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%' ORDER BY total_exec_time DESC LIMIT 8`)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s statement, err error) {
			var millis float64
			err = row.Scan(&s.Text, &s.Calls, &s.Rows, &millis, &s.WALBytes)
			s.Time = time.Duration(millis * float64(time.Millisecond))
			return s, err
		})
		return err
	})
	return list, err
}
