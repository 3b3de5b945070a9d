// Package sqlitedb opens SQLite files so that a commit that returned is on the disk: write-ahead
// log, synchronous=FULL, both read back before the database is handed out. The store and the
// spool of ingest share it.
package sqlitedb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
)

// Options say what the connections of a pool are for.
type Options struct {
	// Connections is how many there are at most; 0 is one. SQLite has one writer at a time, so a
	// pool that writes does best with one: writers then queue in Go, first come, first served, and
	// never find the database locked.
	Connections int

	// ReadOnly makes every write through the pool an error.
	ReadOnly bool

	// Exclusive keeps every other connection out, those of other processes and of other pools,
	// from Open to Close or the end of the process. It is for pools of one connection.
	Exclusive bool

	// CacheBytes bounds the page cache of each connection; 0 leaves SQLite's default of 2 MB.
	CacheBytes int

	// CheckpointPages is the length of the write-ahead log, in pages of 4 KiB, at which a commit
	// copies it back into the database; 0 leaves SQLite's default of 1000. Only a long transaction,
	// even one that only reads, makes the file longer; it is cut back afterwards.
	CheckpointPages int

	// NoCheckpoints is for a pool beside which somebody else copies the log when it has CheckpointPages,
	// which then only bounds the file that is left. If nobody does, the log grows until the database is closed.
	NoCheckpoints bool
}

// busyTimeout is how long a connection waits for another process to release its lock.
const busyTimeout = 5 * time.Second

// ErrInUse says that another connection has the file, which was to be opened Exclusive or is open
// so.
var ErrInUse = errors.New("the file is in use")

const pageBytes = 4096 // SQLite's own choice, and the fastest of those measured

// Open opens the database in the file at path. It creates the file, and the folders above it, when they
// are missing, for their owner alone. SQLite gives its -wal and -shm files the same mode.
//
// Every transaction takes the write lock when it begins (BEGIN IMMEDIATE), unless the pool is
// ReadOnly: then none waits for it. A second process may open the same file. Their transactions
// take turns, and one that waited for five seconds fails with SQLITE_BUSY. A file that is open
// Exclusive is the exception: Open of it fails with ErrInUse.
//
// Open fails where the file system cannot keep the promise, such as a network share without shared
// memory.
func Open(path string, opts Options) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := create(abs, nil); err != nil {
		return nil, fmt.Errorf("create the database file: %w", err)
	}
	connector, err := sqlite.NewConnector(dsn(abs, opts))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(max(opts.Connections, 1))
	db.SetMaxIdleConns(max(opts.Connections, 1))
	if err := verify(db); err != nil {
		if isBusy(err) {
			err = fmt.Errorf("%w: %w", ErrInUse, err)
		}
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

func dsn(path string, opts Options) string {
	q := url.Values{}
	timeout := busyTimeout
	if opts.Exclusive {
		timeout = 0 // whoever has the file keeps it
		// It comes into force before the journal mode, which reads the file and so takes the lock.
		q.Add("_pragma", "locking_mode(EXCLUSIVE)")
	}
	q.Set("_busy_timeout", strconv.FormatInt(timeout.Milliseconds(), 10))
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "FULL")
	q.Set("_dqs", "false")
	q.Set("_error_rc", "true")
	if opts.ReadOnly {
		q.Set("_query_only", "true")
	} else {
		q.Set("_txlock", "immediate")
	}
	if opts.CacheBytes > 0 {
		q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", opts.CacheBytes/1024))
	}
	pages := opts.CheckpointPages
	if pages <= 0 {
		pages = 1000
	}
	auto := pages
	if opts.NoCheckpoints {
		auto = 0
	}
	q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", auto))
	q.Add("_pragma", fmt.Sprintf("journal_size_limit(%d)", 2*pages*pageBytes))
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// verify reads the settings back: SQLite ignores those that it cannot apply.
func verify(db *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*busyTimeout)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var journal string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return err
	}
	if journal != "wal" {
		return fmt.Errorf("the file system does not allow a write-ahead log (journal_mode is %s)", journal)
	}
	var synchronous int
	if err := conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return err
	}
	const full = 2
	if synchronous != full {
		return fmt.Errorf("synchronous is %d instead of FULL", synchronous)
	}
	return nil
}

// create makes the file when it is missing. If it goes with another file, root makes it for the owner of that
// one. It never opens one that exists: to close a file drops every lock that this process holds on it, those
// of an open database included.
func create(path string, with fs.FileInfo) error {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if with != nil {
		giveTo(f, with)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// makeDir is os.MkdirAll whose folders survive a power cut: each one's entry in its parent is
// synced.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		return syncDir(filepath.Dir(dir))
	case errors.Is(err, fs.ErrExist):
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
