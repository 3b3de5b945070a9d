package sqlitedb_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

func TestLock(t *testing.T) {
	path := database(t)
	lock, err := sqlitedb.TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if _, err := sqlitedb.TakeLock(name); !errors.Is(err, sqlitedb.ErrInUse) {
			t.Errorf("a second lock: %v, want ErrInUse", err)
		} else {
			t.Log(err)
		}
	}
	other, err := sqlitedb.TakeLock(database(t))
	if err != nil {
		t.Fatalf("the lock of another database: %v", err)
	}
	defer other.Release()

	// The database itself can be read and written meanwhile.
	db, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)"); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if info, err := os.Stat(path + "-lock"); len(entries) != 4 || err != nil || info.Size() > 0 {
		t.Errorf("the database, its -wal and -shm and the lock: %v; the lock: %v, %v", entries, info, err)
	}

	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlitedb.TakeLock(path)
	if err != nil {
		t.Fatalf("the lock after its release: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}

// Of several that take the lock at once, one gets it.
func TestLockIsTakenByOne(t *testing.T) {
	path := database(t)
	var taken atomic.Pointer[sqlitedb.Lock]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			lock, err := sqlitedb.TakeLock(path)
			switch {
			case err == nil && !taken.CompareAndSwap(nil, lock):
				t.Error("two have the lock")
				lock.Release()
			case err != nil && !errors.Is(err, sqlitedb.ErrInUse):
				t.Error(err)
			}
		})
	}
	all.Wait()
	lock := taken.Load()
	if lock == nil {
		t.Fatal("nobody has the lock")
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestLockFails(t *testing.T) {
	if _, err := sqlitedb.TakeLock(filepath.Join(t.TempDir(), "missing.db")); err == nil || errors.Is(err, sqlitedb.ErrInUse) {
		t.Errorf("the lock of a database that does not exist: %v", err)
	}
	path := database(t)
	if err := os.Mkdir(path+"-lock", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitedb.TakeLock(path); err == nil || errors.Is(err, sqlitedb.ErrInUse) || !strings.Contains(err.Error(), path+"-lock: ") {
		t.Errorf("the lock in a folder: %v", err)
	}
}

// database returns the path of a new one.
func database(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
