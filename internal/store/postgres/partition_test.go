package postgres_test

import (
	"context"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/faultproxy"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
)

// openThrough opens a store whose way to the database leads through a proxy.
func openThrough(t *testing.T, database string) (*postgres.Store, *faultproxy.Proxy) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.Start(u.Host, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	u.Host = proxy.Addr()
	st, err := postgres.Open(u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st, proxy
}

// A replica that is cut off between the two halves of a transaction keeps its locks from the others for
// no longer than they wait for the database.
func TestReplicaIsCutOffWithLocks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	database := pgtest.Database(t)
	lost, proxy := openThrough(t, database)
	other, err := postgres.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	batch := func(version int) store.Batch {
		return store.Batch{Entries: []store.Entry{{Thread: threadEvent("a", version, 1, now)}}, Now: now}
	}
	if _, err := other.Commit(ctx, batch(1)); err != nil {
		t.Fatal(err)
	}

	// The transaction waits for a lock, and gets it when nobody is there any more to go on with it.
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(ctx, "BEGIN; SELECT FROM threads WHERE thread_id = 'a' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	cut, giveUp := context.WithCancel(ctx)
	gone := make(chan error, 1)
	go func() {
		_, err := lost.Commit(cut, batch(2))
		gone <- err
	}()
	await := func(query string, args ...any) (n int) {
		for n == 0 {
			if err := conn.QueryRow(ctx, query, args...).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	session := await(`SELECT coalesce(max(l.pid), 0) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE NOT l.granted AND a.datname = current_database()`)
	proxy.Set(faultproxy.Fault{BlackHole: true})
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	await("SELECT count(*) WHERE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = $1)", session)
	if _, err := other.Commit(ctx, batch(3)); err != nil {
		t.Errorf("another replica cannot commit: %v", err)
	}
	giveUp()
	if <-gone == nil {
		t.Error("a commit through a black hole succeeded")
	}
}
