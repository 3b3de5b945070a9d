package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// While another program holds the write lock of the SQLite file nothing is acknowledged, and the answer
// says when to try again.
func TestSQLiteIsHeldByAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cxbridge.db")
	p := serve(t, settings{"DATABASE_URL": "sqlite:" + path})
	wantDirect(t, p, `{"messageId":"held-1","status":"SENT"}`)
	db, err := sqlitedb.Open(path, sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	a := p.post(t, 503, `{"messageId":"held-2","status":"SENT"}`)
	if a.Acknowledged || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Error, "unavailable") {
		t.Errorf("answer %v %s", a.Header, a.Text)
	}
	if m, found := p.message(t, "held-1"); !found || m.Status != "PENDING" {
		t.Errorf("what is stored cannot be read meanwhile: %+v", m)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	wantDirect(t, p, `{"messageId":"held-2","status":"SENT"}`)
	if m, _ := p.message(t, "held-2"); len(m.Receipts) != 1 {
		t.Errorf("the message is %+v", m)
	}
}
