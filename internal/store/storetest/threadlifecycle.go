package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testThreadCancel requires that every method says so when the database is not there for it: when
// the context has ended, before there is a schema, and after the store was closed. A store that
// releases no leases needs no database for that.
func testThreadCancel(t *testing.T, create func(t *testing.T) Open) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	requireUnavailable := func(t *testing.T, ctx context.Context, s store.Store) {
		t.Helper()
		for name, do := range threadMethods(ctx, s) {
			if err := do(); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrRefused) {
				t.Errorf("%s: %v, want ErrUnavailable", name, err)
			}
		}
	}
	t.Run("EndedContext", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		requireUnavailable(t, ended, s)
		requireEqual(t, "row", readThread(t, s, "t").Sync, store.Sync{Want: 1, Since: at(3600)})
	})
	t.Run("NoSchema", func(t *testing.T) { requireUnavailable(t, t.Context(), openStore(t, create(t))) })
	t.Run("Closed", func(t *testing.T) {
		s, err := create(t)()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Migrate(t.Context()), s.Close()); err != nil {
			t.Fatal(err)
		}
		requireUnavailable(t, t.Context(), s)
	})
}

func threadMethods(ctx context.Context, s store.Store) map[string]func() error {
	c := store.Claim{ThreadID: "t", Epoch: 1}
	return map[string]func() error{
		"Commit": func() error {
			_, err := s.Commit(ctx, batchOf(events(updated("new", 1, message("m", 1)))))
			return err
		},
		"Claim":      func() error { _, err := s.Claim(ctx, request(1, time.Hour)); return err },
		"Extend":     func() error { _, err := s.Extend(ctx, []store.Claim{c}, time.Hour); return err },
		"Record":     func() error { _, err := s.Record(ctx, []store.Push{{Claim: c}}, at(1)); return err },
		"Pause":      func() error { return s.Pause(ctx, store.MaxWait) },
		"Wake":       func() error { return s.Wake(ctx, "t", 0, replayNote, at(1)) },
		"WakeParked": func() error { _, err := s.WakeParked(ctx, []int{422}, at(1)); return err },
		"DoneRev":    func() error { _, _, err := s.DoneRev(ctx, "t"); return err },
		"Threads":    func() error { _, err := s.Threads(ctx, store.ThreadQuery{Limit: 1}); return err },
		"Thread":     func() error { _, err := s.Thread(ctx, "t"); return err },
		"Items": func() error {
			_, err := s.Items(ctx, "t", thread.KindMessage, store.ItemPosition{}, 1)
			return err
		},
		"Links":        func() error { _, err := s.Links(ctx, "t"); return err },
		"Timeline":     func() error { _, err := s.Timeline(ctx, []string{"t"}, store.ItemPosition{}, 1); return err },
		"Audit":        func() error { return s.Audit(ctx, audit.Note{Subject: "x"}, at(1)) },
		"AuditEntries": func() error { _, err := s.AuditEntries(ctx, "", 0, 1); return err },
		"AuditChains":  func() error { _, err := s.AuditChains(ctx, "", 0, 1); return err },
		"AuditHeads":   func() error { _, err := s.AuditHeads(ctx, "", 1); return err },
	}
}
