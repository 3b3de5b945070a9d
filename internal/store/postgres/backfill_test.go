package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
	"github.com/cxbridge/cxbridge/internal/store/storetest"
)

func TestBackfill(t *testing.T) {
	storetest.RunBackfill(t, func(t *testing.T) (open storetest.Open, setBack, forget func(*testing.T)) {
		open, execute := withSQL(t)
		setBack = func(t *testing.T) {
			execute(t, fmt.Sprintf("DELETE FROM goose_db_version WHERE version_id >= %d; ALTER TABLE dead_letters DROP COLUMN replayed_at", store.BackfillVersion))
		}
		forget = func(t *testing.T) { execute(t, "TRUNCATE analytics_deltas, analytics_rollups") }
		return open, setBack, forget
	})
}

func TestOldChains(t *testing.T) { storetest.RunOldChains(t, withSQL) }

// withSQL returns a new database, and a function that executes statements on it.
func withSQL(t *testing.T) (open storetest.Open, execute func(t *testing.T, statements string)) {
	database := pgtest.Database(t)
	execute = func(t *testing.T, statements string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
	return func() (store.Store, error) { return postgres.Open(database) }, execute
}
