package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

const (
	// checkpointPages makes the write-ahead log 48 MiB long before it is copied back into the database.
	// Messages with random ids change the same pages of the index again and again: the longer the log, the
	// fewer of them are copied.
	checkpointPages = 12_288

	// fewPages is how much of the log may be left for the copy that commits wait for: a millisecond or two.
	fewPages = 256

	// copyRounds bounds the copies beside the commits. If that much is still left after so many, the disk is
	// slower than the commits, which then have to wait for it.
	copyRounds = 8

	// lookEvery is the least time between two looks at the log.
	lookEvery = 50 * time.Millisecond
)

// checkpointer copies the write-ahead log back into the database when it is long. Otherwise commits would do
// that, and everyone who waits for a commit would wait for it: a tenth of a second, every second under load.
//
// SQLite must be 3.51.3 or newer: before, two checkpoints close together could damage the database
// (sqlite.org/wal.html#walresetbug).
type checkpointer struct {
	db     *sql.DB      // one connection of its own, which copies and commits nothing
	writer *sql.DB      // of the Store
	sync   func() error // syncs the file of the database
	file   *os.File
	pages  int                   // how long the log is when it is copied
	failed atomic.Pointer[error] // see fail
	hold   *sql.Tx               // after that

	written chan struct{} // something was committed; its capacity is 1
	stop    context.CancelFunc
	stopped chan struct{}
}

// startCheckpointer starts the checkpointer of a Store. The caller must call end, and close the file once
// the Store is closed.
func startCheckpointer(path string, writer *sql.DB) (*checkpointer, error) {
	db, err := sqlitedb.Open(path, sqlitedb.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{
		db: db, writer: writer, sync: file.Sync, file: file, pages: checkpointPages,
		written: make(chan struct{}, 1), stop: stop, stopped: make(chan struct{}),
	}
	go c.run(ctx)
	return c, nil
}

// committed says that the log may have grown. It returns at once. A nil checkpointer does nothing: it is that of
// a Store which does not own the database.
func (c *checkpointer) committed() {
	if c == nil {
		return
	}
	select {
	case c.written <- struct{}{}:
	default:
	}
}

// end stops the checkpointer. What it is doing is interrupted. After a failed sync it keeps the database open.
func (c *checkpointer) end() error {
	c.stop()
	<-c.stopped
	if c.err() != nil {
		return nil
	}
	return c.db.Close()
}

func (c *checkpointer) run(ctx context.Context) {
	defer close(c.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.written:
		}
		// A copy that fails is made again after a later commit, unless it could not be synced: see err.
		_ = c.shorten(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// shorten copies a log that is long: first what is there, then what was committed meanwhile, and so on, beside
// the commits. The little that is left in the end is copied on the connection that writes, when no commit can
// add to it, so that the next one begins the log anew.
func (c *checkpointer) shorten(ctx context.Context) error {
	if err := c.err(); err != nil {
		return err
	}
	pages, copied, err := c.look(ctx)
	if err != nil || pages < c.pages {
		return err
	}
	for range copyRounds {
		before := copied
		if pages, copied, err = c.copy(ctx, c.db, before); err != nil {
			return err
		}
		if copied == before {
			return nil // somebody reads what the database was then: all that may be copied is copied
		}
		if pages-copied <= fewPages {
			break
		}
	}
	_, _, err = c.copy(ctx, c.writer, copied)
	return err
}

// copy copies as much of the log as it can without waiting for anybody, and syncs it. It takes how much was
// copied before, and returns what look does.
//
// SQLite syncs the database only when it has copied the log to its end, which takes less time when the rest is on
// the disk. But it never copies the same twice: once a sync has failed, its or ours, nothing more may be copied,
// or the log would begin anew and what is not on the disk be lost.
func (c *checkpointer) copy(ctx context.Context, db *sql.DB, before int) (pages, copied int, err error) {
	if err = checkpoint(ctx, db); isSyncFailure(err) {
		err = c.fail(err)
	}
	if err != nil {
		return 0, 0, err
	}
	pages, copied, err = c.look(ctx)
	if err == nil && copied == before {
		return pages, copied, nil // there is nothing to sync
	}
	if failure := c.sync(); failure != nil {
		return 0, 0, c.fail(failure)
	}
	return pages, copied, err
}

// isSyncFailure reports whether SQLite could not sync a file.
func isSyncFailure(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code() == sqlite3.SQLITE_IOERR_FSYNC
}

// fail makes sure that nothing more is written, and that the log stays as it is while this process lives,
// whichever program works with the database: a transaction that reads keeps it from beginning anew. It is never
// ended. Who opens the database next, when nobody has it open any more, copies the whole log.
func (c *checkpointer) fail(err error) error {
	err = fmt.Errorf("the disk does not keep what is written to it; cxbridge writes nothing more until it is started again: %w", err)
	c.failed.Store(&err)
	var beginning error
	if c.hold, beginning = c.db.BeginTx(context.Background(), nil); beginning != nil {
		return errors.Join(err, beginning)
	}
	var n int
	return errors.Join(err, c.hold.QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n))
}

// err returns why nothing more may be written; nil if it may.
func (c *checkpointer) err() error {
	if c == nil {
		return nil
	}
	if failed := c.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// look returns how many pages are in the log since it was begun anew, and how many of them were copied.
func (c *checkpointer) look(ctx context.Context) (pages, copied int, err error) {
	var isBusy bool
	err = c.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(NOOP)").Scan(&isBusy, &pages, &copied)
	return pages, copied, err
}

// checkpoint copies as much of the log as it can without waiting for anybody.
func checkpoint(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

const (
	// cutPatience is how long cutLog waits for others who copy the log, as a service does beside an erasure.
	cutPatience = time.Minute
	cutPause    = 50 * time.Millisecond
)

// cutLog copies the whole log into the database and cuts the file of the log back to nothing. SQLite waits
// five seconds for those who read or write, but not for those who copy the log, too.
func (s *Store) cutLog(ctx context.Context) error {
	for began := time.Now(); ; {
		tried := time.Now()
		var isBusy bool
		var pages, copied int
		err := s.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&isBusy, &pages, &copied)
		switch {
		case err != nil || !isBusy:
			return err
		case time.Since(tried) > 4*time.Second:
			return errors.New("the log of the file cannot be cut back while somebody uses it")
		case time.Since(began) > cutPatience:
			return errors.New("the log of the file cannot be cut back while somebody copies it")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(cutPause):
		}
	}
}
