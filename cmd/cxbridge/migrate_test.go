package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

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
		"nothing to do":   {&schemaStore{ready: true}, 0, "nothing was to do"},
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
