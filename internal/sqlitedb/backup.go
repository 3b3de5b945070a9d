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

	"modernc.org/sqlite"
)

// backupStep is how many pages are copied between two reports: 4 MiB.
const backupStep = 1024

// Backup copies the database in the file at from into the file at to, which must not exist; nor is its
// folder made, which may be that of a disk that is not mounted. It returns the size of the copy in
// bytes. After each step it calls progress with how many pages of how many are done.
//
// The copy is the database of one moment, after the call began. Others read and write meanwhile, and
// wait for nothing; but until the copy is made, the write-ahead log keeps all that they write and
// grows with it.
//
// The copy has its name only when it is whole, was checked page by page and is on the disk. Until then
// it is called to + ".partial". If a crash leaves such a file behind, the next Backup of this name
// fails, because two of them must not write into one file. The error wraps fs.ErrExist where a file of
// either name is there.
func Backup(ctx context.Context, from, to string, progress func(pages, of int)) (bytes int64, err error) {
	if err := vacant(to); err != nil {
		return 0, err
	}
	partial := to + ".partial"
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(partial))
		}
	}()
	if err := f.Close(); err != nil {
		return 0, err
	}
	if err := copyPages(ctx, from, partial, progress); err != nil {
		return 0, fmt.Errorf("copy %s: %w", from, err)
	}
	if err := checkIntegrity(ctx, partial); err != nil {
		return 0, fmt.Errorf("check the copy: %w", err)
	}
	if bytes, err = syncFile(partial); err != nil {
		return 0, err
	}
	if err := vacant(to); err != nil {
		return 0, err
	}
	if err := os.Rename(partial, to); err != nil {
		return 0, err
	}
	return bytes, syncDir(filepath.Dir(to))
}

// vacant returns an error if there is something at path.
func vacant(path string) error {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// discard removes a copy, and what SQLite may have put beside it.
func discard(path string) error {
	var failures []error
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// copyPages copies one state of the database. The steps share a transaction that reads: without it
// SQLite would start again whenever another process commits between two of them.
func copyPages(ctx context.Context, from, to string, progress func(pages, of int)) (err error) {
	db, err := Open(from, Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The transaction gets its snapshot with its first read.
	for _, statement := range []string{"BEGIN", "SELECT count(*) FROM sqlite_schema"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return conn.Raw(func(driverConn any) error {
		// The driver's documentation promises the method for its connections.
		backup, err := driverConn.(interface {
			NewBackup(to string) (*sqlite.Backup, error)
		}).NewBackup(fileURL(to, nil))
		if err != nil {
			return err
		}
		return runBackup(ctx, backup, progress)
	})
}

func runBackup(ctx context.Context, backup *sqlite.Backup, progress func(pages, of int)) error {
	for more := true; more; {
		err := ctx.Err()
		if err == nil {
			more, err = backup.Step(backupStep)
		}
		if err != nil {
			return errors.Join(err, backup.Finish())
		}
		progress(backup.PageCount()-backup.Remaining(), backup.PageCount())
	}
	written, err := backup.Commit()
	if err != nil {
		return err
	}
	return written.Close()
}

// checkIntegrity reads every page of a file that nobody else has open, and makes no files beside it.
func checkIntegrity(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", fileURL(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return errors.New(found)
	}
	return nil
}

// syncFile puts a file on the disk and returns its size.
func syncFile(path string) (bytes int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Sync()
}

func fileURL(path string, parameters url.Values) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path // the working directory is gone: SQLite will say so
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: parameters.Encode()}).String()
}
