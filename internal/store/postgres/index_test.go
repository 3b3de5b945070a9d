package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// TestIndexes requires that what runs for every event finds its rows by an index, whether or not the
// database has statistics: its cost is that of what is new, not that of all threads and items.
func TestIndexes(t *testing.T) {
	s, err := Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	now, ids := time.Now(), []string{"t100", "t200", "t300"}
	for _, statistics := range []string{"without", "with"} {
		for _, c := range []struct {
			name, index string
			pool        *pgxpool.Pool
			statement   string
			args        []any
		}{
			{"Claim", "using threads_queue", s.queue, claimDue, []any{16, time.Second, false, store.MaxWait}},
			{"ClaimFresh", "using threads_queue", s.queue, claimDue, []any{16, time.Second, true, store.MaxWait}},
			{"Wait", "using threads_queue", s.queue, untilDue, []any{false, store.MaxWait}},
			{"Dirty", "using thread_items_dirty", s.queue, readDirty, []any{ids, 501}},
			{"Aside", "using thread_items_set_aside", s.queue, readAside, []any{ids}},
			{"AsideKey", "using thread_items_pkey", s.queue, asideKey, []any{"t100", "message", "m7"}},
			{"DoneRev", "using thread_items_set_aside", s.reads, readDoneRev, []any{"t100"}},
			{"Links", "using threads_pkey", s.queue, linksAbove, []any{ids}},
			{"Extend", "using threads_pkey", s.queue, extendLeases, []any{ids, []int64{1, 1, 1}, time.Second}},
			{"Lock", "threads_pkey", s.commits, lockThreads, []any{ids}},
			{"Items", "using thread_items_pkey", s.commits, readItems, []any{ids, []string{"message", "message", "message"}, []string{"m1", "m2", "m3"}}},
			{"Timeline", "using thread_items_shown", s.reads, timelinePage, []any{ids, momentOf(now), "", 50}},
			{"ItemList", "using thread_items_shown", s.reads, itemPage, []any{"t100", "message", momentOf(now), "", 50}},
			{"Parked", "using threads_parked", s.reads, listThreads(stateConditions[store.StateParked]), []any{"p1", "", nil, 51}},
			{"WakeParked", "using threads_parked", s.queue, wakeParked, []any{[]int{401, 403}, "p1", 1000, now}},
			{"Heads", "using threads_pkey", s.reads, listHeads, store.HeadsArguments("t100", 50)},
		} {
			plan := explain(t, c.pool, c.statement, c.args...)
			if !strings.Contains(plan, c.index+" ") || strings.Contains(plan, "Seq Scan on thread") {
				t.Errorf("%s, %s statistics, does not use %s:\n%s", c.name, statistics, c.index, plan)
			}
		}
		if _, err := s.reads.Exec(t.Context(), "ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
}

// fill adds 10,000 threads, of which 100 are due, and to one of these 20,000 items, most of which
// the CRM has; and 200 threads that are parked. Rows are about as long as real ones.
func fill(t *testing.T, s *Store) {
	t.Helper()
	var b pgx.Batch
	b.Queue(`INSERT INTO threads (thread_id, own, version, links, crm, want_rev, done_rev, since_at, attempts, epoch,
			uncertain, parked, last_status, last_error, audit_seq, first_seen_at, changed_at)
		SELECT 't' || n, true, 1, rpad('{}', 500), '{}', 1, sign(n % 100), CASE WHEN n % 100 = 0 THEN now() - n * interval '1ms' END,
			0, 1, false, false, 0, '', 1, now(), now() FROM generate_series(1, 10000) n`)
	b.Queue(`INSERT INTO threads (thread_id, own, version, links, crm, want_rev, done_rev, since_at, attempts, epoch,
			uncertain, parked, last_status, last_error, audit_seq, first_seen_at, changed_at)
		SELECT 'p' || n, true, 1, rpad('{}', 500), '{}', 1, 0, now(), 1, 1, false, true, 401 + n % 3, 'no', 1, now(), now()
		FROM generate_series(1, 200) n`)
	b.Queue(`INSERT INTO thread_items (thread_id, kind, item_id, version, content, at, removed, rev, acked, theirs, view)
		SELECT 't' || n, 'message', 'm' || m, 1, '{}', now() + m * interval '1s', false, 1,
			CASE WHEN m = 1 AND n % 100 = 0 THEN NULL ELSE '\x01'::bytea END, false, '\x01'
		FROM generate_series(1, 10000) n, generate_series(1, CASE n WHEN 100 THEN 20000 ELSE 3 END) m`)
	if err := s.reads.SendBatch(t.Context(), &b).Close(); err != nil {
		t.Fatal(err)
	}
}

// explain returns how a statement is carried out. What it changes is undone.
func explain(t *testing.T, pool *pgxpool.Pool, statement string, args ...any) string {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	rows, err := tx.Query(t.Context(), "EXPLAIN "+statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
