package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Spool keeps events on the local disk, in the order they came, until they are removed. What
// Append has returned from is there after a power cut. Its methods are safe for concurrent use.
type Spool struct {
	db      *sql.DB
	metrics *Metrics
	limit   int64
	reserve reserve

	mu sync.Mutex // held while something is written; Append holds it from the check of the limit on

	// The counts can be read while a write hangs.
	events, bytes atomic.Int64
}

// SpoolEvent is an event as it came.
type SpoolEvent struct {
	ID       int64 // its place in the order; given by the spool
	Kind     store.Kind
	Received time.Time
	Raw      []byte
	Trace    string // as in store.Entry
}

// ErrSpoolFull says that events do not fit into the spool any more.
var ErrSpoolFull = errors.New("the spool is full")

// eventOverhead is what an event takes in the file besides its raw text and trace, in bytes.
const eventOverhead = 64

const spoolSchema = `CREATE TABLE IF NOT EXISTS events (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	kind        TEXT    NOT NULL,
	received_at INTEGER NOT NULL, -- microseconds since 1970
	raw         BLOB    NOT NULL,
	trace       TEXT    NOT NULL DEFAULT '' -- W3C trace context; empty when it is not traced
)`

// addTrace is for the file of a release that kept no traces.
const (
	hasTrace = "SELECT count(*) FROM pragma_table_info('events') WHERE name = 'trace'"
	addTrace = "ALTER TABLE events ADD COLUMN trace TEXT NOT NULL DEFAULT ''"
)

// OpenSpool opens the spool in a folder, and creates both when they are missing. The limit is in
// bytes of events. A spool has one owner, which counts what is in it: OpenSpool fails while another
// process, or another Spool, has the folder.
func OpenSpool(dir string, limit int64, metrics *Metrics) (*Spool, error) {
	db, err := sqlitedb.Open(filepath.Join(dir, "spool.db"), sqlitedb.Options{Exclusive: true})
	if errors.Is(err, sqlitedb.ErrInUse) {
		return nil, fmt.Errorf("SPOOL_DIR %s is in use by another cxbridge: give each replica a folder of its own", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{db: db, metrics: metrics, limit: limit, reserve: reserve{filepath.Join(dir, "spool.reserve")}}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool: %w", err), db.Close())
	}
	s.reserve.hold()
	return s, nil
}

func (s *Spool) load() error {
	if err := s.prepare(); err != nil {
		return err
	}
	const count = "SELECT count(*), coalesce(sum(length(raw) + length(trace) + ?), 0) FROM events"
	var events, bytes int64
	if err := s.db.QueryRow(count, eventOverhead).Scan(&events, &bytes); err != nil {
		return err
	}
	s.count(events, bytes)
	return nil
}

// prepare makes the table, or brings it up to date.
func (s *Spool) prepare() error {
	if _, err := s.db.Exec(spoolSchema); err != nil {
		return err
	}
	var columns int
	if err := s.db.QueryRow(hasTrace).Scan(&columns); err != nil || columns > 0 {
		return err
	}
	_, err := s.db.Exec(addTrace)
	return err
}

// Append adds events, all or none, and returns when they are on the disk. It returns ErrSpoolFull
// when they do not fit.
func (s *Spool) Append(events []SpoolEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := sizeOf(events)
	if s.Bytes()+size > s.limit {
		return ErrSpoolFull
	}
	err := s.transact(func(tx *sql.Tx) error {
		insert, err := tx.Prepare("INSERT INTO events (kind, received_at, raw, trace) VALUES (?, ?, ?, ?)")
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, e := range events {
			raw := e.Raw
			if raw == nil {
				raw = []byte{} // an empty body is not NULL
			}
			if _, err := insert.Exec(string(e.Kind), e.Received.UnixMicro(), raw, e.Trace); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("spool: append: %w", err)
	}
	s.count(int64(len(events)), size)
	return nil
}

// Oldest returns events in the order they came: up to n of them, and no more once their raw texts
// have reached a number of bytes.
func (s *Spool) Oldest(n, bytes int) ([]SpoolEvent, error) {
	rows, err := s.db.Query("SELECT id, kind, received_at, raw, trace FROM events ORDER BY id LIMIT ?", n)
	if err != nil {
		return nil, fmt.Errorf("spool: read: %w", err)
	}
	defer rows.Close()
	var events []SpoolEvent
	for bytes > 0 && rows.Next() {
		var (
			e        SpoolEvent
			received int64
		)
		if err := rows.Scan(&e.ID, &e.Kind, &received, &e.Raw, &e.Trace); err != nil {
			return nil, fmt.Errorf("spool: read: %w", err)
		}
		e.Received = time.UnixMicro(received).UTC()
		events = append(events, e)
		bytes -= len(e.Raw)
	}
	return events, rows.Err()
}

// Remove removes events that Oldest returned. On a full disk it uses up the reserve, which Shrink
// restores.
func (s *Spool) Remove(events []SpoolEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, last := events[0].ID, events[len(events)-1].ID
	err := s.remove(first, last)
	if isDiskFull(err) {
		err = s.makeRoom(err)
		if err == nil {
			err = s.remove(first, last)
		}
	}
	if err != nil {
		return fmt.Errorf("spool: remove: %w", err)
	}
	s.count(-int64(len(events)), -sizeOf(events))
	return nil
}

func (s *Spool) remove(first, last int64) error {
	return s.transact(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM events WHERE id BETWEEN ? AND ?", first, last)
		return err
	})
}

// makeRoom releases the reserve and empties the write-ahead log, whose room is used over and over
// from then on. When there is no reserve, it returns cause, the error of the full disk.
func (s *Spool) makeRoom(cause error) error {
	released, err := s.reserve.release()
	if err == nil && !released {
		return cause
	}
	if err == nil {
		_, err = s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return err
}

// Shrink gives the space of removed events back to the disk, if none is left.
func (s *Spool) Shrink() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Events() > 0 {
		return nil
	}
	for _, statement := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := s.db.Exec(statement); err != nil {
			return fmt.Errorf("spool: shrink: %w", err)
		}
	}
	s.reserve.hold()
	return nil
}

// Events returns how many events wait.
func (s *Spool) Events() int64 { return s.events.Load() }

// Bytes returns how much of the limit is used.
func (s *Spool) Bytes() int64 { return s.bytes.Load() }

// Full reports whether not even a small event fits.
func (s *Spool) Full() bool { return s.Bytes()+eventOverhead >= s.limit }

// Check checks that the spool can be written, by writing to it.
func (s *Spool) Check(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "PRAGMA user_version = 1")
	return err
}

// Close releases the file.
func (s *Spool) Close() error { return s.db.Close() }

func (s *Spool) count(events, bytes int64) {
	s.metrics.spool(s.events.Add(events), s.bytes.Add(bytes), s.limit)
}

func (s *Spool) transact(do func(*sql.Tx) error) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func sizeOf(events []SpoolEvent) (size int64) {
	for _, e := range events {
		size += int64(len(e.Raw)+len(e.Trace)) + eventOverhead
	}
	return size
}
