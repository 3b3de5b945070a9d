package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// schemaStore is a store that knows of nothing but its schema.
type schemaStore struct {
	store.Store
	ready      bool  // the schema is up to date
	migrateErr error // what Migrate fails with
	pingErr    error // what Ping fails with in any case
	closed     bool
}

func (s *schemaStore) Ping(context.Context) error {
	switch {
	case s.pingErr != nil:
		return s.pingErr
	case !s.ready:
		return errors.New("its schema is old")
	}
	return nil
}

func (s *schemaStore) Migrate(context.Context) error {
	s.ready = s.ready || s.migrateErr == nil
	return s.migrateErr
}

func (s *schemaStore) Close() error {
	s.closed = true
	return nil
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("%w: connection refused", store.ErrUnavailable)
	tests := map[string]struct {
		store *schemaStore
		code  int
		want  string
	}{
		"new database":    {&schemaStore{}, 0, "is up to date now"},
		"nothing to do":   {&schemaStore{ready: true}, 0, "there was nothing to do"},
		"migration fails": {&schemaStore{migrateErr: away}, 1, "migrate postgres://bridge:***@db/x: " + away.Error()},
		"does not hold":   {&schemaStore{pingErr: away}, 1, "after the migration"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// PORT is wrong, but not a setting of migrate.
			p := newTrial(map[string]string{"DATABASE_URL": "postgres://bridge:hunter2@db/x", "PORT": "abc"})
			p.openStore = func(cfg Config) (store.Store, error) {
				if got := cfg.Database.Postgres.Reveal(); got != "postgres://bridge:hunter2@db/x" {
					t.Errorf("opened %q", got)
				}
				return tt.store, nil
			}
			if code := p.run(t.Context(), []string{"migrate"}); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if text := p.out.String() + p.err.String(); !strings.Contains(text, tt.want) || strings.Contains(text, "hunter2") {
				t.Errorf("printed %q, want %q in it", text, tt.want)
			}
			if !tt.store.closed {
				t.Error("the store was left open")
			}
		})
	}
}

// lockedStore is a store whose tables others use for a while.
type lockedStore struct {
	schemaStore
	until time.Time
}

func (s *lockedStore) Migrate(ctx context.Context) error {
	if time.Now().Before(s.until) {
		return fmt.Errorf("migrate: %w", store.ErrLocked)
	}
	return s.schemaStore.Migrate(ctx)
}

func TestMigrateWaitsForTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := newTrial(map[string]string{"DATABASE_URL": "postgres://bridge:hunter2@db/x"})
		p.openStore = func(Config) (store.Store, error) { return &lockedStore{until: start.Add(time.Hour)}, nil }
		if code := p.run(t.Context(), []string{"migrate"}); code != 0 || time.Since(start) > time.Hour+migrateAgain {
			t.Errorf("exit code %d after %v", code, time.Since(start))
		}
		if told := p.err.String(); strings.Count(told, "others use a table") != 1 || strings.Count(told, "\n") != 1 {
			t.Errorf("told %q, want the reason once", told)
		}

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if code := p.run(ctx, []string{"migrate"}); code != 1 || time.Since(start) != time.Minute {
			t.Errorf("exit code %d after %v, want 1 when the context ends", code, time.Since(start))
		}
	})
}
