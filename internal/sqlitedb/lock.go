package sqlitedb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lockTimeout is how long TakeLock waits. Of two processes that start at once it lets one through: without
// it, each could find the other one trying.
const lockTimeout = time.Second

// Lock is a lock on a database that keeps nobody from opening it, only from taking the same lock.
type Lock struct {
	db *sql.DB
	tx *sql.Tx
}

// TakeLock takes the lock on the database in the file at path, which exists. If another process has it, or
// another part of this one, TakeLock fails with ErrInUse.
//
// It is a lock of the operating system on an empty file beside the database, whose name ends in -lock. So
// it ends with the process, however that ends; the file stays, and is the database owner's even if root was
// the first to take the lock.
func TakeLock(path string) (*Lock, error) {
	path, err := filepath.EvalSymlinks(path) // a database has one lock, whatever name it is opened by
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	database, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	path += "-lock"
	if err := create(path, database); err != nil {
		return nil, fmt.Errorf("create the lock file: %w", err)
	}
	lock, err := lockFile(path)
	if isBusy(err) {
		err = fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return lock, nil
}

func lockFile(path string) (*Lock, error) {
	db, err := sql.Open("sqlite", fileURL(path, url.Values{
		"_txlock": {"exclusive"}, "_busy_timeout": {strconv.FormatInt(lockTimeout.Milliseconds(), 10)}, "_journal_mode": {"MEMORY"},
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// SQLite also begins a transaction on a file that it may only read, and then it locks nobody out. This
	// write fails there. Elsewhere it stays in memory, as nothing is committed.
	if _, err := tx.Exec("PRAGMA user_version = 1"); err != nil {
		return nil, errors.Join(err, tx.Rollback(), db.Close())
	}
	return &Lock{db, tx}, nil
}

// Release releases the lock.
func (l *Lock) Release() error { return errors.Join(l.tx.Rollback(), l.db.Close()) }

// isBusy reports whether an error says that somebody else has a lock.
func isBusy(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code()&0xff == sqlite3.SQLITE_BUSY
}
