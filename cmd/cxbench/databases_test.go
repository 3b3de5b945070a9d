package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/pgtest"
)

func TestSQLiteRows(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "bench.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"PRAGMA journal_mode = WAL",
		"CREATE TABLE sms_messages (message_id TEXT PRIMARY KEY, status TEXT)",
		"CREATE TABLE sms_receipts (message_id TEXT, status TEXT)",
		"INSERT INTO sms_messages VALUES ('mine-1', 'PENDING'), ('mine-2', 'DELIVERED'), ('other-1', 'PENDING')",
		"INSERT INTO sms_receipts VALUES ('mine-2', 'PENDING'), ('other-1', 'PENDING')",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	d := &sqliteDatabase{path: path}
	got, err := d.rows(ctx, "mine")
	if want := (load.Rows{Messages: 2, Final: 1, Receipts: 3}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	one := &run{Result: load.Result{Ledger: load.Ledger{Messages: 3, Receipts: 3}}}
	if err := one.verify(ctx, d, "mine"); err != nil || !strings.Contains(one.Verified, "LOST: 3 messages acknowledged, 2 in the database") {
		t.Errorf("with a row missing: %v; %q", err, one.Verified)
	}
	if line, err := d.describe(ctx); err != nil || !strings.HasSuffix(line, "journal_mode=wal") {
		t.Errorf("described as %q, %v", line, err)
	}
}

func TestSQLiteRowsOfNoFile(t *testing.T) {
	d := &sqliteDatabase{path: filepath.Join(t.TempDir(), "none.db")}
	if rows, err := d.rows(t.Context(), "mine"); err == nil {
		t.Errorf("got %+v", rows)
	}
}

func TestPostgresCounters(t *testing.T) {
	ctx := t.Context()
	cluster := pgtest.New(t)
	d := &postgresDatabase{url: cluster.URL, messages: naiveTable, postmaster: cluster.PID()}
	before, err := d.counters(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := serveNothing(t, cluster.URL); err != nil {
		t.Fatal(err)
	}
	after, err := d.counters(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if work := after.since(before); work.Commits < 1 || work.WALBytes < 1 || work.CPU < 0 || after.CPU == 0 {
		t.Errorf("creating a table took %+v", work)
	}
	if line, err := d.describe(ctx); err != nil || !strings.Contains(line, "synchronous_commit=on fsync=on") {
		t.Errorf("described as %q, %v", line, err)
	}
}

// serveNothing starts and stops the naive server, which makes its table.
func serveNothing(t *testing.T, databaseURL string) error {
	t.Helper()
	server, err := startSelf(t, "serve-naive", "DATABASE_URL="+databaseURL)
	if err != nil {
		return err
	}
	return server.stop()
}

func TestPostgresThatIsNotDurableIsRefused(t *testing.T) {
	d := &postgresDatabase{url: pgtest.Database(t)} // the clusters of tests run with fsync=off
	if line, err := d.describe(t.Context()); err == nil {
		t.Errorf("described as %q", line)
	}
}
