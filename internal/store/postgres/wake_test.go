package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// However many threads are parked, those that were woken before the database failed stay so: the next
// attempt has less to do.
func TestWakeParkedKeepsWhatIsDone(t *testing.T) {
	s, err := Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const parked = 3500
	_, err = s.reads.Exec(t.Context(), `INSERT INTO threads (thread_id, own, version, links, crm, want_rev, done_rev, since_at,
			attempts, epoch, uncertain, parked, last_status, last_error, audit_seq, first_seen_at, changed_at)
		SELECT to_char(n, 'FM0000'), true, 1, '{}', '{}', 1, 0, now(), 1, 1, false, true, 401, 'no', 1, now(), now()
		FROM generate_series(1, $1::int) n`, parked)
	if err != nil {
		t.Fatal(err)
	}

	tx, err := s.reads.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM threads WHERE thread_id = '2500' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		awaitLocks(t, t.Context(), s, 1)
	}()
	before, err := s.WakeParked(ctx, []int{401}, time.Now())
	if before != 2000 || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("WakeParked woke %d, %v, want 2000 before one is locked", before, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The server may carry out the step that nobody waits for any more.
	if after, err := s.WakeParked(t.Context(), []int{401}, time.Now()); err != nil || before+after > parked {
		t.Errorf("WakeParked again woke %d, %v, want %d at most", after, err, parked-before)
	}
	var once int64
	if err := s.reads.QueryRow(t.Context(), "SELECT count(*) FROM threads WHERE NOT parked AND want_rev = 2").Scan(&once); err != nil || once != parked {
		t.Errorf("%d threads are woken once, %v, want %d", once, err, parked)
	}
}

// awaitLocks waits until so many sessions of the database wait for a lock, or ctx ends.
func awaitLocks(t *testing.T, ctx context.Context, s *Store, sessions int) {
	t.Helper()
	for {
		var waiting int
		err := s.reads.QueryRow(ctx, `SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE NOT l.granted AND a.datname = current_database()`).Scan(&waiting)
		if err != nil {
			t.Error(err)
			return
		}
		if waiting >= sessions {
			return
		}
	}
}
