package sqlitedb_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

func TestOpenCreatesAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "odd ?#%41 name.db")
	db, err := sqlitedb.Open(path, sqlitedb.Options{CacheBytes: 8 << 20, CheckpointPages: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("mode of %s = %o, want 600", filepath.Base(name), mode)
		}
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000",
		"cache_size": "-8192", "wal_autocheckpoint": "2000",
	} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("PRAGMA %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
}

func TestReadOnlyPoolDoesNotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	writer, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := writer.Exec("CREATE TABLE t (x); INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	readers, err := sqlitedb.Open(path, sqlitedb.Options{Connections: 2, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer readers.Close()
	tx, err := writer.Begin() // holds the write lock; readers do not wait for it
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var x int
	if err := readers.QueryRow("SELECT x FROM t").Scan(&x); err != nil || x != 7 {
		t.Errorf("read %d, %v, want 7", x, err)
	}
	if _, err := readers.Exec("INSERT INTO t VALUES (8)"); err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("write through a read-only pool: %v", err)
	}
}

func TestWriterLocksWhenItBegins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	tx, err := first.Begin()
	if err != nil {
		t.Fatal(err)
	}
	second, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := second.Exec("PRAGMA busy_timeout(0)"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.BeginTx(context.Background(), nil); err == nil {
		t.Error("a second write transaction began beside the first")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	other, err := second.Begin()
	if err != nil {
		t.Fatalf("begin after the first ended: %v", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	notADatabase := filepath.Join(dir, "text")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"not a database":   notADatabase,
		"a folder":         dir,
		"a file in a file": filepath.Join(notADatabase, "x.db"),
	} {
		if db, err := sqlitedb.Open(path, sqlitedb.Options{}); err == nil {
			db.Close()
			t.Errorf("%s: opened", name)
		} else {
			t.Log(err)
		}
	}
}

func TestExclusiveKeepsOthersOut(t *testing.T) {
	crashed := t.TempDir()
	path := filepath.Join(t.TempDir(), "x.db")
	for _, test := range []struct {
		name, path string
		rows       int
	}{
		{"a new file", path, 1},
		{"one that was closed", path, 2},
		{"one that a crash left behind", filepath.Join(crashed, "x.db"), 3},
	} {
		owner, err := sqlitedb.Open(test.path, sqlitedb.Options{Exclusive: true})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if _, err := sqlitedb.Open(test.path, sqlitedb.Options{Exclusive: true}); !errors.Is(err, sqlitedb.ErrInUse) {
			t.Errorf("%s: a second Open: %v, want ErrInUse", test.name, err)
		}
		var rows int
		err = owner.QueryRow("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1); SELECT count(*) FROM t").Scan(&rows)
		if err != nil || rows != test.rows {
			t.Errorf("%s: the owner has %d rows, %v, want %d", test.name, rows, err, test.rows)
		}
		if test.rows == 2 {
			copyFiles(t, filepath.Dir(path), crashed)
		}
		if err := owner.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExclusiveNeedsAFileThatNobodyHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Exec("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitedb.Open(path, sqlitedb.Options{Exclusive: true}); !errors.Is(err, sqlitedb.ErrInUse) {
		t.Errorf("Open: %v, want ErrInUse", err)
	}
}

// copyFiles copies the files of a folder as a crash would leave them now. It takes the locks from
// those who have them, because it closes the files.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
