package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func claimOne(t *testing.T, s store.Store) (store.Work, bool) {
	t.Helper()
	claimed, err := s.Claim(t.Context(), store.ClaimRequest{Limit: 1, Lease: time.Hour, Items: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(claimed.Work) == 0 {
		return store.Work{}, false
	}
	return claimed.Work[0], true
}

// A process that died cannot tell whether what it sent was applied.
func TestReleaseLeasesEndsAll(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	commitEvent(t, s, threadEvent("leased", 0, 1))
	before, ok := claimOne(t, s)
	if !ok {
		t.Fatal("nothing is due")
	}
	commitEvent(t, s, threadEvent("waiting", 0, 1))
	if err := s.ReleaseLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, uncertain := range map[string]bool{"leased": true, "waiting": false} {
		row, err := s.Thread(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if !row.Sync.LeaseUntil.IsZero() || row.Sync.Uncertain != uncertain {
			t.Errorf("%s: lease until %v, uncertain = %v, want none and %v", id, row.Sync.LeaseUntil, row.Sync.Uncertain, uncertain)
		}
	}
	held, err := s.Record(t.Context(), []store.Push{{Claim: before.Claim, Rev: 1, Done: true}}, time.Now())
	if err != nil || held[0] {
		t.Errorf("Record of a claim that was released: %v, %v, want that it is lost", held, err)
	}
	if again, ok := claimOne(t, s); !ok || again.Epoch <= before.Epoch {
		t.Errorf("claimed again: %v, epoch %d, want one above %d", ok, again.Epoch, before.Epoch)
	}
}

func TestAuditIsWrittenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	for range 2 {
		if err := s.Audit(t.Context(), audit.Note{Subject: "x", Action: audit.ActionDelete, Outcome: "deleted"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, change := range []string{
		"UPDATE audit SET outcome = 'other' WHERE seq = 1",
		"UPDATE audit SET id = 7 WHERE seq = 1",
		"DELETE FROM audit WHERE seq = 2",
		"DELETE FROM audit",
		"REPLACE INTO audit (id, subject, seq, at, action, outcome, detail, hash) VALUES (1, 'y', 1, '', '', '', '', x'00')",
		"REPLACE INTO audit (subject, seq, at, action, outcome, detail, hash) VALUES ('x', 2, '', '', '', '', x'00')",
		"INSERT INTO audit SELECT * FROM audit WHERE TRUE ON CONFLICT DO UPDATE SET outcome = 'other'",
	} {
		if _, err := db.Exec(change); err == nil || !strings.Contains(err.Error(), "entries of the audit are never") {
			t.Errorf("%s: %v, want that it is refused", change, err)
		}
	}
	entries, err := s.AuditEntries(t.Context(), "", 0, 10)
	if err != nil || len(entries) != 2 || entries[0].Seq != 2 || entries[0].Outcome != "deleted" {
		t.Errorf("entries are %+v, %v", entries, err)
	}
}

// The database works out by itself which items are dirty. The domain has the rule.
func TestDirtyIsThatOfTheDomain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	commitEvent(t, s, threadEvent("t", 0, 1))
	items, err := s.Items(t.Context(), "t", thread.KindMessage, store.ItemPosition{}, 1)
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	db, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hashes := []thread.Hash{{}, items[0].Stamp.Hash, {1}}
	blob := func(h thread.Hash) any {
		if h.IsZero() {
			return nil
		}
		return h[:]
	}
	for states := range 2 * 2 * len(hashes) * len(hashes) {
		item := *items[0]
		item.Removed, item.RemovedAt = states%2 == 1, item.ListedAt
		item.Theirs = states/2%2 == 1
		item.Acked = hashes[states/4%len(hashes)]
		item.SetAside = hashes[states/4/len(hashes)]
		var dirty bool
		err := db.QueryRow("UPDATE thread_items SET view = ?, acked = ?, set_aside = ?, theirs = ? RETURNING dirty",
			blob(item.View()), blob(item.Acked), blob(item.SetAside), item.Theirs).Scan(&dirty)
		if err != nil {
			t.Fatal(err)
		}
		if dirty != item.Dirty() {
			t.Errorf("dirty = %v of an item that shows %x, acked %x, set aside %x, theirs = %v", dirty, item.View(), item.Acked, item.SetAside, item.Theirs)
		}
	}
}
