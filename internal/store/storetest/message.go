package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func testMessage(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)

	t.Run("NotFound", func(t *testing.T) {
		commit(t, s, receipts(receipt("known", sms.Pending, at(0), at(1)))...)
		for _, id := range []string{"", "unknown", "KNOWN", "known ", "know%", "00known"} {
			if _, _, err := s.Message(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Message(%q): %v, want ErrNotFound", id, err)
			}
		}
	})

	t.Run("IDsStayApart", func(t *testing.T) {
		ids := []string{"7", "007", "7.0", "0x7", "a", "A", "é", "e\u0301", "1e1", "10", " 7", "7 ", `"`, `\`, "<&>\u2028", "%", "null"}
		for _, id := range ids {
			r := receipt(id, sms.Pending, at(0), at(1))
			r.Raw = []byte("{}")
			requireEqual(t, "duplicates", commit(t, s, receipts(r)...), []bool{false})
		}
		for i, id := range ids {
			r := receipt(id, sms.Delivered, at(i), at(1))
			r.Raw = []byte("{}")
			commit(t, s, receipts(r)...)
		}
		for i, id := range ids {
			m, history := read(t, s, id)
			if m.ID != id || !m.StatusAt.Equal(at(i)) || len(history) != 2 {
				t.Errorf("message %q: id %q, status at %v, %d receipts", id, m.ID, m.StatusAt, len(history))
			}
		}
	})

	t.Run("HistoryIsInTheOrderOfArrival", func(t *testing.T) {
		var want []sms.PastReceipt
		for i := range 20 {
			// The later it came, the earlier it happened; some came together.
			r := receipt("ordered", sms.Failed, at(-i), at(i/2))
			want = append(want, r.Past())
			commit(t, s, receipts(r, receipt(fmt.Sprintf("neighbour-%d", i), sms.Pending, at(0), at(0)))...)
		}
		slices.SortFunc(want, func(a, b sms.PastReceipt) int {
			if c := a.Received.Compare(b.Received); c != 0 {
				return c
			}
			return bytes.Compare(a.Key[:], b.Key[:])
		})
		_, history := read(t, s, "ordered")
		requireEqual(t, "history", history, want)
	})
}
