package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
)

// TestThreadThatAppears lets a thread and its event be committed after another transaction has
// locked the threads that exist, and before that one reads which events do.
func TestThreadThatAppears(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	database := pgtest.Database(t)
	st, err := postgres.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	commit := func(entries ...store.Entry) []store.Outcome {
		outcomes, err := st.Commit(ctx, store.Batch{Entries: entries, Now: now})
		if err != nil {
			t.Error(err)
		}
		return outcomes
	}
	appearing := store.Entry{Thread: threadEvent("b", 1, 1, now)}
	commit(store.Entry{Thread: threadEvent("a", 1, 1, now)})

	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(ctx, "BEGIN; SELECT FROM threads WHERE thread_id = 'a' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	late := make(chan []store.Outcome, 1)
	go func() { late <- commit(store.Entry{Thread: threadEvent("a", 2, 1, now)}, appearing) }()
	for waiting := 0; waiting == 0; {
		err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	commit(appearing)
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	want := []store.Outcome{{Rev: 2}, {Duplicate: true, Stale: true, Rev: 1}}
	if got := <-late; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
