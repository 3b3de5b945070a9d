package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// RunBackfill tests that Migrate counts the messages of a database whose schema has the version before
// store.BackfillVersion. With each new database goes a function that sets it back to that version, and
// one that deletes all counts.
func RunBackfill(t *testing.T, create func(t *testing.T) (open Open, setBack, forget func(t *testing.T))) {
	for name, isCounted := range map[string]bool{"NothingCounted": false, "SomeCounted": true} {
		t.Run(name, func(t *testing.T) {
			open, setBack, forget := create(t)
			s := openStore(t, open)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The clock of the migration is the real one, and messages are as old as they are by it.
			w := newCountedAt(3, time.Now().UTC().Truncate(time.Microsecond))
			w.commit(t, []store.Store{s})
			if !isCounted {
				forget(t)
			}
			setBack(t)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.observed = nil // it is in no message
			w.requireReports(t, s)
			w.entries = append(w.entries, newCountedAt(4, w.now).entries...) // of the same messages
			w.commit(t, []store.Store{s})
			w.compactAll(t, s)
			w.requireReports(t, s)
		})
	}

	t.Run("Many", func(t *testing.T) {
		const n, batch = 10_500, 1_500 // more than two deltas of the backfill
		open, setBack, forget := create(t)
		s := openStore(t, open)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC().Truncate(time.Microsecond)
		for from := 0; from < n; from += batch {
			var all []*sms.Receipt
			for i := from; i < from+batch; i++ {
				r := receipt(fmt.Sprint("m", i), sms.Delivered, now, now.Add(-time.Duration(i)*time.Minute))
				r.Carrier = fmt.Sprint("C", i%3)
				all = append(all, r)
			}
			commit(t, s, receipts(all...)...)
		}
		forget(t)
		setBack(t)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		window, err := analytics.NewWindow(now, 90*24*time.Hour, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := ask(t, s, analytics.NewSum(window, analytics.Filter{}, nil))
		if r.Total != n || len(r.Carriers) != 3 || r.Carriers[2].Total != n/3 {
			t.Errorf("%d messages of %d carriers are counted, want %d of 3", r.Total, len(r.Carriers), n)
		}
	})
}
