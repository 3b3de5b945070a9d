package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/store/storetest"
)

func TestBackfill(t *testing.T) {
	storetest.RunBackfill(t, func(t *testing.T) (open storetest.Open, setBack, forget func(*testing.T)) {
		path := filepath.Join(t.TempDir(), "cxbridge.db")
		execute := func(statement string, args ...any) func(*testing.T) {
			return func(t *testing.T) {
				t.Helper()
				db, err := sqlitedb.Open(path, sqlitedb.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
					t.Fatal(err)
				}
			}
		}
		return func() (store.Store, error) { return sqlite.Open(path) },
			execute("DELETE FROM goose_db_version WHERE version_id >= ?; ALTER TABLE dead_letters DROP COLUMN replayed_at", store.BackfillVersion),
			execute("DELETE FROM analytics_deltas; DELETE FROM analytics_rollups")
	})
}
