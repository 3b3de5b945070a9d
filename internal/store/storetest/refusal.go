package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// testRefusal commits data that no decoder lets through and no database accepts.
func testRefusal(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	known := receipt("known", sms.Pending, at(0), at(1))
	commit(t, s, receipts(known)...)
	poisoned := func(change func(r *sms.Receipt)) store.Entry {
		r := receipt("poison", sms.Delivered, at(0), at(1))
		change(r)
		return store.Entry{Receipt: r}
	}
	reason := letter("poison", "bad\x00", "poison")
	for name, poison := range map[string]store.Entry{
		"NUL in a column":        poisoned(func(r *sms.Receipt) { r.Carrier = "a\x00b" }),
		"NUL in the id":          poisoned(func(r *sms.Receipt) { r.MessageID = "poison\x00" }),
		"not UTF-8":              poisoned(func(r *sms.Receipt) { r.SenderID = "\xff" }),
		"body that is not UTF-8": poisoned(func(r *sms.Receipt) { r.Raw = []byte("{\"a\":\"\xff\"}") }),
		"year before 0":          poisoned(func(r *sms.Receipt) { r.Submitted = time.Date(-1, 6, 1, 0, 0, 0, 0, time.UTC) }),
		"year of five digits":    poisoned(func(r *sms.Receipt) { r.At = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"NUL in a reason":        {DeadLetter: reason},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := receipt("neighbour", sms.Delivered, at(0), at(1))
			displacing := receipt("known", sms.Delivered, at(2), at(3))
			entries := []store.Entry{{Receipt: fresh}, poison, {Receipt: displacing}, {DeadLetter: letter("x", "bad", "neighbour")}}
			if _, err := s.Commit(t.Context(), batchOf(entries)); !errors.Is(err, store.ErrRefused) || errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("Commit: %v, want ErrRefused", err)
			}
			if _, _, err := s.Message(t.Context(), "neighbour"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("a neighbour of the refused entry: %v, want ErrNotFound", err)
			}
			m, history := read(t, s, "known")
			requireEqual(t, "known message", m, folded(known))
			requireEqual(t, "known history", history, []sms.PastReceipt{known.Past()})
			if left := list(t, s, 0, 10); len(left) != 0 {
				t.Errorf("dead letters of a refused batch: %+v", left)
			}
		})
	}
	t.Run("TheRestIsTaken", func(t *testing.T) {
		requireEqual(t, "duplicates", commit(t, s, receipts(receipt("neighbour", sms.Delivered, at(0), at(1)))...), []bool{false})
	})
}
