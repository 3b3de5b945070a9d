package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Open {
		path := filepath.Join(t.TempDir(), "cxbridge.db")
		return func() (store.Store, error) { return sqlite.Open(path) }
	})
}

// A copy of the files while the store is open is what a crash leaves behind.
func TestCommitIsInTheFiles(t *testing.T) {
	dir, crashed := t.TempDir(), t.TempDir()
	s := open(t, filepath.Join(dir, "x.db"))
	batch := benchmarkBatch("random", 0, 10, sms.Delivered)
	if _, err := s.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.db", "x.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recovered := open(t, filepath.Join(crashed, "x.db"))
	for _, e := range batch.Entries {
		if _, _, err := recovered.Message(t.Context(), e.Receipt.MessageID); err != nil {
			t.Error(err)
		}
	}
}

func TestAnotherProcessHoldsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	other, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	batch := benchmarkBatch("random", 0, 1, sms.Delivered)
	brief, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Commit(brief, batch); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit: %v, want ErrUnavailable", err)
	}
	brief, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Ping(brief); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ping: %v, want ErrUnavailable", err)
	}
	if _, err := s.Tally(t.Context()); err != nil {
		t.Errorf("Tally: %v: readers do not wait for a writer", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping after the lock was released: %v", err)
	}
	if _, err := s.Commit(t.Context(), batch); err != nil {
		t.Errorf("Commit after the lock was released: %v", err)
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Open of a folder: %v, want ErrUnavailable", err)
	}
}

// People compare and sort times as text.
func TestTimesSortAsText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	if _, err := s.Commit(t.Context(), benchmarkBatch("sequence", 0, 3, sms.Delivered)); err != nil {
		t.Fatal(err)
	}
	db, err := sqlitedb.Open(path, sqlitedb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var first, status, segments string
	err = db.QueryRow(`SELECT first_seen_at, status_at, coalesce(segments, 'null') FROM sms_messages LIMIT 1`).Scan(&first, &status, &segments)
	if err != nil {
		t.Fatal(err)
	}
	if first != "2026-11-22T01:44:21.123456Z" || status != "2026-11-22T01:44:27.123456Z" || segments != "null" {
		t.Errorf("first_seen_at %s, status_at %s, segments %s", first, status, segments)
	}
}

func TestOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	owner, err := sqlite.OpenAsOwner(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.OpenAsOwner(path); !errors.Is(err, sqlite.ErrOwned) {
		t.Errorf("a second owner: %v, want ErrOwned", err)
	}
	beside := open(t, path) // migrates
	if err := errors.Join(owner.Ping(t.Context()), beside.Ping(t.Context())); err != nil {
		t.Errorf("the owner and somebody beside it: %v", err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := sqlite.OpenAsOwner(path)
	if err != nil {
		t.Fatalf("the next owner: %v", err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
}
