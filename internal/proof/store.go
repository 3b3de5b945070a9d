package proof

import (
	"context"
	"database/sql"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// Store is where a cxbridge keeps its data. It is read by SQL, as people do who bypass the API.
type Store struct {
	Name     string
	Settings Settings        // that point cxbridge to it
	Cluster  *pgtest.Cluster // nil with SQLite

	open func() (*sql.DB, error)
}

// SQLite returns a store in a file of a folder. The file need not exist yet.
func SQLite(dir string) *Store {
	path := filepath.Join(dir, "cxbridge.db")
	return &Store{
		Name: "SQLite", Settings: Settings{"DATABASE_URL": "sqlite:" + path},
		open: func() (*sql.DB, error) { return sqlitedb.Open(path, sqlitedb.Options{ReadOnly: true}) },
	}
}

// Postgres starts a PostgreSQL with an empty database. Each setting is a line of postgresql.conf.
func Postgres(ctx context.Context, dir string, settings ...string) (*Store, error) {
	cluster, err := pgtest.Start(ctx, dir, settings...)
	if err != nil {
		return nil, err
	}
	return &Store{
		Name: "PostgreSQL", Settings: Settings{"DATABASE_URL": cluster.URL, "SPOOL_DIR": filepath.Join(dir, "spool")},
		Cluster: cluster, open: func() (*sql.DB, error) { return sql.Open("pgx", cluster.URL) },
	}, nil
}

// Close ends the PostgreSQL, and removes its data.
func (s *Store) Close() error {
	if s.Cluster == nil {
		return nil
	}
	return s.Cluster.Close()
}

// Query calls scan for each row of a query's result.
func (s *Store) Query(ctx context.Context, query string, scan func(*sql.Rows) error) error {
	db, err := s.open()
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// count returns the number that is the result of a query.
func (s *Store) count(ctx context.Context, query string) (n int, err error) {
	err = s.Query(ctx, query, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// instant reads a time of either database. Null is the zero time.
func instant(at any) (time.Time, error) {
	switch at := at.(type) {
	case time.Time:
		return at.UTC(), nil
	case string:
		parsed, err := time.Parse(time.RFC3339, at)
		return parsed.UTC(), err
	}
	return time.Time{}, nil
}

// Rows counts what is stored of a load whose message ids begin with a prefix of letters and digits; of all
// loads when it is empty.
func (s *Store) Rows(ctx context.Context, prefix string) (rows load.Rows, err error) {
	err = s.Query(ctx, `SELECT count(*), count(CASE WHEN status = 'DELIVERED' THEN 1 END) FROM sms_messages
		WHERE message_id LIKE '`+prefix+`%'`, func(r *sql.Rows) error { return r.Scan(&rows.Messages, &rows.Final) })
	if err != nil {
		return rows, err
	}
	err = s.Query(ctx, `SELECT count(*) FROM sms_receipt_history WHERE message_id LIKE '`+prefix+`%'`,
		func(r *sql.Rows) error { return r.Scan(&rows.Receipts) })
	return rows, err
}
