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
		database := pgtest.Database(t)
		execute := func(statement string) func(*testing.T) {
			return func(t *testing.T) {
				t.Helper()
				conn, err := pgx.Connect(t.Context(), database)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close(context.Background())
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
		}
		return func() (store.Store, error) { return postgres.Open(database) },
			execute(fmt.Sprintf("DELETE FROM goose_db_version WHERE version_id >= %d; ALTER TABLE dead_letters DROP COLUMN replayed_at", store.BackfillVersion)),
			execute("TRUNCATE analytics_deltas, analytics_rollups")
	})
}
