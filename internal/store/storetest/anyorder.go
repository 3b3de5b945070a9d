package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// testAnyOrder is the law that every permutation, repetition and batching of the same receipts
// ends in the same rows.
func testAnyOrder(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	world := 0
	rapid.Check(t, func(t *rapid.T) {
		world++
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *sms.Receipt { return drawReceipt(t, world) }), 1, 12).Draw(t, "receipts")
		byMessage := make(map[string][]*sms.Receipt)
		for _, r := range all {
			byMessage[r.MessageID] = append(byMessage[r.MessageID], r)
		}
		known := make(map[sms.Key]bool)
		arriving := rapid.Permutation(append(slices.Clone(all), all[:len(all)/2]...)).Draw(t, "arriving")
		for len(arriving) > 0 {
			size := rapid.IntRange(1, len(arriving)).Draw(t, "batch")
			duplicates := commit(t, s, receipts(arriving[:size]...)...)
			for i, r := range arriving[:size] {
				if duplicates[i] != known[r.Key()] {
					t.Fatalf("duplicate = %v of %+v", duplicates[i], r)
				}
				known[r.Key()] = true
			}
			arriving = arriving[size:]
		}
		for id, all := range byMessage {
			m, history := read(t, s, id)
			requireEqual(t, "message "+id, m, folded(all...))
			requireEqual(t, "history of "+id, history, pasts(all))
		}
	})
}

func drawReceipt(t *rapid.T, world int) *sms.Receipt {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	moments := []time.Time{{}, at(0), at(0).Add(time.Microsecond), at(60)}
	r := &sms.Receipt{
		MessageID: fmt.Sprintf("%d/%s", world, pick("id", "a", "b", "c")),
		Status:    sms.Status(rapid.IntRange(int(sms.Pending), int(sms.Delivered)).Draw(t, "status")),
		At:        rapid.SampledFrom(moments).Draw(t, "at"),
		Carrier:   pick("carrier", "", "", "X", sms.UnknownCarrier),
		ErrorCode: pick("error", "", "000", "012"),
		SenderID:  pick("sender", "", "ACME"),
		Recipient: pick("recipient", "", "+14155550123", "12345"),
		Region:    pick("region", "", "", "GB", "IN"),
		Segments:  rapid.IntRange(0, 2).Draw(t, "segments"),
		Submitted: rapid.SampledFrom(moments).Draw(t, "submitted"),
		Cost:      pick("cost", "", "0.0075", "0.00750"),
		Received:  at(rapid.IntRange(0, 3).Draw(t, "received")),
	}
	if r.Cost != "" {
		r.Currency = pick("currency", "", "USD")
	}
	if r.Recipient == "+14155550123" {
		r.RecipientRegion = "US"
	}
	// The bytes decide between two versions of a receipt. Collations and UTF-16 order some of these
	// differently.
	r.RawStatus = pick("raw status", "a", "B", "é", "\uff9f", "\U0001f600")
	r.Raw = []byte(`{"status":"` + r.RawStatus + pick("raw", `"}`, `" }`, `","x":1}`))
	return r
}

// pasts is what a history is by definition: each receipt once, the join of its versions, in the
// order in which they reached us.
func pasts(receipts []*sms.Receipt) []sms.PastReceipt {
	byKey := make(map[sms.Key]sms.PastReceipt)
	for _, r := range receipts {
		past := r.Past()
		if known, again := byKey[past.Key]; again {
			past = past.Join(known)
		}
		byKey[past.Key] = past
	}
	return slices.SortedFunc(maps.Values(byKey), func(a, b sms.PastReceipt) int {
		if c := a.Received.Compare(b.Received); c != 0 {
			return c
		}
		return bytes.Compare(a.Key[:], b.Key[:])
	})
}
