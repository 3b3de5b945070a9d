package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// A long query keeps a migration from a table. The migration gives up soon: whoever writes waits behind it.
func TestMigrateGivesWay(t *testing.T) {
	s, err := Open(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	provider, db, err := s.migrations()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := provider.UpTo(t.Context(), store.BackfillVersion); err != nil {
		t.Fatal(err)
	}
	query, err := s.reads.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer query.Rollback(context.Background())
	if _, err := query.Exec(t.Context(), "SELECT FROM threads"); err != nil {
		t.Fatal(err)
	}

	migrating, stop := context.WithCancel(t.Context())
	defer stop()
	migrated := make(chan error, 1)
	waiting, ended := context.WithCancel(t.Context())
	go func() {
		migrated <- s.Migrate(migrating)
		ended() // it waits for two seconds only
	}()
	awaitLocks(t, waiting, s, 1)
	writing, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = s.commits.Exec(writing, `INSERT INTO threads (thread_id, own, version, links, crm, want_rev, done_rev,
			attempts, epoch, uncertain, parked, last_status, last_error, audit_seq, first_seen_at, changed_at)
		VALUES ('t', true, 1, '{}', '{}', 1, 0, 0, 1, false, false, 0, '', 1, now(), now())`)
	if err != nil {
		t.Fatalf("a write that comes while the migration waits: %v", err)
	}
	if err := <-migrated; !errors.Is(err, store.ErrLocked) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Migrate: %v, want ErrLocked and ErrUnavailable", err)
	}

	if err := query.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Migrate(t.Context()), s.Ping(t.Context())); err != nil {
		t.Errorf("after the query: %v", err)
	}
}
