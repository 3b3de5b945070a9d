package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// checkpointPages makes the write-ahead log 48 MiB long before it is copied back into the database.
	// Messages with random ids change the same pages of the index again and again: the longer the log, the
	// fewer of them are copied.
	checkpointPages = 12_288

	// commitPages is the length at which a commit copies the log, where no checkpointer has done it before. It
	// leaves one a fifth of a second, even when a busy writer adds twenty thousand pages a second.
	commitPages = checkpointPages * 4 / 3

	// lookEvery is the least time between two looks at the length of the log.
	lookEvery = 50 * time.Millisecond
)

// checkpointer copies the write-ahead log back into the database when it is long. A commit would do that,
// too, and everyone who waits for a commit would wait for it: a tenth of a second, every second under load.
type checkpointer struct {
	writer, readers *sql.DB
	file            *os.File      // the database, to sync it
	written         chan struct{} // something was committed; its capacity is 1
	stop            context.CancelFunc
	running         sync.WaitGroup
}

// startCheckpointer starts the checkpointer of a Store. The caller must stop it, and close its file after the
// Store is closed: to close a file drops every lock that this process holds on it, those of SQLite included.
// So there must be no other Store of this file in the process.
func startCheckpointer(path string, writer, readers *sql.DB) (*checkpointer, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{writer: writer, readers: readers, file: file, written: make(chan struct{}, 1), stop: stop}
	c.running.Go(func() { c.run(ctx) })
	return c, nil
}

// committed says that the log has grown. It returns at once.
func (c *checkpointer) committed() {
	select {
	case c.written <- struct{}{}:
	default:
	}
}

// end returns when the checkpointer has stopped.
func (c *checkpointer) end() {
	c.stop()
	c.running.Wait()
}

func (c *checkpointer) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-c.written:
		}
		// What fails is tried again after a later commit. That is what SQLite does, too: nothing is lost
		// while the log is not copied, and a disk that fails makes commits fail.
		_ = c.shorten(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// shorten copies a log that is long: first what is there, then what was committed meanwhile, both beside the
// commits, on a connection that otherwise reads. The little that has come since is copied on the connection
// that writes, when no commit can add to it, so that the next one begins the log anew.
//
// SQLite syncs the database only then, when the log is copied to its end. What was copied before is on the
// disk by that time, because it was synced here, and so there is little left to sync.
func (c *checkpointer) shorten(ctx context.Context) error {
	if pages, err := c.logPages(ctx); err != nil || pages < checkpointPages {
		return err
	}
	for range 2 {
		if err := checkpoint(ctx, c.readers); err != nil {
			return err
		}
		if err := c.file.Sync(); err != nil {
			return err
		}
	}
	return checkpoint(ctx, c.writer)
}

// checkpoint copies as much of the log as it can without waiting for anybody.
func checkpoint(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return err
}

// logPages returns how many pages are in the log since it was begun anew.
func (c *checkpointer) logPages(ctx context.Context) (pages int, err error) {
	var isBusy bool
	var copied int
	err = c.readers.QueryRowContext(ctx, "PRAGMA wal_checkpoint(NOOP)").Scan(&isBusy, &pages, &copied)
	return pages, err
}

const (
	// cutPatience is how long cutLog waits for others who copy the log, as the server does beside an erasure.
	cutPatience = time.Minute
	cutPause    = 50 * time.Millisecond
)

// cutLog copies the whole log into the database and cuts the file of the log back to nothing. SQLite waits
// for those who read, but not for those who copy the log, too.
func (s *Store) cutLog(ctx context.Context) error {
	for began := time.Now(); ; {
		tried := time.Now()
		var isBusy bool
		var pages, copied int
		err := s.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&isBusy, &pages, &copied)
		switch {
		case err != nil || !isBusy:
			return err
		case time.Since(tried) > time.Second:
			return errors.New("the log of the file cannot be cut back while somebody reads it")
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
