package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func testFindMessages(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	var ids []string
	numbers := []string{"+4915112345678", "4915112345678", "+4915112345679", "", "+491511234567", "0%_", "+", "++4915112345678"}
	for i := range 40 {
		r := receipt(fmt.Sprintf("m%02d", i), sms.Pending, at(i), at(i))
		r.Recipient, r.SenderID, r.Carrier, r.Cost, r.Currency = numbers[i*i%len(numbers)], "ACME", "TWILIO", "0.01", "EUR"
		commit(t, s, receipts(r)...)
		ids = append(ids, r.MessageID)
	}
	// A message that changes later stays in its place.
	for _, id := range []string{"m00", "m17"} {
		commit(t, s, receipts(receipt(id, sms.Delivered, at(100), at(100)))...)
	}
	// The number may come later than the message.
	late := receipt("m03", sms.Delivered, at(101), at(101))
	late.Recipient = "+4917"
	commit(t, s, receipts(late)...)

	var all []*sms.Message // newest first
	for _, id := range slices.Backward(ids) {
		m, _ := read(t, s, id)
		m.Raw = nil
		all = append(all, m)
	}
	for _, limit := range []int{1, 7, 40, 1000} {
		recent, err := s.RecentMessages(t.Context(), store.ItemPosition{}, limit)
		if err != nil {
			t.Fatal(err)
		}
		requireEqual(t, fmt.Sprintf("the %d that came last", limit), recent, all[:min(limit, len(all))])
		for _, number := range append(numbers, "+4917", "4917", "+0%_", "%", "nobody", "+4915112345678 ") {
			want := slices.DeleteFunc(slices.Clone(all), func(m *sms.Message) bool { return !isTo(m, number) })
			got, err := s.MessagesTo(t.Context(), number, store.ItemPosition{}, limit)
			if err != nil {
				t.Fatal(err)
			}
			requireEqual(t, fmt.Sprintf("the last %d to %q", limit, number), got, want[:min(limit, len(want))])
		}
	}
}

func isTo(m *sms.Message, number string) bool {
	return m.Recipient != "" &&
		(m.Recipient == number || "+"+m.Recipient == number || !strings.HasPrefix(number, "+") && m.Recipient == "+"+number)
}

func testFindDeadLetters(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	kinds := []store.Kind{store.KindSMS, store.KindThread, store.KindThreadItem, store.KindThreadPush}
	words := []string{"ACME", "acme", "100%", "100 ", "a_b", "a.b", `back\slash`, "'quote'", "süß", "", "  ", "🙂"}
	for i := range 48 {
		l := letter(words[i%len(words)], "because "+words[i*i%len(words)], fmt.Sprint(i))
		l.Kind = kinds[i/3%len(kinds)]
		commit(t, s, letters(l)...)
	}
	all := list(t, s, 0, 1000)
	if len(all) != 48 {
		t.Fatalf("%d dead letters, want 48", len(all))
	}
	for i := range all {
		all[i].Raw = nil
	}
	for _, kind := range append(kinds, "", "none", "SMS", "%") {
		for _, text := range []string{"", "acme", "AcMe", "BECAUSE", "%", "_", "0%", "a_b", `\`, "'", "ß", "use  ", "🙂", "missing", "acme because"} {
			f := store.LetterFilter{Kind: kind, Text: text}
			want := slices.DeleteFunc(slices.Clone(all), func(l store.DeadLetter) bool { return !selects(f, &l) })
			for _, limit := range []int{1, 5, 1000} {
				requireEqual(t, fmt.Sprintf("%+v, %d a page", f, limit), foundLetters(t, s, f, limit), want)
				n, err := s.CountDeadLetters(t.Context(), f, limit)
				if err != nil || n != min(limit, len(want)) {
					t.Errorf("%+v: %d of %d counted, to %d at most: %v", f, n, len(want), limit, err)
				}
			}
		}
	}
}

// selects is what a filter means.
func selects(f store.LetterFilter, l *store.DeadLetter) bool {
	text := asciiLower(f.Text)
	return (f.Kind == "" || f.Kind == l.Kind) &&
		(strings.Contains(asciiLower(l.Subject), text) || strings.Contains(asciiLower(l.Reason), text))
}

func asciiLower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// foundLetters reads all pages.
func foundLetters(t failer, s store.Store, f store.LetterFilter, limit int) (all []store.DeadLetter) {
	t.Helper()
	before := int64(0)
	for {
		page, err := s.FindDeadLetters(ctx(), f, before, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("FindDeadLetters(%+v): %d letters, %v", f, len(page), err)
		}
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
		before = page[len(page)-1].ID
	}
}

func testEvents(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	timeless := updated("t", 0, message("m", 1))
	timeless.UpdatedAt = time.Time{}
	timeless = sealed(timeless)
	timeless.Received = at(50)
	older := updated("t", 3) // comes after a newer one: it is stale, and in the journal all the same
	older.Received = at(60)
	together := updated("t", 70)
	together.Received = at(60)
	accept(t, s, updated("t", 1, message("m", 1)), updated("other", 2), split("t", "other", 40), timeless, together)
	accept(t, s, older, updated("t", 1, message("m", 1)))

	var want []store.ThreadEvent
	for _, e := range []*thread.Event{together, older, timeless, split("t", "other", 40), updated("t", 1, message("m", 1))} {
		want = append(want, store.ThreadEvent{
			Type: string(e.Type), Version: e.Version, UpdatedAt: e.UpdatedAt, Received: e.Received, Raw: e.Raw, Size: int64(len(e.Raw)),
		})
	}
	for limit := 1; limit <= 6; limit++ {
		requireEqual(t, fmt.Sprintf("the last %d events", limit), journalOf(t, s, "t", limit, math.MaxInt32), want[:min(limit, len(want))])
	}
	if got := journalOf(t, s, "nobody", 10, 10); len(got) > 0 {
		t.Errorf("events of nobody: %v", got)
	}
}

// A body is cut to the length that is asked for, in bytes and not in characters.
func testEventBodies(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	e := updated("t", 1)
	e.Raw = []byte(`{"text":"` + strings.Repeat("süß🙂", 1000) + `"}`)
	accept(t, s, e)
	for _, most := range []int{0, 1, 11, 12, 14, 15, len(e.Raw) - 1, len(e.Raw), len(e.Raw) + 1} {
		got := journalOf(t, s, "t", 1, most)
		if len(got) != 1 || string(got[0].Raw) != string(e.Raw[:min(most, len(e.Raw))]) || got[0].Size != int64(len(e.Raw)) {
			t.Errorf("%d bytes at most: %d of %d: %.40q", most, len(got[0].Raw), got[0].Size, got[0].Raw)
		}
	}
}

func journalOf(t *testing.T, s store.Store, threadID string, limit, rawBytes int) []store.ThreadEvent {
	t.Helper()
	found, err := s.Events(t.Context(), threadID, limit, rawBytes)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	return found
}
