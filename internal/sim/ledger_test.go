package sim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
)

func receipt(id string, step int, status string, at time.Time) sim.Receipt {
	return sim.Receipt{MessageID: id, Step: step, Status: status, At: at, Region: "US", Carrier: "ATT"}
}

func TestLedger(t *testing.T) {
	later := start.Add(time.Minute)
	late := receipt("a", 0, "PENDING", start)
	late.Carrier = ""
	bad := receipt("b", 1, "FAILED", later)
	bad.BadSender, bad.Carrier = true, ""
	l := sim.NewLedger()
	for _, p := range []sim.Post{
		{Kind: sim.Delivered, Receipts: []sim.Receipt{receipt("a", 1, "DELIVERED", later)}},
		{Kind: sim.Late, Receipts: []sim.Receipt{late}},
		{Kind: sim.Repeat, Receipts: []sim.Receipt{late}},
		{Kind: sim.Array, Receipts: []sim.Receipt{bad, receipt("c", 0, "PENDING", start)}, Invalid: 1},
		{Kind: sim.Malformed},
		{Kind: sim.Invalid, Invalid: 1},
	} {
		l.Record(p)
	}
	states := map[string]sim.State{
		"a": {Status: "DELIVERED", Carrier: "ATT", Region: "US", Receipts: 2},
		"b": {Status: "FAILED", Carrier: "UNKNOWN", Region: "US", BadSender: true, Receipts: 1},
		"c": {Status: "PENDING", Carrier: "ATT", Region: "US", Receipts: 1},
	}
	if diff := cmp.Diff(states, l.Expected()); diff != "" {
		t.Error(diff)
	}
	totals := sim.Totals{
		Messages: 3, Receipts: 4, Repeats: 1,
		ByStatus: map[string]int{"DELIVERED": 1, "FAILED": 1, "PENDING": 1},
		ByCarrier: map[string]map[string]int{
			"ATT": {"DELIVERED": 1, "PENDING": 1}, "UNKNOWN": {"FAILED": 1},
		},
		Refused: sim.Refused{Malformed: 1, Invalid: 2},
	}
	if diff := cmp.Diff(totals, l.Totals()); diff != "" {
		t.Error(diff)
	}
}

// The ledger and the domain come to the same states, each by its own way, wherever the stream is
// cut off and in whatever order it is told.
func TestLedgerAgreesWithTheDomain(t *testing.T) {
	posts := stream(5, 2000)
	for _, cut := range []int{100, 1500, len(posts)} {
		told := posts[:cut]
		rand.New(rand.NewPCG(uint64(cut), 0)).Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
		ledger := sim.NewLedger()
		messages := make(map[string]*sms.Message)
		receipts := make(map[string]map[sms.Key]bool)
		for _, p := range told {
			ledger.Record(p)
			for _, r := range read(t, p) {
				if messages[r.MessageID] == nil {
					messages[r.MessageID], receipts[r.MessageID] = new(sms.Message), make(map[sms.Key]bool)
				}
				messages[r.MessageID].Fold(r)
				receipts[r.MessageID][r.Key()] = true
			}
		}
		judge := sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "ZZ"}
		got := make(map[string]sim.State)
		for id, m := range messages {
			judge.Settle(m)
			got[id] = sim.State{
				Status: m.Status.String(), Carrier: m.Carrier, Region: m.Region,
				BadSender: m.Compliance == sms.Violation, Receipts: len(receipts[id]),
			}
		}
		for id, want := range ledger.Expected() {
			if got[id] != want {
				t.Errorf("after %d posts %s is %+v, want %+v", cut, id, got[id], want)
			}
			delete(got, id)
		}
		if len(got) > 0 {
			t.Errorf("after %d posts the ledger does not know %v", cut, got)
		}
	}
}

// A sample is bounded, has all of what it has, and is the same in any order.
func TestSample(t *testing.T) {
	posts := stream(8, 2000)
	whole, sample, again := sim.NewLedger(), sim.NewSample(100), sim.NewSample(100)
	for _, p := range posts {
		whole.Record(p)
		sample.Record(p)
	}
	rand.New(rand.NewPCG(8, 8)).Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
	for _, p := range posts {
		again.Record(p)
	}
	all, some := whole.Expected(), sample.Expected()
	if len(some) < 20 || len(some) > 100 || len(all) < 400 {
		t.Errorf("%d of %d messages", len(some), len(all))
	}
	for id, state := range some {
		if state != all[id] {
			t.Errorf("%s is %+v, want %+v", id, state, all[id])
		}
	}
	if diff := cmp.Diff(some, again.Expected()); diff != "" {
		t.Errorf("in another order: %s", diff)
	}
}

func TestLedgerInDoubt(t *testing.T) {
	l := sim.NewLedger()
	l.Record(sim.Post{Receipts: []sim.Receipt{receipt("a", 0, "PENDING", start), receipt("b", 0, "PENDING", start)}})
	l.Doubt(sim.Post{Receipts: []sim.Receipt{receipt("b", 1, "FAILED", start), receipt("c", 1, "FAILED", start)}})
	l.Record(sim.Post{Receipts: []sim.Receipt{receipt("c", 0, "PENDING", start)}})
	want := map[string]sim.State{"a": {Status: "PENDING", Carrier: "ATT", Region: "US", Receipts: 1}}
	if diff := cmp.Diff(want, l.Expected()); diff != "" {
		t.Error(diff)
	}
}
