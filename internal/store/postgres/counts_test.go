package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// counting opens a store on a new database, and a connection of somebody else.
func counting(t *testing.T) (*Store, *pgx.Conn) {
	t.Helper()
	database := pgtest.Database(t)
	s, err := Open(database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return s, conn
}

// oneMessage is a delta that counts a message in.
func oneMessage(firstSeen time.Time) []byte {
	var d analytics.Delta
	d.Add(analytics.ContributionOf(&sms.Message{Carrier: "X", Status: sms.Delivered, FirstSeen: firstSeen}))
	return d.Encode()
}

func requireCounted(t *testing.T, s *Store, now time.Time, want int64) {
	t.Helper()
	window, err := analytics.NewWindow(now, time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := analytics.NewSum(window, analytics.Filter{}, nil)
	if err := s.Counts(t.Context(), sum.Ranges(), sum.Add); err != nil {
		t.Fatal(err)
	}
	if got := sum.Report(analytics.DefaultPolicy()).Total; got != want {
		t.Errorf("%d messages are counted, want %d", got, want)
	}
}

func execute(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// A commit takes the id of its delta before it is there for others to see.
func TestCompactDoesNotLoseADeltaThatIsLate(t *testing.T) {
	s, late := counting(t)
	now := time.Now()
	execute(t, late, "BEGIN")
	execute(t, late, insertDelta, oneMessage(now))
	for range 3 {
		if _, err := s.reads.Exec(t.Context(), insertDelta, oneMessage(now)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ moved, counted int64 }{{2, 3}, {1, 3}, {0, 3}} {
		if moved, err := s.Compact(t.Context(), now, 2); err != nil || int64(moved) != step.moved {
			t.Fatalf("Compact moves %d, %v; want %d", moved, err, step.moved)
		}
		requireCounted(t, s, now, step.counted)
	}
	execute(t, late, "COMMIT")
	requireCounted(t, s, now, 4)
	if moved, err := s.Compact(t.Context(), now, 2); err != nil || moved != 1 {
		t.Fatalf("Compact moves %d, %v; want the one that was late", moved, err)
	}
	requireCounted(t, s, now, 4)
}

// Who finds another one at work does not wait for it.
func TestCompactWhileAnotherDoes(t *testing.T) {
	s, other := counting(t)
	now := time.Now()
	execute(t, other, "BEGIN")
	execute(t, other, insertDelta, oneMessage(now))
	execute(t, other, "COMMIT")
	execute(t, other, "SELECT pg_advisory_lock($1)", int64(compactionLock))
	if moved, err := s.Compact(t.Context(), now, 10); err != nil || moved != 0 {
		t.Errorf("Compact moves %d, %v; want none", moved, err)
	}
	execute(t, other, "SELECT pg_advisory_unlock($1)", int64(compactionLock))
	if moved, err := s.Compact(t.Context(), now, 10); err != nil || moved != 1 {
		t.Errorf("Compact moves %d, %v; want 1", moved, err)
	}
}

// One transaction does not take more into memory than it may, nor nothing for ever.
func TestCompactIsBoundedByBytes(t *testing.T) {
	s, conn := counting(t)
	// No message is as old as these, so the rollups stay small.
	var d analytics.Delta
	for i := range 250_000 {
		d.Observe(time.Unix(int64(i), 0), time.Second, time.Second, 1)
	}
	large := d.Encode()
	for range 4 {
		execute(t, conn, insertDelta, large)
	}
	most := 8<<20/len(large) + 1
	if most >= 4 || most < 2 {
		t.Fatalf("a delta has %d bytes", len(large))
	}
	for _, want := range []int{most, 4 - most, 0} {
		if moved, err := s.Compact(t.Context(), time.Now(), 2000); err != nil || moved != want {
			t.Errorf("Compact moves %d, %v; want %d", moved, err, want)
		}
	}
}

// A question reads the rollups that it needs and no others, with or without statistics.
func TestCountsUseTheIndex(t *testing.T) {
	s, conn := counting(t)
	execute(t, conn, `INSERT INTO analytics_rollups (level, bucket, counts)
		SELECT level, bucket, '\x01' FROM generate_series(1, 4) AS level, generate_series(1, 20000) AS bucket`)
	ranges := []any{[]int64{1, 2, 3}, []int64{10, 20, 30}, []int64{15, 25, 35}}
	for _, statistics := range []string{"without", "with"} {
		plan := explain(t, s.reads, countsOf, ranges...)
		if !strings.Contains(plan, "analytics_rollups_pkey") || strings.Contains(plan, "Seq Scan on analytics_rollups") {
			t.Errorf("%s statistics:\n%s", statistics, plan)
		}
		plan = explain(t, s.queue, readRollups, numbers([]int64{1, 2}, same), numbers([]int64{10, 20}, same))
		if !strings.Contains(plan, "using analytics_rollups_pkey") {
			t.Errorf("compaction, %s statistics:\n%s", statistics, plan)
		}
		execute(t, conn, "ANALYZE")
	}
}

func same(n int64) int64 { return n }
