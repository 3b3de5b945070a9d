package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func testTally(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	tallies, err := s.Tally(t.Context())
	if err != nil || len(tallies) != 0 {
		t.Fatalf("Tally of nothing: %v, %v", tallies, err)
	}
	draw := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[draw.IntN(len(values))] }
	byMessage := make(map[string][]*sms.Receipt)
	for range 400 {
		id := fmt.Sprintf("m%d", draw.IntN(150))
		r := receipt(id, sms.Status(1+draw.IntN(6)), at(draw.IntN(100)), at(0))
		r.Carrier, r.Region, r.SenderID = pick("", "A", "B"), pick("", "US", "GB", "IN", "ZZ"), pick("", "ACME", "+14155550123")
		byMessage[id] = append(byMessage[id], r)
	}
	for _, all := range byMessage {
		commit(t, s, receipts(all...)...)
	}
	want := make(map[store.Tally]int64)
	for _, all := range byMessage {
		m := folded(all...)
		want[store.Tally{Carrier: m.Carrier, Region: m.Region, Status: m.Status, Compliance: m.Compliance}]++
	}
	if tallies, err = s.Tally(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(map[store.Tally]int64)
	for _, tally := range tallies {
		count := tally.Messages
		tally.Messages = 0
		if got[tally] != 0 {
			t.Errorf("%+v is told twice", tally)
		}
		got[tally] = count
	}
	requireEqual(t, "tally", got, want)
}
