package storetest

import (
	"testing"

	"github.com/cxbridge/cxbridge/internal/audit"
)

// asBefore makes a database one of 0.1.0, in which the chain of each thread had the name of its id. The
// chains of the ids are there as if they were not threads'.
const asBefore = `INSERT INTO threads (thread_id, own, version, links, crm, want_rev, done_rev, attempts, epoch, uncertain,
		parked, last_status, last_error, audit_seq, audit_hash, first_seen_at, changed_at)
	SELECT subject, true, 1, '{}', '{}', 1, 1, 0, 0, false, false, 0, '', seq, hash, '2026-11-22T01:44:21.123456Z',
		'2026-11-22T01:44:21.123456Z' FROM audit_heads WHERE subject NOT LIKE 'other:%';
	DELETE FROM audit_heads WHERE subject NOT LIKE 'other:%';
	DELETE FROM goose_db_version WHERE version_id >= 6;
	ALTER TABLE dead_letters DROP COLUMN replayed_at`

// RunOldChains tests that Migrate keeps the chains of threads that have been given another name. With each
// new database goes a function that executes SQL statements on it.
func RunOldChains(t *testing.T, create func(t *testing.T) (open Open, execute func(t *testing.T, statements string))) {
	open, execute := create(t)
	s := openStore(t, open)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	note := func(subject string) {
		t.Helper()
		n := audit.Note{Subject: subject, Action: audit.ActionEvent, Outcome: "accepted"}
		if err := s.Audit(t.Context(), n, at(1)); err != nil {
			t.Fatal(err)
		}
	}
	renamed := []string{"alarm:1", "dead-letter:1", "erasure", "message:1", "message:2", "thread:t", "thread:\U0010ffff"}
	kept := []string{"alarm;", "erasures", "message", "t", "é"}
	chains := make(map[string]int64)
	for _, id := range append(append([]string{"other:1"}, renamed...), kept...) {
		note(id)
		note(id)
		chains[id] = 2
	}
	execute(t, asBefore)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	require := func() {
		t.Helper()
		requireUnbroken(t, s)
		lengths := make(map[string]int64)
		for subject, head := range auditHeads(t, s) {
			lengths[subject] = head.Seq
		}
		requireEqual(t, "lengths of the chains", lengths, chains)
	}
	require()

	// What they are about is recorded as always from then on.
	for _, id := range append(renamed, kept...) {
		accept(t, s, updated(id, 2, message("m", 2)))
		chains[audit.ThreadSubject(id)]++
		requireEqual(t, "end of the chain of "+id, readThread(t, s, id).Audit, auditHeads(t, s)[audit.ThreadSubject(id)])
	}
	note("message:1")
	chains["message:1"]++
	require()
}
