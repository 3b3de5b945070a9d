package sqlitedb_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// numbered returns the path of a database with rows 1 to n of a kilobyte each, which is open.
func numbered(t *testing.T, n int) (db *sql.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "odd ?#%41 name.db")
	db, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{
		"CREATE TABLE numbers (n INTEGER PRIMARY KEY, filling BLOB)",
		"INSERT INTO numbers WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT " + strconv.Itoa(n) + ") SELECT n, zeroblob(1000) FROM c",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return db, path
}

func noProgress(int, int) {}

// The copy is of one moment, though another connection commits between all steps; and it is whole.
func TestBackupIsOfOneMoment(t *testing.T) {
	const rows = 10_000
	db, from := numbered(t, rows)
	to := filepath.Join(t.TempDir(), "odd ?#%41 copy.db")
	steps, done, all := 0, 0, 0
	size, err := sqlitedb.Backup(t.Context(), from, to, func(pages, of int) {
		steps++
		if pages <= done || pages > of {
			t.Errorf("%d pages of %d are done, after %d", pages, of, done)
		}
		done, all = pages, of
		// A row goes, and one comes.
		if _, err := db.Exec("DELETE FROM numbers WHERE n = ?; INSERT INTO numbers VALUES (?, zeroblob(1000))", steps, rows+steps); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if steps < 3 || done != all {
		t.Errorf("%d of %d pages in %d steps", done, all, steps)
	}
	info, err := os.Stat(to)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Size() != size || size < rows*1000 {
		t.Errorf("mode %o, %d bytes; %d were told", info.Mode().Perm(), info.Size(), size)
	}
	wantAlone(t, to)
	copied, err := sqlitedb.Open(to, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	var n, least, most int
	if err := copied.QueryRow("SELECT count(*), min(n), max(n) FROM numbers").Scan(&n, &least, &most); err != nil {
		t.Fatal(err)
	}
	if n != rows || least != 1 || most != rows {
		t.Errorf("%d rows from %d to %d", n, least, most)
	}
}

// wantAlone wants one file in its folder, or none.
func wantAlone(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != filepath.Base(path) {
			t.Errorf("%s was left behind", f.Name())
		}
	}
}

func TestBackupOverwritesNothing(t *testing.T) {
	_, from := numbered(t, 1)
	for _, taken := range []string{"copy.db", "copy.db.partial"} {
		to := filepath.Join(t.TempDir(), "copy.db")
		other := filepath.Join(filepath.Dir(to), taken)
		if err := os.WriteFile(other, []byte("another's"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlitedb.Backup(t.Context(), from, to, noProgress); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s is there: %v", taken, err)
		}
		if content, err := os.ReadFile(other); err != nil || string(content) != "another's" {
			t.Errorf("%s: %q, %v", taken, content, err)
		}
		wantAlone(t, other)
	}
}

// A file that appears while the copy is made stays as it is.
func TestBackupIsOvertaken(t *testing.T) {
	_, from := numbered(t, 1)
	to := filepath.Join(t.TempDir(), "copy.db")
	_, err := sqlitedb.Backup(t.Context(), from, to, func(int, int) {
		if err := os.WriteFile(to, []byte("another's"), 0o600); err != nil {
			t.Error(err)
		}
	})
	if content, _ := os.ReadFile(to); !errors.Is(err, fs.ErrExist) || string(content) != "another's" {
		t.Errorf("%v; the file is %q", err, content)
	}
	wantAlone(t, to)
}

func TestBackupIsCancelled(t *testing.T) {
	db, from := numbered(t, 10_000)
	to := filepath.Join(t.TempDir(), "copy.db")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := sqlitedb.Backup(ctx, from, to, func(int, int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	wantAlone(t, to)
	if _, err := db.Exec("INSERT INTO numbers VALUES (0, NULL)"); err != nil {
		t.Error(err)
	}
}

// A database that is damaged is not taken for a backup.
func TestBackupOfADamagedFile(t *testing.T) {
	db, from := numbered(t, 1000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("not what was written here"), 40*4096); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if _, err := sqlitedb.Backup(t.Context(), from, to, noProgress); err == nil {
		t.Error("there was no error")
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	wantAlone(t, to)
}
