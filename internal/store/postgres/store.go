// Package postgres is the store for production and for several replicas.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/cxbridge/cxbridge/internal/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Store implements store.Store on PostgreSQL 14 or later.
type Store struct {
	commits *pgxpool.Pool // for Commit alone, so that no reader can make it wait for a connection
	queue   *pgxpool.Pool // for those who claim and record threads, and for compaction, so that neither they nor Commit wait for the other's
	reads   *pgxpool.Pool

	arrivals arrivals
}

var _ store.Store = (*Store)(nil)

const (
	connectTimeout = 3 * time.Second

	// commitConnections are for 2 writers, the spool's drain, and one spare.
	commitConnections = 4

	// queueConnections are for one who claims, one who extends leases, 2 who record, and one who
	// compacts the counts of analytics.
	queueConnections = 5
	readConnections  = 6

	// idleTimeout is how long a transaction that writes may wait for its next statement. A replica that is
	// frozen or cut off in the middle of one holds locks, for which the others wait. It is shorter than
	// the 3 s after which they would treat the database as unavailable.
	idleTimeout = 2 * time.Second

	// lockTimeout is how long a migration waits for a table that others use. Meanwhile everybody who comes
	// after it waits too, commits included. So it is also shorter than those 3 s.
	lockTimeout = 2 * time.Second

	// idlePerItem is added to idleTimeout for each message and participant of threads in a transaction, of
	// which one event may have half a million: they are read, folded and encoded between two statements.
	idlePerItem = 200 * time.Microsecond
)

// Open prepares a store on the database of a URL (postgres://…). It does not connect: a database
// that is away now may be there later. The error is one of the URL.
func Open(databaseURL string) (*Store, error) {
	commits, err := writerConfig(databaseURL, commitConnections)
	if err != nil {
		return nil, err
	}
	queue, err := writerConfig(databaseURL, queueConnections)
	if err != nil {
		return nil, err
	}
	// The dirty items of a thread are read in the order of their index, so a few cost no more where
	// many follow.
	queue.ConnConfig.RuntimeParams["enable_bitmapscan"] = "off"
	reads, err := poolConfig(databaseURL, readConnections)
	if err != nil {
		return nil, err
	}
	// Lists are read in the order of their index too, so a page costs no more where many rows follow.
	reads.ConnConfig.RuntimeParams["enable_bitmapscan"] = "off"
	s := &Store{}
	for _, p := range []struct {
		pool   **pgxpool.Pool
		config *pgxpool.Config
	}{{&s.commits, commits}, {&s.queue, queue}, {&s.reads, reads}} {
		if *p.pool, err = pgxpool.NewWithConfig(context.Background(), p.config); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// writerConfig is for the statements that write many rows at once. They always do best when they find
// rows by their primary keys, or by the index of the queue. The planner does not know that of tables
// that grow by thousands of rows in a second.
func writerConfig(databaseURL string, connections int32) (*pgxpool.Config, error) {
	config, err := poolConfig(databaseURL, connections)
	if err != nil {
		return nil, err
	}
	config.AfterConnect = registerArrays
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(idleTimeout)
	// A connection that breaks while statements are on their way is not idle. Probes detect it after five
	// seconds.
	for name, value := range map[string]string{"tcp_keepalives_idle": "2", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3"} {
		config.ConnConfig.RuntimeParams[name] = value
	}
	for _, method := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		config.ConnConfig.RuntimeParams[method] = "off"
	}
	return config, nil
}

// milliseconds writes a time as PostgreSQL reads it in a setting.
func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// CheckURL returns what makes the URL of a database unusable, in words for an operator and without the
// password. It reads the files that the URL names, and makes no connection.
func CheckURL(databaseURL string) error {
	_, err := poolConfig(databaseURL, 1)
	return err
}

// whyUnread says why a URL cannot be read. Of the parser's error it tells only what cannot quote the password: which
// file cannot be read, and which value is no number.
func whyUnread(err error) string {
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return file.Error()
	}
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		return number.Error()
	}
	return "the URL cannot be read; it looks like postgres://user:password@host:5432/database"
}

func poolConfig(databaseURL string, connections int32) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("postgres: %s", whyUnread(err))
	}
	config.MaxConns = connections
	params := config.ConnConfig.RuntimeParams
	switch strings.ToLower(params["synchronous_commit"]) {
	case "":
		params["synchronous_commit"] = "on"
	case "on", "true", "yes", "1", "local", "remote_write", "remote_apply":
	default:
		return nil, errors.New("postgres: without synchronous_commit=on acknowledged events would be lost in a crash; remove it from the URL")
	}
	if params["application_name"] == "" {
		params["application_name"] = "cxbridge"
	}
	params["timezone"] = "UTC"
	switch config.ConnConfig.DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol: // they send an array as a bytea
		return nil, errors.New("postgres: nothing could be stored with this default_query_exec_mode; remove it from the URL, or set it to cache_describe")
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// Migrate implements store.Store. Replicas take turns by an advisory lock.
func (s *Store) Migrate(ctx context.Context) error {
	provider, db, err := s.migrations()
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = provider.Up(ctx)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg) && pg.Code == "55P03": // lock_not_available
		err = fmt.Errorf("%w: %w", store.ErrLocked, err)
	}
	return failed("migrate", err)
}

func (s *Store) migrations() (*goose.Provider, *sql.DB, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, nil, err
	}
	config := s.reads.Config().ConnConfig
	config.RuntimeParams["lock_timeout"] = milliseconds(lockTimeout)
	db := stdlib.OpenDB(*config)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker), goose.WithGoMigrations(
		goose.NewGoMigration(store.BackfillVersion, &goose.GoFunc{RunTx: backfill}, nil)))
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return provider, db, nil
}

// schemaVersion is the number of the newest migration.
var schemaVersion = store.SchemaVersion(migrationFiles, "migrations")

// Ping implements store.Store. It writes nothing, so only Commit shows that the disk of the server is
// full. It detects a standby, and a database that is set to read-only.
func (s *Store) Ping(ctx context.Context) error {
	var (
		version  int
		readOnly bool
	)
	err := s.reads.QueryRow(ctx, `SELECT coalesce(max(version_id), 0), current_setting('transaction_read_only')::boolean
		FROM goose_db_version WHERE is_applied`).Scan(&version, &readOnly)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" { // undefined_table: nothing was ever migrated
		err = nil
	}
	if err != nil {
		return failed("ping", err)
	}
	if readOnly {
		return fmt.Errorf("postgres: ping: %w: it is read-only: a standby, or default_transaction_read_only is on", store.ErrUnavailable)
	}
	return store.CheckSchema(version, schemaVersion)
}

// ServerSettings returns settings of the server by their own names: those on which the promises
// depend.
func (s *Store) ServerSettings(ctx context.Context) (map[string]string, error) {
	rows, err := s.reads.Query(ctx, `SELECT name, setting FROM pg_settings
		WHERE name IN ('server_version', 'synchronous_commit', 'fsync')`)
	if err != nil {
		return nil, failed("read settings", err)
	}
	settings := make(map[string]string)
	var name, setting string
	_, err = pgx.ForEachRow(rows, []any{&name, &setting}, func() error {
		settings[name] = setting
		return nil
	})
	if err != nil {
		return nil, failed("read settings", err)
	}
	return settings, nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	for _, pool := range []*pgxpool.Pool{s.commits, s.queue, s.reads} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}

// failed returns the error of an operation in the terms of the contract.
func failed(op string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, store.ErrNotFound) {
		return store.ErrNotFound
	}
	kind := store.ErrUnavailable
	var pg *pgconn.PgError
	if errors.As(err, &pg) && refuses(pg.Code) {
		kind = store.ErrRefused
	}
	return fmt.Errorf("postgres: %s: %w: %w", op, kind, err)
}

// refuses reports whether an SQLSTATE is about the data: a data exception, a violated constraint,
// or a limit of the program that the data exceeds.
func refuses(code string) bool {
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || strings.HasPrefix(code, "54")
}
