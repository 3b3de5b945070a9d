package syncer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// TestOnSQLite brings random histories to a CRM with trouble, through a real store, with a stop in
// the middle.
func TestOnSQLite(t *testing.T) {
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "cx.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sink, want := newCRM(), newMemory()
	sink.trouble = func(ctx context.Context, method, _ string) mishap {
		switch rand.IntN(40) {
		case 0:
			return mishap{err: lost(), after: method != "GET"}
		case 1:
			return mishap{err: lost()}
		case 2:
			return mishap{err: refusal(crm.ClassFailed, 500)}
		}
		return mishap{}
	}
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		s := newSyncer(db, sink)
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		for range 100 {
			e := randomEvent()
			want.commit(e)
			_, err := db.Commit(t.Context(), store.Batch{Now: now(), Entries: []store.Entry{{Thread: e}}})
			if err != nil {
				t.Fatal(err)
			}
			s.Wake()
		}
		stop()
		running.Wait()
	}
	syncAll(t, db, sink)
	sink.mustEqual(t, want)
	verifyAudit(t, db)
}

func randomEvent() *thread.Event {
	e := event(fmt.Sprint("t", rand.IntN(8)), rand.Int64N(50))
	for range rand.IntN(4) {
		e.Messages = append(e.Messages, thread.Message{ID: fmt.Sprint("m", rand.IntN(9)), Text: fmt.Sprint("text ", rand.IntN(3))})
	}
	e.Raw = []byte("{}")
	if parent := fmt.Sprint("t", rand.IntN(8)); parent != e.ThreadID && rand.IntN(4) == 0 {
		under(e, []thread.Type{thread.Updated, thread.Merged, thread.Split}[rand.IntN(3)], parent)
	}
	return sealed(e)
}

// syncAll runs a Syncer, now without trouble, until the CRM has everything.
func syncAll(t *testing.T, db *sqlite.Store, sink *fakeCRM) {
	t.Helper()
	sink.trouble = nil
	ctx, stop := context.WithCancel(t.Context())
	s := newSyncer(db, sink)
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer stop()
	rows, err := db.Threads(t.Context(), store.ThreadQuery{Limit: 100})
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d threads, %v", len(rows), err)
	}
	waiting, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		isSynced := true
		for _, row := range rows {
			// Another thread may raise one that was synced: once more round when one was not.
			fresh, err := db.Thread(t.Context(), row.ID)
			if err != nil {
				t.Fatal(err)
			}
			if fresh.Sync.State() == store.StateSynced {
				continue
			}
			isSynced = false
			if !s.Wait(waiting, row.ID, fresh.Sync.Want) {
				t.Fatalf("%s is not synced: %+v", row.ID, fresh.Sync)
			}
		}
		if isSynced {
			return
		}
	}
}

func verifyAudit(t *testing.T, db *sqlite.Store) {
	t.Helper()
	var v audit.Verifier
	var last audit.Entry
	for {
		entries, err := db.AuditChains(t.Context(), last.Subject, last.Seq, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			v.Entry(e)
			last = e
		}
	}
	if len(v.Problems) > 0 || v.Entries == 0 {
		t.Errorf("%d entries, %v", v.Entries, v.Problems)
	}
}
