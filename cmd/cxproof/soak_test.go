package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

// The short form of `make soak`, on both stores: what was acknowledged is there, and the samples are
// taken. What grows in hours is a matter of the long form.
func TestSoak(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), []string{"soak", "-short", "-store", store, "-cxbridge", program}, &out)
			t.Logf("\n%s", &out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A soak that was refused its load for half of the time has proved nothing, however well it ended.
func TestSoakWithoutLoad(t *testing.T) {
	s := &soakSettings{receipts: 2000, threads: 200}
	full := sample{receiptRate: 2000, postRate: 200, threadRate: 245}
	half := sample{receiptRate: 1000, postRate: 200, threadRate: 245}
	if lines := s.tooLittle([]sample{full, full}); lines != nil {
		t.Errorf("all was taken, and %q", lines)
	}
	if lines := s.tooLittle([]sample{half, full}); len(lines) != 1 {
		t.Errorf("a quarter of the receipts was refused: %q", lines)
	}
	// A post has more than one event on average, so as many events as posts are too few.
	half = sample{receiptRate: 2000, postRate: 165, threadRate: 202}
	if lines := s.tooLittle([]sample{half, half}); len(lines) != 1 {
		t.Errorf("posts of threads were refused: %q", lines)
	}
}

// The check at the end finds receipts that were there after their slice: one that is gone since, one that is
// there twice, and a message in another state.
func TestSoakReceipts(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlitedb.Open(filepath.Join(dir, "cxbridge.db"), sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	change := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	change("CREATE TABLE sms_messages (message_id, status)", "CREATE TABLE sms_receipt_history (message_id)")
	var all receiptsTotal
	for _, slice := range []load.Ledger{{Messages: 2, Final: 1, Receipts: 3}, {Messages: 1, Receipts: 1}} {
		all.ledger.Add(&slice)
	}
	for name, tt := range map[string]struct {
		want       string // in what is wrong; "" is nothing
		statements []string
	}{
		"all there":            {"", nil},
		"a message is missing": {"LOST", []string{"DELETE FROM sms_messages WHERE message_id = 'b-1'"}},
		"a receipt is missing": {"LOST", []string{"DELETE FROM sms_receipt_history WHERE message_id = 'b-1'"}},
		"a receipt is doubled": {"TOO MANY", []string{"INSERT INTO sms_receipt_history VALUES ('a-1')"}},
		"a message is doubled": {"TOO MANY", []string{"INSERT INTO sms_messages VALUES ('b-1', 'PENDING')"}},
		"a state went back":    {"LOST", []string{"UPDATE sms_messages SET status = 'PENDING' WHERE message_id = 'a-1'"}},
		"a state is wrong":     {"TOO MANY", []string{"UPDATE sms_messages SET status = 'DELIVERED' WHERE message_id = 'b-1'"}},
	} {
		change("DELETE FROM sms_messages", "DELETE FROM sms_receipt_history",
			"INSERT INTO sms_messages VALUES ('a-1', 'DELIVERED'), ('a-2', 'PENDING'), ('b-1', 'PENDING')",
			"INSERT INTO sms_receipt_history VALUES ('a-1'), ('a-1'), ('a-2'), ('b-1')")
		change(tt.statements...)
		var v proof.Verdict
		if err := all.check(t.Context(), proof.SQLite(dir), &v); err != nil {
			t.Fatal(err)
		}
		if tt.want == "" && !v.OK() || tt.want != "" && (len(v.Wrong) != 1 || !strings.Contains(v.Wrong[0], tt.want)) {
			t.Errorf("%s: wrong: %q, want %q", name, v.Wrong, tt.want)
		}
	}
}
