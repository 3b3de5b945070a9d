// Package sqlite is the embedded store: one file, one process.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Store implements store.Store on a SQLite file.
type Store struct {
	writer  *sql.DB // one connection: transactions queue for it
	readers *sql.DB
	opened  time.Time // see queueTime

	// Of a store that owns the database; else nil.
	lock         *sqlitedb.Lock
	checkpointer *checkpointer

	closing   sync.RWMutex // held for reading while a transaction writes
	preparing sync.Mutex
	prepared  *statements // by the first change: before Migrate there is nothing to prepare for
}

var _ store.Store = (*Store)(nil)

const (
	readConnections = 4
	writerCache     = 16 << 20 // bytes
)

// ErrOwned says that another process, or another Store, owns the database.
var ErrOwned = errors.New("somebody else owns the database")

// OpenAsOwner opens the database as Open does, for a service: there is one at a time, because it takes the
// leases of the one before for its own. It fails with ErrOwned as long as another Store that was opened so is
// neither closed nor ended with its process.
func OpenAsOwner(path string) (*Store, error) {
	s, err := open(path, sqlitedb.Options{NoCheckpoints: true})
	if err != nil {
		return nil, err
	}
	s.lock, err = sqlitedb.TakeLock(path)
	if errors.Is(err, sqlitedb.ErrInUse) {
		err = fmt.Errorf("%w: %w", ErrOwned, err)
	}
	if err == nil {
		s.checkpointer, err = startCheckpointer(path, s.writer)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: %w", err), s.Close())
	}
	return s, nil
}

// Open opens the database in the file at path, and creates the file when it is missing. A second
// process may open it as well, say to migrate: transactions that find it locked for five seconds
// fail with store.ErrUnavailable.
func Open(path string) (*Store, error) { return open(path, sqlitedb.Options{}) }

func open(path string, opts sqlitedb.Options) (*Store, error) {
	opts.CacheBytes, opts.CheckpointPages = writerCache, checkpointPages
	writer, err := sqlitedb.Open(path, opts)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w: %w", store.ErrUnavailable, err)
	}
	readers, err := sqlitedb.Open(path, sqlitedb.Options{Connections: readConnections, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w: %w", store.ErrUnavailable, errors.Join(err, writer.Close()))
	}
	return &Store{writer: writer, readers: readers, opened: time.Now()}, nil
}

// Migrate implements store.Store.
//
// SQLite has no lock that outlives a transaction, and each migration is one. Of two programs that
// run the same migration one fails whole, after the other has committed; it finds that out by the
// version, and goes on from there.
func (s *Store) Migrate(ctx context.Context) error {
	defer s.checkpointer.committed()
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files, goose.WithGoMigrations(
		goose.NewGoMigration(store.BackfillVersion, &goose.GoFunc{RunTx: backfill}, nil)))
	if err != nil {
		return failed("migrate", err)
	}
	for {
		before, err := provider.GetDBVersion(ctx)
		if err != nil {
			return failed("migrate", err)
		}
		_, failure := provider.Up(ctx)
		if failure == nil {
			return nil
		}
		if after, err := provider.GetDBVersion(ctx); err != nil || after == before {
			return failed("migrate", failure)
		}
	}
}

// schemaVersion is the number of the newest migration.
var schemaVersion = store.SchemaVersion(migrationFiles, "migrations")

// Ping implements store.Store. It commits a write that changes nothing, and so finds a full disk, a
// file that is read-only and another process that keeps the write lock.
func (s *Store) Ping(ctx context.Context) error {
	version, err := s.version(ctx)
	if err != nil {
		return failed("ping", err)
	}
	if err := store.CheckSchema(version, schemaVersion); err != nil {
		return err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		// The number is ours and always 0. SQLite writes the page that holds it all the same.
		_, err := tx.ExecContext(ctx, "PRAGMA user_version = 0")
		return err
	})
	if err != nil {
		return failed("ping", err)
	}
	return nil
}

func (s *Store) version(ctx context.Context) (version int, err error) {
	var migrated bool
	err = s.readers.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&migrated)
	if err != nil || !migrated {
		return 0, err
	}
	err = s.readers.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	return version, err
}

// Close implements store.Store. It copies the write-ahead log back into the database, which is one file
// again then.
func (s *Store) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	var err error
	if s.checkpointer != nil {
		err = s.checkpointer.end()
	}
	err = errors.Join(err, s.readers.Close(), s.writer.Close())
	// To close a file drops every lock that this process has on it: those of a query, too, that has outlived
	// its request.
	if c := s.checkpointer; c != nil && s.readers.Stats().OpenConnections+s.writer.Stats().OpenConnections+c.db.Stats().OpenConnections == 0 {
		err = errors.Join(err, c.file.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Release())
	}
	return err
}

// write runs a transaction that writes. When the context ends first, nothing of it is kept.
func (s *Store) write(ctx context.Context, change func(tx *sql.Tx) error) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if err := s.checkpointer.err(); err != nil {
		return err
	}
	defer s.checkpointer.committed()
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	if err := change(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// failed returns the error of an operation in the terms of the contract.
func failed(op string, err error) error {
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, store.ErrNotFound) {
		return store.ErrNotFound
	}
	kind := store.ErrUnavailable
	if refuses(err) {
		kind = store.ErrRefused
	}
	return fmt.Errorf("sqlite: %s: %w: %w", op, kind, err)
}

// refuses reports whether an error is about the data.
func refuses(err error) bool {
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return false
	}
	switch lite.Code() & 0xff { // the rest of an extended code tells more than we need
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return true
	}
	return false
}
