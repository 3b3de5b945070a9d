package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func testCommit(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)

	t.Run("Empty", func(t *testing.T) { requireEqual(t, "duplicates", commit(t, s), []bool{}) })

	t.Run("Fresh", func(t *testing.T) {
		r := receipt("fresh", sms.Pending, at(0), at(1))
		requireEqual(t, "duplicates", commit(t, s, receipts(r)...), []bool{false})
		m, history := read(t, s, "fresh")
		requireEqual(t, "message", m, folded(r))
		requireEqual(t, "history", history, []sms.PastReceipt{r.Past()})
	})

	t.Run("DuplicateInTheSameBatch", func(t *testing.T) {
		r := receipt("same", sms.Delivered, at(0), at(1))
		requireEqual(t, "duplicates", commit(t, s, receipts(r, r, r)...), []bool{false, true, true})
		_, history := read(t, s, "same")
		requireEqual(t, "history", history, []sms.PastReceipt{r.Past()})
	})

	t.Run("DuplicateInAnotherBatch", func(t *testing.T) {
		r := receipt("other", sms.Delivered, at(0), at(1))
		commit(t, s, receipts(r)...)
		later := *r
		later.Received = at(100)
		requireEqual(t, "duplicates", commit(t, s, receipts(&later)...), []bool{true})
		m, history := read(t, s, "other")
		requireEqual(t, "message", m, folded(r))
		requireEqual(t, "history", history, []sms.PastReceipt{r.Past()})
	})

	t.Run("DuplicateOfTheHistory", func(t *testing.T) {
		pending, delivered := receipt("past", sms.Pending, at(0), at(1)), receipt("past", sms.Delivered, at(2), at(3))
		commit(t, s, receipts(pending)...)
		commit(t, s, receipts(delivered)...)
		requireEqual(t, "duplicates", commit(t, s, receipts(pending, pending, delivered)...), []bool{true, true, true})
		_, history := read(t, s, "past")
		requireEqual(t, "history", history, []sms.PastReceipt{pending.Past(), delivered.Past()})
	})

	t.Run("DisplacedWithinABatch", func(t *testing.T) {
		first, second, third := receipt("chain", sms.Pending, at(0), at(1)), receipt("chain", sms.Unknown, at(1), at(2)), receipt("chain", sms.Failed, at(2), at(3))
		requireEqual(t, "duplicates", commit(t, s, receipts(first, second, first, third, second)...), []bool{false, false, true, false, true})
		m, history := read(t, s, "chain")
		requireEqual(t, "message", m, folded(first, second, third))
		requireEqual(t, "history", history, []sms.PastReceipt{first.Past(), second.Past(), third.Past()})
	})

	t.Run("LatePendingChangesNoState", func(t *testing.T) {
		delivered, pending := receipt("late", sms.Delivered, at(0), at(1)), receipt("late", sms.Pending, at(50), at(51))
		commit(t, s, receipts(delivered)...)
		requireEqual(t, "duplicates", commit(t, s, receipts(pending)...), []bool{false})
		m, history := read(t, s, "late")
		requireEqual(t, "message", m, folded(delivered, pending))
		requireEqual(t, "history", history, []sms.PastReceipt{delivered.Past(), pending.Past()})
	})

	t.Run("WithoutEventTime", func(t *testing.T) {
		timed := receipt("timeless", sms.Failed, at(0), at(1))
		bare, other := *timed, *timed
		bare.At, other.At = time.Time{}, time.Time{}
		other.ErrorCode = "012"
		requireEqual(t, "duplicates", commit(t, s, receipts(&bare, &other, &bare)...), []bool{false, false, true})
		requireEqual(t, "duplicates", commit(t, s, receipts(&other, timed, &bare)...), []bool{true, false, true})
		m, history := read(t, s, "timeless")
		requireEqual(t, "message", m, folded(&bare, &other, timed))
		if !m.StatusAt.Equal(timed.At) {
			t.Errorf("status_at = %v: a receipt with a time is above one without", m.StatusAt)
		}
		if len(history) != 3 {
			t.Errorf("%d receipts in the history, want 3", len(history))
		}
	})

	t.Run("OneReceiptInTwoVersions", func(t *testing.T) {
		short, long := receipt("versions", sms.Delivered, at(0), at(2)), receipt("versions", sms.Delivered, at(0), at(5))
		long.Raw, long.Carrier = []byte(`{"messageId":"versions", "status":"DELIVRD"}`), "X"
		requireEqual(t, "duplicates", commit(t, s, receipts(short)...), []bool{false})
		requireEqual(t, "duplicates", commit(t, s, receipts(long)...), []bool{true})
		m, history := read(t, s, "versions")
		requireEqual(t, "message", m, folded(long, short))
		if m.Carrier != "X" || len(history) != 1 {
			t.Errorf("carrier %q and %d receipts; want X and 1", m.Carrier, len(history))
		}
	})

	t.Run("FirstSeenIsTheEarliest", func(t *testing.T) {
		late, early := receipt("spooled", sms.Delivered, at(9), at(10)), receipt("spooled", sms.Pending, at(1), at(2))
		commit(t, s, receipts(late)...)
		commit(t, s, receipts(early)...)
		m, _ := read(t, s, "spooled")
		if !m.FirstSeen.Equal(at(2)) || !m.Received.Equal(at(10)) {
			t.Errorf("first seen %v, received %v; want %v and %v", m.FirstSeen, m.Received, at(2), at(10))
		}
	})

	t.Run("UpdatedOnlyByAChange", func(t *testing.T) {
		r := receipt("updated", sms.Delivered, at(0), at(1))
		commit(t, s, receipts(r)...)
		again := batchOf(receipts(r))
		again.Now = at(7200)
		if _, err := s.Commit(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if m, _ := read(t, s, "updated"); !m.Updated.Equal(at(3600)) {
			t.Errorf("updated_at = %v after a duplicate, want %v", m.Updated, at(3600))
		}
		named := *r
		named.At, named.Carrier = at(-1), "X"
		again.Entries = receipts(&named)
		if _, err := s.Commit(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if m, _ := read(t, s, "updated"); !m.Updated.Equal(at(7200)) || m.Carrier != "X" {
			t.Errorf("updated_at = %v, carrier %q; want %v, X", m.Updated, m.Carrier, at(7200))
		}
	})

	t.Run("MixedEntries", func(t *testing.T) {
		a, b := receipt("mixed-a", sms.Pending, at(0), at(1)), receipt("mixed-b", sms.Delivered, at(0), at(1))
		refused := store.Entry{DeadLetter: letter("mixed", "no status", `{"messageId":"mixed"}`)}
		entries := []store.Entry{{Receipt: b}, refused, {Receipt: a}, refused, {Receipt: b}}
		requireEqual(t, "duplicates", commit(t, s, entries...), []bool{false, false, false, true, true})
		for _, r := range []*sms.Receipt{a, b} {
			m, _ := read(t, s, r.MessageID)
			requireEqual(t, "message", m, folded(r))
		}
	})

	t.Run("LargeBatch", func(t *testing.T) {
		var all []*sms.Receipt
		for i := range 5000 {
			all = append(all, receipt(fmt.Sprintf("large-%d", i%4000), sms.Delivered, at(0), at(1)))
		}
		for i, duplicate := range commit(t, s, receipts(all...)...) {
			if duplicate != (i >= 4000) {
				t.Fatalf("entry %d: duplicate = %v", i, duplicate)
			}
		}
		m, _ := read(t, s, "large-3999")
		requireEqual(t, "message", m, folded(all[3999]))
	})
}
