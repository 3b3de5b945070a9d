package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// auditHeads reads the ends of all chains, by pages.
func auditHeads(t failer, s store.Store) map[string]audit.Head {
	t.Helper()
	heads := make(map[string]audit.Head)
	after := ""
	for {
		page, err := s.AuditHeads(ctx(), after, 3)
		if err != nil {
			t.Fatalf("AuditHeads after %q: %v", after, err)
		}
		for _, h := range page {
			if h.Subject <= after {
				t.Fatalf("the chain of %q follows that of %q", h.Subject, after)
			}
			after = h.Subject
			if h.Seq > 0 {
				heads[h.Subject] = h.Head
			}
		}
		if len(page) < 3 {
			return heads
		}
	}
}

// auditChains reads all chains, by pages.
func auditChains(t failer, s store.Store) (all []audit.Entry) {
	t.Helper()
	var subject string
	var seq int64
	for {
		page, err := s.AuditChains(ctx(), subject, seq, 7)
		if err != nil {
			t.Fatalf("AuditChains after %q, %d: %v", subject, seq, err)
		}
		for _, e := range page {
			if e.Subject < subject || e.Subject == subject && e.Seq <= seq {
				t.Fatalf("entry %d of %q follows %d of %q", e.Seq, e.Subject, seq, subject)
			}
			subject, seq = e.Subject, e.Seq
		}
		all = append(all, page...)
		if len(page) < 7 {
			return all
		}
	}
}

// requireUnbroken verifies all chains, and returns how many entries there are.
func requireUnbroken(t failer, s store.Store) int64 {
	t.Helper()
	v := audit.Verifier{Heads: auditHeads(t, s)}
	for _, e := range auditChains(t, s) {
		v.Entry(e)
	}
	v.Finish()
	if len(v.Problems) > 0 || v.Chains != int64(len(v.Heads)) {
		t.Fatalf("%d chains with %d ends, problems %v", v.Chains, len(v.Heads), v.Problems)
	}
	return v.Entries
}

// requireNote requires that the newest entry about a thread is one.
func requireNote(t failer, s store.Store, subject string, note audit.Note) {
	t.Helper()
	page, err := s.AuditEntries(ctx(), subject, 0, 1)
	if err != nil || len(page) != 1 {
		t.Fatalf("AuditEntries(%q): %v, %v", subject, page, err)
	}
	if e := page[0]; e.Subject != subject || e.Action != note.Action || e.Outcome != note.Outcome {
		t.Fatalf("the newest entry about %s is %+v, want %+v", subject, e, note)
	}
}

func testAudit(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	note := func(subject string, i int) {
		t.Helper()
		n := audit.Note{Subject: subject, Action: audit.ActionDelete, Outcome: "deleted", Detail: audit.Detail{"reason": "ä \u0000 <&>", "i": i}}
		if err := s.Audit(t.Context(), n, at(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := requireUnbroken(t, s); n != 0 {
		t.Errorf("%d entries of nothing", n)
	}
	subjects := []string{"dead-letter:1", "dead-letter:10", "dead-letter:2", "B", "a", "é"}
	var want []audit.Entry
	heads := make(map[string]audit.Head)
	for i := range 20 {
		subject := subjects[i*i%len(subjects)]
		note(subject, i)
		head := heads[subject]
		want = append(want, head.Append(audit.Note{
			Subject: subject, Action: audit.ActionDelete, Outcome: "deleted", Detail: audit.Detail{"reason": "ä \u0000 <&>", "i": i},
		}, at(i)))
		heads[subject] = head
	}
	slices.Reverse(want)
	requireEqual(t, "ends", auditHeads(t, s), heads)
	if n := requireUnbroken(t, s); n != 20 {
		t.Errorf("%d entries, want 20", n)
	}

	noID := cmpopts.IgnoreFields(audit.Entry{}, "ID")
	for _, subject := range append(subjects, "", "nobody") {
		about := slices.DeleteFunc(slices.Clone(want), func(e audit.Entry) bool { return subject != "" && e.Subject != subject })
		for _, limit := range []int{1, 4, 100} {
			requireEqual(t, fmt.Sprintf("about %q, %d a page", subject, limit), auditEntries(t, s, subject, limit), about, noID)
		}
	}
}

// auditEntries reads all pages, newest first.
func auditEntries(t failer, s store.Store, subject string, limit int) (all []audit.Entry) {
	t.Helper()
	before := int64(0)
	for {
		page, err := s.AuditEntries(ctx(), subject, before, limit)
		if err != nil {
			t.Fatalf("AuditEntries(%q, %d): %v", subject, before, err)
		}
		for _, e := range page {
			if e.ID <= 0 || before != 0 && e.ID >= before {
				t.Fatalf("entry %d follows %d", e.ID, before)
			}
			before = e.ID
		}
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
	}
}

// testAuditChains is about the entries that are written together with what they record.
func testAuditChains(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	accept(t, s, updated("t", 1, message("m", 1)), split("child", "t", 2, message("m", 1)), updated("t", 0))
	accept(t, s, updated("t", 1, message("m", 1)))
	for _, w := range claim(t, s, 10, time.Hour) {
		push := done(&w)
		push.Notes = append(push.Notes, audit.Note{Subject: "whatever", Action: audit.ActionConflict, Outcome: "merged", Detail: audit.Detail{"kept": 1}})
		record(t, s, push)
	}
	wake(t, s, "t", 0)
	if err := s.Audit(t.Context(), audit.Note{Subject: "dead-letter:7", Action: audit.ActionDelete, Outcome: "deleted"}, at(1)); err != nil {
		t.Fatal(err)
	}
	told := make(map[string][]string)
	for _, e := range auditChains(t, s) {
		told[e.Subject] = append(told[e.Subject], string(e.Action)+" "+e.Outcome)
		if strings.Contains(e.Detail, "text of") {
			t.Errorf("the audit tells a text: %s", e.Detail)
		}
	}
	requireEqual(t, "chains", told, map[string][]string{
		"t":             {"event accepted", "event accepted", "push acknowledged", "conflict merged", "replay woken"},
		"child":         {"event accepted", "push acknowledged", "conflict merged"},
		"dead-letter:7": {"delete deleted"},
	})
	requireUnbroken(t, s)
	requireEqual(t, "end of the chain in the row", readThread(t, s, "t").Audit, auditHeads(t, s)["t"])
	requireEqual(t, "subjects", slices.Sorted(maps.Keys(auditHeads(t, s))), []string{"child", "dead-letter:7", "t"})
}

// testAuditSubjects is about threads whose ids are the names of other chains.
func testAuditSubjects(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	others := []string{"alarm:slow-carrier:X", "dead-letter:7", "erasure", "message:1", "message:2"}
	for _, name := range others {
		if err := s.Audit(t.Context(), audit.Note{Subject: name, Action: audit.ActionDelete, Outcome: "deleted"}, at(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Raise(t.Context(), store.Alarm{Name: store.SlowCarrier, Subject: "X", Raised: at(2)}); err != nil {
		t.Fatal(err)
	}
	threads := append([]string{"a", "erasures", "t", "z", "thread:erasure", "thread:t"}, others...)
	for _, id := range threads {
		accept(t, s, updated(id, 1, message("m", 1)))
	}
	for _, w := range claim(t, s, 100, time.Hour) {
		record(t, s, done(&w))
	}
	wake(t, s, "message:1", 0)

	// A thread has an event and a push in its chain, and one has the wake.
	if n, want := requireUnbroken(t, s), int64(len(others)+1+2*len(threads)+1); n != want {
		t.Errorf("%d entries, want %d", n, want)
	}
	heads := auditHeads(t, s)
	for _, id := range threads {
		requireEqual(t, "end of the chain of the thread "+id, heads[audit.ThreadSubject(id)], readThread(t, s, id).Audit)
	}
	pushed := audit.Note{Action: audit.ActionPush, Outcome: "acknowledged"}
	for subject, newest := range map[string]audit.Note{
		"message:1":        {Action: audit.ActionDelete, Outcome: "deleted"},
		"thread:message:1": replayNote, "t": pushed, "thread:thread:t": pushed, "erasures": pushed,
		"thread:erasure": pushed, "thread:thread:erasure": pushed,
	} {
		requireNote(t, s, subject, newest)
	}
}
