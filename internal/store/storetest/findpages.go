package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func testMessagePages(t *testing.T, create func(t *testing.T) Open) {
	t.Run("Whole", func(t *testing.T) { testMessagePagesWhole(t, migrated(t, create)) })
	t.Run("Meanwhile", func(t *testing.T) { testMessagePagesMeanwhile(t, migrated(t, create)) })
}

// The pages together are the whole list, wherever it is cut: also between messages that were first seen at
// the same moment.
func testMessagePagesWhole(t *testing.T, s store.Store) {
	numbers := []string{"+4915112345678", "4915112345678", "+4915112345679", ""}
	ids := []string{"a", "B", "é", "10", "9", "a:b", "Z", "b", "", "_"}
	var all []*sms.Message
	for second := range 4 {
		var together []*sms.Receipt
		for i, id := range ids {
			// In each batch, some were first seen together, and others shortly before or after.
			received := at(second).Add(time.Duration(i%3/2) * time.Microsecond)
			r := receipt(fmt.Sprint(id, second), sms.Pending, at(0), received)
			r.Recipient = numbers[(i+second)%len(numbers)]
			together = append(together, r)
		}
		commit(t, s, receipts(together...)...)
		for _, r := range together {
			m, _ := read(t, s, r.MessageID)
			m.Raw = nil
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *sms.Message) int {
		if c := b.FirstSeen.Compare(a.FirstSeen); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	for _, limit := range []int{1, 2, 3, 7, len(all), 1000} {
		recent := messagePages(t, limit, func(after store.ItemPosition) ([]*sms.Message, error) {
			return s.RecentMessages(t.Context(), after, limit)
		})
		requireEqual(t, fmt.Sprintf("all, %d a page", limit), recent, all)
		for _, number := range append(numbers, "4915112345679", "nobody") {
			want := slices.DeleteFunc(slices.Clone(all), func(m *sms.Message) bool { return !isTo(m, number) })
			got := messagePages(t, limit, func(after store.ItemPosition) ([]*sms.Message, error) {
				return s.MessagesTo(t.Context(), number, after, limit)
			})
			requireEqual(t, fmt.Sprintf("those to %q, %d a page", number, limit), got, want)
		}
	}
}

// The list goes on where it was, even if new messages have come meanwhile and retention has deleted the one
// that the page before ended with.
func testMessagePagesMeanwhile(t *testing.T, s store.Store) {
	for second := range 6 {
		r := receipt(fmt.Sprint("m", second), sms.Pending, at(0), at(second))
		r.Recipient = number
		commit(t, s, receipts(r)...)
	}
	after := store.ItemPosition{At: at(3), ID: "m3"}
	require := func(want ...string) {
		t.Helper()
		recent, err := s.RecentMessages(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		to, err := s.MessagesTo(t.Context(), number, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		requireEqual(t, "the next page", idsOf(recent), want)
		requireEqual(t, "the next page of those to a number", idsOf(to), want)
	}
	commit(t, s, receipts(receipt("m6", sms.Pending, at(0), at(6)))...)
	require("m2", "m1")
	// A dead letter that was replayed keeps the time at which it came.
	replayed := receipt("m-replayed", sms.Pending, at(0), at(-1))
	replayed.Recipient = number
	commit(t, s, receipts(replayed)...)
	require("m2", "m1")
	// A message of that name never was, or is no more.
	after.ID = "m3a"
	require("m3", "m2")
	after = store.ItemPosition{At: at(3).Add(-time.Microsecond), ID: "gone"}
	require("m2", "m1")
	if _, err := s.Expire(t.Context(), store.ExpireMessages, at(2), "", 100); err != nil {
		t.Fatal(err)
	}
	after = store.ItemPosition{At: at(1), ID: "m1"}
	require()
	// A late receipt makes it anew, as the newest of all.
	late := receipt("m1", sms.Delivered, at(0), at(7))
	late.Recipient = number
	commit(t, s, receipts(late)...)
	require()
}

func idsOf(messages []*sms.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// messagePages reads all pages.
func messagePages(t *testing.T, limit int, page func(after store.ItemPosition) ([]*sms.Message, error)) (all []*sms.Message) {
	t.Helper()
	var after store.ItemPosition
	for {
		messages, err := page(after)
		if err != nil || len(messages) > limit {
			t.Fatalf("%d messages after %v, want %d at most: %v", len(messages), after, limit, err)
		}
		all = append(all, messages...)
		if len(messages) < limit || len(all) > 1000 {
			return all
		}
		last := messages[len(messages)-1]
		after = store.ItemPosition{At: last.FirstSeen, ID: last.ID}
	}
}
