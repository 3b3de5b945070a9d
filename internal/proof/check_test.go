package proof

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// A check that finds nothing must be able to find something: of three receipts that were acknowledged
// one is there, one is there twice, and one is not.
func TestCheckKept(t *testing.T) {
	dir := t.TempDir()
	s := SQLite(dir)
	db, err := sqlitedb.Open(filepath.Join(dir, "cxbridge.db"), sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE sms_receipt_history (message_id, status, event_at);
		CREATE TABLE thread_events (thread_id, type, version);
		INSERT INTO sms_receipt_history VALUES ('kept', 'SENT', '2026-03-02T10:00:00Z'), ('twice', 'SENT', NULL), ('twice', 'SENT', NULL);
		INSERT INTO thread_events VALUES ('t-1', 'THREAD_UPDATED', 1)`)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPromises()
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	p.receipts[receipt{"kept", "SENT", at}] = true
	p.receipts[receipt{"twice", "SENT", time.Time{}}] = true
	p.receipts[receipt{"lost", "SENT", at}] = true
	p.threads.add(threadEvent{"t-1", "THREAD_UPDATED", 1})
	p.threads.add(threadEvent{"t-1", "THREAD_UPDATED", 2})
	v, err := CheckKept(t.Context(), s, p)
	if err != nil {
		t.Fatal(err)
	}
	if v.Lost != 2 || v.Doubled != 1 || len(v.Wrong) != 3 || v.OK() {
		t.Errorf("%+v", v)
	}
}
