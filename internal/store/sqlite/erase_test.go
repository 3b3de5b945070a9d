package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

var at = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// eraseAll takes a person out, from a cursor on.
func eraseAll(t *testing.T, s *sqlite.Store, p store.Person, cursor string) error {
	t.Helper()
	for {
		e, err := s.Erase(t.Context(), p, cursor, 1000)
		if err != nil {
			return err
		}
		if cursor = e.Cursor; cursor == "" {
			return nil
		}
	}
}

// filesWith returns the files of a folder that hold a text.
func filesWith(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(text)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// What was erased is in no byte of the files, and so is what was overwritten or deleted before: rows
// that grew, moved and went leave their bytes in the free places of pages.
func TestEraseLeavesNoBytes(t *testing.T) {
	const number = "4915112345678"
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "x.db"))
	for i := range 40 {
		batch := store.Batch{Now: at}
		for j := range 25 {
			id := fmt.Sprint(i, "-", j)
			letter := &store.DeadLetter{Kind: store.KindSMS, Subject: id, Reason: "bad", Received: at, Raw: fmt.Appendf(nil, "%s to +%s", id, number)}
			batch.Entries = append(batch.Entries, store.Entry{DeadLetter: letter})
		}
		if _, err := s.Commit(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	for id := range int64(990) {
		if err := s.DeleteDeadLetter(t.Context(), id+1); err != nil {
			t.Fatal(err)
		}
	}
	if len(filesWith(t, dir, number)) == 0 {
		t.Fatal("the number is nowhere before")
	}
	if err := eraseAll(t, s, store.Person{Recipient: number}, ""); err != nil {
		t.Fatal(err)
	}
	if files := filesWith(t, dir, number); len(files) > 0 {
		t.Errorf("the number is still in %v", files)
	}
	letters, err := s.DeadLetters(t.Context(), 0, 100)
	if err != nil || len(letters) != 10 || string(letters[0].Raw) != store.ErasedBody {
		t.Errorf("%d dead letters are left, %v", len(letters), err)
	}
}

// Who reads an old state keeps it in the files: that is told, and the end can be repeated.
func TestEraseWhileSomebodyReads(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	s := open(t, path)
	letter := &store.DeadLetter{Kind: store.KindSMS, Reason: "bad", Received: at, Raw: []byte("to +4915112345678")}
	if _, err := s.Commit(t.Context(), store.Batch{Now: at, Entries: []store.Entry{{DeadLetter: letter}}}); err != nil {
		t.Fatal(err)
	}
	other, err := sqlitedb.Open(path, sqlitedb.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM dead_letters").Scan(&n); err != nil {
		t.Fatal(err)
	}
	p := store.Person{Recipient: "4915112345678"}
	if err := eraseAll(t, s, p, ""); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Erase while another process reads: %v, want ErrUnavailable", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := eraseAll(t, s, p, ""); err != nil {
		t.Fatal(err)
	}
	if files := filesWith(t, dir, "4915112345678"); len(files) > 0 {
		t.Errorf("the number is still in %v", files)
	}
}
