package proof

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Await waits until a condition is true, for as long as Patience. What is the condition in words, for the
// error.
func Await(ctx context.Context, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// AwaitDrained waits until the database is in use and the spool is empty.
func (s *Service) AwaitDrained(ctx context.Context) error {
	var last error
	err := Await(ctx, "the spool is drained", func() bool {
		up, err := s.Metric(ctx, "cxbridge_database_up")
		if err != nil {
			last = err
			return false
		}
		left, err := s.Metric(ctx, "cxbridge_spool_events")
		last = fmt.Errorf("database up: %v, events in the spool: %v", up, left)
		return err == nil && up == 1 && left == 0
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// AwaitMore waits until n more events are acknowledged.
func (t *Traffic) AwaitMore(ctx context.Context, n int) error {
	want := t.Promises.Events() + n
	return Await(ctx, "events are acknowledged", func() bool { return t.Promises.Events() >= want })
}

// AwaitSynced waits until no thread lacks anything. Its error names the threads that are stuck.
//
// It asks the database, in one statement: the API lists one state after the other, and a thread that is
// tried again may meanwhile pass from a state that is yet to be listed to one that was.
func (s *Service) AwaitSynced(ctx context.Context) error {
	var left int
	var last error
	err := Await(ctx, "every thread is synced", func() bool {
		left, last = s.Store.count(ctx, "SELECT count(*) FROM threads WHERE own AND want_rev > done_rev")
		return last == nil && left == 0
	})
	if err == nil {
		return nil
	}
	return errors.Join(err, last, s.stuck(ctx, left))
}

// stuck returns the error that names the threads that stay behind.
func (s *Service) stuck(ctx context.Context, n int) error {
	lines, err := s.Unsynced(ctx)
	return errors.Join(err, fmt.Errorf("%d threads are stuck\n%s", n, strings.Join(lines[:min(len(lines), 20)], "\n")))
}

// Behind holds the threads of which the CRM lacks something, with the revision that it must get.
type Behind map[string]int64

// Behind returns the threads that are behind at the moment.
func (s *Store) Behind(ctx context.Context) (Behind, error) {
	threads := make(Behind)
	err := s.Query(ctx, "SELECT thread_id, want_rev FROM threads WHERE own AND want_rev > done_rev", func(rows *sql.Rows) error {
		var id string
		var revision int64
		err := rows.Scan(&id, &revision)
		threads[id] = revision
		return err
	})
	return threads, err
}

// AwaitPause calls act, and waits until the pause of the CRM ends at another time than before.
func (s *Store) AwaitPause(ctx context.Context, act func()) error {
	pause := func() (until string, err error) {
		const query = "SELECT coalesce(CAST(paused_until AS text), '') FROM sinks WHERE name = 'crm'"
		err = s.Query(ctx, query, func(rows *sql.Rows) error { return rows.Scan(&until) })
		return until, err
	}
	before, last := pause()
	if last != nil {
		return last
	}
	act()
	err := Await(ctx, "the CRM is left alone", func() bool {
		var until string
		until, last = pause()
		return last == nil && until != before
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// AwaitPushed waits until the CRM has what it lacked of threads: they may be behind again by what has come
// since. It empties the map.
func (s *Service) AwaitPushed(ctx context.Context, threads Behind) error {
	var last error
	err := Await(ctx, "what the CRM lacked is pushed", func() bool {
		last = s.Store.Query(ctx, "SELECT thread_id, done_rev FROM threads WHERE own", func(rows *sql.Rows) error {
			var id string
			var revision int64
			err := rows.Scan(&id, &revision)
			if revision >= threads[id] {
				delete(threads, id)
			}
			return err
		})
		return last == nil && len(threads) == 0
	})
	if err == nil {
		return nil
	}
	return errors.Join(err, last, s.stuck(ctx, len(threads)))
}
