package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/store/storetest"
)

func TestBackfill(t *testing.T) {
	storetest.RunBackfill(t, func(t *testing.T) (open storetest.Open, setBack, forget func(*testing.T)) {
		open, execute := withSQL(t)
		setBack = func(t *testing.T) {
			execute(t, fmt.Sprintf("DELETE FROM goose_db_version WHERE version_id >= %d; ALTER TABLE dead_letters DROP COLUMN replayed_at", store.BackfillVersion))
		}
		forget = func(t *testing.T) { execute(t, "DELETE FROM analytics_deltas; DELETE FROM analytics_rollups") }
		return open, setBack, forget
	})
}

func TestOldChains(t *testing.T) { storetest.RunOldChains(t, withSQL) }

// withSQL returns a new database, and a function that executes statements on it.
func withSQL(t *testing.T) (open storetest.Open, execute func(t *testing.T, statements string)) {
	path := filepath.Join(t.TempDir(), "cxbridge.db")
	execute = func(t *testing.T, statements string) {
		t.Helper()
		db, err := sqlitedb.Open(path, sqlitedb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
	return func() (store.Store, error) { return sqlite.Open(path) }, execute
}
