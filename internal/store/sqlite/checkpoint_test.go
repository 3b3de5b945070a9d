package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func own(t *testing.T) *Store {
	t.Helper()
	s, err := OpenAsOwner(filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	fill(t, s, "CREATE TABLE filler (filling BLOB)", 0)
	return s
}

// fill commits a statement whose parameter is a number of pages.
func fill(t *testing.T, s *Store, statement string, pages int) {
	t.Helper()
	err := s.write(t.Context(), func(tx *sql.Tx) error {
		var args []any
		if pages > 0 {
			args = append(args, pages*4096)
		}
		_, err := tx.Exec(statement, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const insertFiller = "INSERT INTO filler VALUES (zeroblob(?))"

// logOf returns how many pages the log has, and how many of them are in the database, too.
func logOf(t *testing.T, s *Store) (pages, copied int) {
	t.Helper()
	var isBusy bool
	err := s.readers.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&isBusy, &pages, &copied)
	if err != nil {
		t.Fatal(err)
	}
	return pages, copied
}

func TestShorten(t *testing.T) {
	s := own(t)
	s.checkpointer.end() // only this test copies the log
	shorten := func() {
		t.Helper()
		if err := s.checkpointer.shorten(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, s, insertFiller, checkpointPages/2)
	shorten()
	if pages, copied := logOf(t, s); pages < checkpointPages/2 || copied != 0 {
		t.Errorf("%d of %d pages of a short log were copied", copied, pages)
	}
	fill(t, s, insertFiller, checkpointPages/2)
	shorten()
	if pages, copied := logOf(t, s); pages < checkpointPages || copied != pages {
		t.Errorf("%d of %d pages of a long log were copied", copied, pages)
	}
	fill(t, s, insertFiller, 1)
	if pages, _ := logOf(t, s); pages > 100 {
		t.Errorf("the log was not begun anew: it has %d pages", pages)
	}
}

// A transaction that began to read early needs what the database was then.
func TestShortenBesideReader(t *testing.T) {
	s := own(t)
	s.checkpointer.end()
	fill(t, s, insertFiller, 1)
	reading, err := s.readers.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := reading.QueryRow("SELECT count(*) FROM filler").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	fill(t, s, insertFiller, checkpointPages)
	if err := s.checkpointer.shorten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := count(); after != before {
		t.Errorf("the reader sees %d rows after %d", after, before)
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.checkpointer.shorten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pages, copied := logOf(t, s); copied != pages {
		t.Errorf("%d of %d pages were copied once nobody read", copied, pages)
	}
}

func TestCheckpointerFollowsCommits(t *testing.T) {
	s := own(t)
	fill(t, s, insertFiller, checkpointPages)
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		pages, copied := logOf(t, s)
		if copied == pages {
			return
		}
		if limited.Err() != nil {
			t.Fatalf("%d of %d pages were copied", copied, pages)
		}
	}
}

// SQLite does not wait for somebody who copies the log at the same time.
func TestCutLogBesideCheckpoints(t *testing.T) {
	s := own(t)
	ctx, stop := context.WithCancel(t.Context())
	var copying sync.WaitGroup
	copying.Go(func() {
		for ctx.Err() == nil {
			_, _ = s.readers.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
		}
	})
	for range 5 {
		fill(t, s, insertFiller, 1000)
		if err := s.cutLog(t.Context()); err != nil {
			t.Error(err)
		}
		if pages, _ := logOf(t, s); pages != 0 {
			t.Errorf("the log has %d pages", pages)
		}
	}
	stop()
	copying.Wait()
}
