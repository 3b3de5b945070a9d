package sms_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

var base = time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)

// receiptsOfOneMessage draws receipts from such small domains that they often share rank, key and
// values. The recipient decides its region, as Judge.Examine has it.
func receiptsOfOneMessage() *rapid.Generator[[]*sms.Receipt] {
	return rapid.SliceOfN(rapid.Custom(drawReceipt), 1, 8)
}

func drawReceipt(t *rapid.T) *sms.Receipt {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	moments := []time.Time{{}, base, base.Add(time.Microsecond), base.Add(time.Hour)}
	r := &sms.Receipt{
		MessageID: "m1",
		Status:    rapid.SampledFrom(statuses).Draw(t, "status"),
		RawStatus: pick("raw status", "A", "B"),
		At:        rapid.SampledFrom(moments).Draw(t, "at"),
		Carrier:   pick("carrier", "", "", sms.UnknownCarrier, "X", "Y"),
		ErrorCode: pick("error", "", "", "000", "012"),
		SenderID:  pick("sender", "", "ACME", "OTHER"),
		Recipient: pick("recipient", "", "", "+14155550123", "+4915112345678", "12345"),
		Region:    pick("region", "", "", "US", "GB"),
		Segments:  rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "segments"),
		Submitted: rapid.SampledFrom(moments).Draw(t, "submitted"),
		Cost:      pick("cost", "", "0.0075", "1"),
		Received:  rapid.SampledFrom([]time.Time{base, base.Add(time.Second), base.Add(time.Minute)}).Draw(t, "received"),
	}
	if r.Cost != "" {
		r.Currency = pick("currency", "", "USD", "EUR")
	}
	r.RecipientRegion = map[string]string{"+14155550123": "US", "+4915112345678": "DE"}[r.Recipient]
	// The bytes follow from what was read out of them, and may differ where it does not.
	r.Raw = []byte(strings.Join([]string{r.Status.String(), r.RawStatus, pick("space", "", " ")}, "|"))
	return r
}

func foldAll(receipts []*sms.Receipt) *sms.Message {
	m := &sms.Message{}
	for _, r := range receipts {
		m.Fold(r)
	}
	return m
}

func clone(m *sms.Message) *sms.Message {
	c := *m
	c.Ranks = maps.Clone(m.Ranks)
	return &c
}

func requireSame(t interface{ Fatalf(string, ...any) }, what string, got, want *sms.Message) {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFoldIsIndifferentToOrderAndRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		receipts := receiptsOfOneMessage().Draw(t, "receipts")
		want := foldAll(receipts)
		shuffled := rapid.Permutation(receipts).Draw(t, "shuffled")
		requireSame(t, "another order", foldAll(shuffled), want)
		repeated := rapid.Permutation(append(slices.Clone(receipts), shuffled...)).Draw(t, "repeated")
		requireSame(t, "everything twice", foldAll(repeated), want)
	})
}

func TestFoldReportsWhetherItChangedAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &sms.Message{}
		for _, r := range receiptsOfOneMessage().Draw(t, "receipts") {
			before := clone(m)
			changed := m.Fold(r)
			if differs := !cmp.Equal(before, m, cmpopts.EquateEmpty()); changed != differs {
				t.Fatalf("Fold says changed=%v:\n%s", changed, cmp.Diff(before, m))
			}
			if m.Fold(r) {
				t.Fatalf("the same receipt again changed the message:\n%s", cmp.Diff(before, m))
			}
		}
	})
}

// A store writes the message after each batch and reads it back for the next, settled.
func TestFoldAfterSettle(t *testing.T) {
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "FR"}
	rapid.Check(t, func(t *rapid.T) {
		receipts := receiptsOfOneMessage().Draw(t, "receipts")
		want := foldAll(receipts)
		judge.Settle(want)
		got := &sms.Message{}
		for _, r := range rapid.Permutation(receipts).Draw(t, "shuffled") {
			got.Fold(r)
			if rapid.Bool().Draw(t, "end of batch") {
				judge.Settle(got)
			}
		}
		judge.Settle(got)
		requireSame(t, "settled between folds", got, want)
	})
}

func TestWinnerIsTheHighestReceipt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		receipts := receiptsOfOneMessage().Draw(t, "receipts")
		m := foldAll(receipts)
		winner := slices.MaxFunc(receipts, func(a, b *sms.Receipt) int {
			if c := compareInWords(a.Status, a.At, b.Status, b.At); c != 0 {
				return c
			}
			ka, kb := a.Key(), b.Key()
			if c := bytes.Compare(ka[:], kb[:]); c != 0 {
				return c
			}
			return bytes.Compare(a.Raw, b.Raw)
		})
		want := winner.Past()
		for _, r := range receipts {
			if r.Key() == want.Key && r.Received.Before(want.Received) {
				want.Received = r.Received
			}
		}
		if diff := cmp.Diff(want, m.Winning()); diff != "" {
			t.Fatalf("winner (-want +got):\n%s", diff)
		}
		firstSeen := slices.MinFunc(receipts, func(a, b *sms.Receipt) int { return a.Received.Compare(b.Received) }).Received
		if !m.FirstSeen.Equal(firstSeen) {
			t.Fatalf("first seen %v, want %v", m.FirstSeen, firstSeen)
		}
	})
}

func TestJoinIsIndifferentToOrderAndRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() sms.PastReceipt {
			r := drawReceipt(t)
			r.Status, r.At = sms.Failed, base
			r.Raw = []byte(r.RawStatus + string(r.Raw))
			return r.Past()
		}
		a, b, c := draw(), draw(), draw()
		for what, pair := range map[string][2]sms.PastReceipt{
			"commutes": {a.Join(b), b.Join(a)}, "associates": {a.Join(b).Join(c), a.Join(b.Join(c))}, "repeats": {a.Join(a), a},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Fatalf("%s:\n%s", what, diff)
			}
		}
	})
}

// highest is the definition of a column: the value of the highest receipt that names it, and of
// receipts of one rank the greatest value.
func highest[V any](receipts []*sms.Receipt, value func(*sms.Receipt) (V, bool), compare func(a, b V) int) (best V, rank sms.Rank, named bool) {
	for _, r := range receipts {
		v, ok := value(r)
		if !ok {
			continue
		}
		if !named || r.Rank() > rank || r.Rank() == rank && compare(v, best) > 0 {
			best, rank, named = v, r.Rank(), true
		}
	}
	return best, rank, named
}

func TestEveryColumnIsOfTheHighestReceiptThatNamesIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		receipts := receiptsOfOneMessage().Draw(t, "receipts")
		m := foldAll(receipts)
		ranks := make(sms.Ranks)
		winning := sms.RankOf(m.Status, m.StatusAt)
		column := func(name, empty, got string, value func(r *sms.Receipt) string) {
			want, rank, named := highest(receipts, func(r *sms.Receipt) (string, bool) { v := value(r); return v, v != "" }, strings.Compare)
			if !named {
				want = empty
			}
			if got != want {
				t.Fatalf("%s = %q, want %q", name, got, want)
			}
			if named && rank != winning {
				ranks[name] = rank
			}
		}
		column("carrier_code", sms.UnknownCarrier, m.Carrier, func(r *sms.Receipt) string {
			if r.Carrier == sms.UnknownCarrier {
				return ""
			}
			return r.Carrier
		})
		column("error_code", "", m.ErrorCode, func(r *sms.Receipt) string { return r.ErrorCode })
		column("sender_id", "", m.SenderID, func(r *sms.Receipt) string { return r.SenderID })
		column("recipient", "", m.Recipient, func(r *sms.Receipt) string { return r.Recipient })
		column("segments", "", digit(m.Segments), func(r *sms.Receipt) string { return digit(r.Segments) })
		column("submitted_at", "", moment(m.Submitted), func(r *sms.Receipt) string { return moment(r.Submitted) })
		column("cost", "", price(m.Cost, m.Currency), func(r *sms.Receipt) string { return price(r.Cost, r.Currency) })
		checkRegion(t, receipts, m, ranks)
		if diff := cmp.Diff(ranks, m.Ranks, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("ranks (-want +got):\n%s", diff)
		}
	})
}

// checkRegion: a region that a payload names, else that of the recipient that the message shows.
func checkRegion(t *rapid.T, receipts []*sms.Receipt, m *sms.Message, ranks sms.Ranks) {
	want, rank, named := highest(receipts, func(r *sms.Receipt) (string, bool) { return r.Region, r.Region != "" }, strings.Compare)
	source := sms.RegionNamed
	if named && rank != sms.RankOf(m.Status, m.StatusAt) {
		ranks["region"] = rank
	}
	if !named {
		want = map[string]string{"+14155550123": "US", "+4915112345678": "DE"}[m.Recipient]
		switch {
		case want != "":
			source = sms.RegionRecipient
		case m.Recipient != "":
			source = sms.RegionDefault
		default:
			source = ""
		}
	}
	if m.Region != want || m.RegionSource != source {
		t.Fatalf("region = %q by %q, want %q by %q", m.Region, m.RegionSource, want, source)
	}
}

func digit(n int) string {
	if n == 0 {
		return ""
	}
	return string(rune('0' + n))
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format("2006-01-02T15:04:05.000000Z")
}

func price(cost, currency string) string {
	if cost == "" {
		return ""
	}
	return cost + " " + currency
}

func TestLatePendingNeverUndoesDelivered(t *testing.T) {
	delivered := &sms.Receipt{MessageID: "m1", Status: sms.Delivered, At: base, Received: base, Raw: []byte("{}")}
	for name, at := range map[string]time.Time{
		"earlier": base.Add(-time.Hour), "at the same time": base, "later": base.Add(24 * 365 * time.Hour), "at no time": {},
	} {
		late := &sms.Receipt{MessageID: "m1", Status: sms.Pending, At: at, Carrier: "X", Received: base.Add(time.Hour), Raw: []byte("{}")}
		m := foldAll([]*sms.Receipt{delivered, late})
		if m.Status != sms.Delivered || !m.StatusAt.Equal(base) {
			t.Errorf("PENDING %s: state is %v at %v", name, m.Status, m.StatusAt)
		}
		if m.Carrier != "X" {
			t.Errorf("PENDING %s: carrier is %q, want the only one that was named", name, m.Carrier)
		}
	}
}

func TestReceiptThatSaysLessErasesNothing(t *testing.T) {
	full := &sms.Receipt{
		MessageID: "m1", Status: sms.Pending, At: base, Carrier: "X", ErrorCode: "000", SenderID: "ACME",
		Recipient: "+14155550123", RecipientRegion: "US", Region: "GB", Segments: 2, Submitted: base, Cost: "0.01", Currency: "USD",
		Received: base, Raw: []byte(`{"a":1}`),
	}
	bare := &sms.Receipt{MessageID: "m1", Status: sms.Delivered, At: base.Add(time.Second), Received: base.Add(time.Minute), Raw: []byte(`{"b":1}`)}
	m := foldAll([]*sms.Receipt{full, bare})
	rank := full.Rank()
	requireSame(t, "after the bare receipt", m, &sms.Message{
		ID: "m1", Status: sms.Delivered, StatusAt: bare.At, Received: bare.Received, Raw: bare.Raw, Key: bare.Key(),
		Carrier: "X", ErrorCode: "000", SenderID: "ACME", Recipient: "+14155550123", Region: "GB", RegionSource: sms.RegionNamed,
		Segments: 2, Submitted: base, Cost: "0.01", Currency: "USD", FirstSeen: base,
		Ranks: sms.Ranks{"carrier_code": rank, "error_code": rank, "sender_id": rank, "recipient": rank, "region": rank,
			"segments": rank, "submitted_at": rank, "cost": rank},
	})
}
