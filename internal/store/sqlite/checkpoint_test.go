package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

func own(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenAsOwner(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("CREATE TABLE filler (filling BLOB)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeAfter(t *testing.T, s *Store) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// long is how long a log is copied in the tests, in pages.
const long = 2 * fewPages

// idle returns a Store whose log only the test copies.
func idle(t *testing.T) *Store {
	t.Helper()
	s := idleAt(t, filepath.Join(t.TempDir(), "x.db"))
	closeAfter(t, s)
	return s
}

func idleAt(t *testing.T, path string) *Store {
	t.Helper()
	s := own(t, path)
	s.checkpointer.stop()
	<-s.checkpointer.stopped
	s.checkpointer.pages = long
	return s
}

// fill commits some pages.
func fill(t *testing.T, s *Store, pages int) {
	t.Helper()
	err := s.write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO filler VALUES (zeroblob(?))", pages*4096)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func shorten(t *testing.T, s *Store) {
	t.Helper()
	if err := s.checkpointer.shorten(t.Context()); err != nil {
		t.Error(err)
	}
}

// look returns how many pages the log has, and how many of them are in the database, too.
func look(t *testing.T, s *Store) (pages, copied int) {
	t.Helper()
	pages, copied, err := s.checkpointer.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pages, copied
}

// awaitCopied returns when the log is copied to its end.
func awaitCopied(t *testing.T, s *Store) {
	t.Helper()
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		pages, copied := look(t, s)
		if pages == copied {
			return
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			t.Fatalf("%d of %d pages were copied", copied, pages)
		}
	}
}

func TestShortLogIsLeft(t *testing.T) {
	t.Parallel()
	s := idle(t)
	_, before := look(t, s)
	fill(t, s, long/4)
	shorten(t, s)
	if pages, copied := look(t, s); copied != before {
		t.Errorf("%d of %d pages of a short log were copied", copied, pages)
	}
}

// Commits do not wait for the copy of a long log: it is made while one is in progress.
func TestLogIsCopiedBesideACommit(t *testing.T) {
	t.Parallel()
	s := idle(t)
	fill(t, s, 2*long)
	tx, err := s.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var copying sync.WaitGroup
	copying.Go(func() { shorten(t, s) })
	awaitCopied(t, s)
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	copying.Wait()
	fill(t, s, 1)
	if pages, _ := look(t, s); pages >= long {
		t.Errorf("the log was not begun anew: it has %d pages", pages)
	}
}

// What cannot be copied at first, like what is committed meanwhile, is copied in the end.
func TestLogBeginsAnew(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]int{"few pages left": 10, "many pages left": fewPages + 1} {
		t.Run(name, func(t *testing.T) {
			s := idle(t)
			fill(t, s, 2*long)
			_, end := read(t, s)
			fill(t, s, left)
			syncs := 0
			s.checkpointer.sync = func() error {
				if syncs++; syncs == 1 {
					end()
				}
				return nil
			}
			shorten(t, s)
			if pages, copied := look(t, s); pages != copied || syncs < 2 {
				t.Errorf("%d of %d pages were copied, in %d rounds", copied, pages, syncs)
			}
			fill(t, s, 1)
			if pages, _ := look(t, s); pages >= long {
				t.Errorf("the log was not begun anew: it has %d pages", pages)
			}
		})
	}
}

// read begins a transaction that sees the filler as it is now, and returns how to count it and how to end.
func read(t *testing.T, s *Store) (count func() int, end func()) {
	t.Helper()
	tx, err := s.readers.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count = func() (n int) {
		t.Helper()
		if err := tx.QueryRow("SELECT count(*) FROM filler").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	count() // only then does SQLite settle what it sees
	return count, func() {
		t.Helper()
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// A transaction that began to read early needs what the database was then.
func TestLogIsKeptForReaders(t *testing.T) {
	t.Parallel()
	s := idle(t)
	fill(t, s, 1)
	count, end := read(t, s)
	fill(t, s, 2*long)
	shorten(t, s)
	syncs := 0
	s.checkpointer.sync = func() error {
		syncs++
		return nil
	}
	shorten(t, s)
	if n := count(); n != 1 || syncs != 0 {
		t.Errorf("the reader sees %d rows instead of 1; %d syncs of nothing", n, syncs)
	}
	end()
	shorten(t, s)
	if pages, copied := look(t, s); copied != pages {
		t.Errorf("%d of %d pages were copied once nobody read", copied, pages)
	}
}

// What was copied and is not on the disk is only in the log, which must not begin anew, whatever this and other
// programs do, until the database is opened again.
func TestLogIsKeptAfterAFailedSync(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := idleAt(t, path)
	fill(t, s, checkpointPages) // as long as others copy it, too
	_, end := read(t, s)
	fill(t, s, 1) // the log cannot be copied to its end
	broken := errors.New("broken")
	s.checkpointer.sync = func() error { return broken }
	if err := s.checkpointer.shorten(t.Context()); !errors.Is(err, broken) {
		t.Errorf("shorten: %v", err)
	}
	end()
	s.checkpointer.sync = func() error { return nil }
	if err := s.checkpointer.shorten(t.Context()); !errors.Is(err, broken) {
		t.Errorf("shorten again: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, broken) {
		t.Errorf("Ping: %v", err)
	}

	other, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := other.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
	var isBusy bool
	var pages, copied int
	err = other.readers.QueryRow("PRAGMA wal_checkpoint(NOOP)").Scan(&isBusy, &pages, &copied)
	if err != nil || pages < checkpointPages {
		t.Errorf("the log has %d pages, %v", pages, err)
	}
	if err := errors.Join(other.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Error(err)
	}

	// What the end of the process would do.
	if err := errors.Join(s.checkpointer.hold.Rollback(), s.checkpointer.db.Close()); err != nil {
		t.Error(err)
	}
}

func TestCheckpointerFollowsCommits(t *testing.T) {
	t.Parallel()
	s := own(t, filepath.Join(t.TempDir(), "x.db"))
	closeAfter(t, s)
	fill(t, s, checkpointPages)
	awaitCopied(t, s)
}

// SQLite does not wait for somebody who copies the log at the same time.
func TestCutLogBesideCheckpoints(t *testing.T) {
	t.Parallel()
	s := idle(t)
	ctx, stop := context.WithCancel(t.Context())
	var copying sync.WaitGroup
	for range 3 {
		copying.Go(func() {
			for ctx.Err() == nil {
				_ = checkpoint(ctx, s.readers)
			}
		})
	}
	for range 10 {
		fill(t, s, 1000)
		if err := s.cutLog(t.Context()); err != nil {
			t.Error(err)
		}
		if pages, _ := look(t, s); pages != 0 {
			t.Errorf("the log has %d pages", pages)
		}
	}
	stop()
	copying.Wait()
}
