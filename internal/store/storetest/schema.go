package storetest

import (
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func testSchema(t *testing.T, create func(t *testing.T) Open) {
	t.Run("NothingWorksBeforeMigrate", func(t *testing.T) {
		s := openStore(t, create(t))
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrSchema) {
			t.Errorf("Ping: %v, want ErrSchema", err)
		}
		entry := store.Entry{Receipt: receipt("m", sms.Pending, at(0), at(1))}
		_, err := s.Commit(t.Context(), batchOf([]store.Entry{entry}))
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrRefused) {
			t.Errorf("Commit: %v, want ErrUnavailable", err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping after Migrate: %v", err)
		}
		commit(t, s, entry)
	})

	t.Run("MigrateKeepsWhatIsThere", func(t *testing.T) {
		s := migrated(t, create)
		r := receipt("m", sms.Delivered, at(0), at(1))
		commit(t, s, receipts(r)...)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("second Migrate: %v", err)
		}
		m, _ := read(t, s, "m")
		requireEqual(t, "message", m, folded(r))
	})

	t.Run("ReplicasMigrateAtOnce", func(t *testing.T) {
		open := create(t)
		var group errgroup.Group
		stores := make([]store.Store, 4)
		for i := range stores {
			stores[i] = openStore(t, open)
			group.Go(func() error { return stores[i].Migrate(t.Context()) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for _, s := range stores {
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("Ping: %v", err)
			}
		}
	})

	t.Run("DataOutlivesTheStore", func(t *testing.T) {
		open := create(t)
		first, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := receipt("m", sms.Delivered, at(0), at(1))
		commit(t, first, append(receipts(r), store.Entry{DeadLetter: letter("x", "bad", "{")})...)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := openStore(t, open)
		if err := second.Ping(t.Context()); err != nil {
			t.Errorf("Ping: %v", err)
		}
		m, history := read(t, second, "m")
		requireEqual(t, "message", m, folded(r))
		requireEqual(t, "history", history, []sms.PastReceipt{r.Past()})
		if letters := list(t, second, 0, 10); len(letters) != 1 {
			t.Errorf("%d dead letters, want 1", len(letters))
		}
		requireEqual(t, "duplicates", commit(t, second, receipts(r)...), []bool{true})
	})
}
