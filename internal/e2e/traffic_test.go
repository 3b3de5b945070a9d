package e2e_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// stream makes up traffic: n posts, 20 ms of its own time apart, and then the rest of what they
// began.
func stream(seed uint64, n int) []sim.Post {
	traffic := sim.NewTraffic(rand.New(rand.NewPCG(seed, 0)))
	start := time.Date(2026, 3, 1, 23, 59, 30, 0, time.UTC)
	var posts []sim.Post
	for i := range n {
		posts = append(posts, traffic.Next(start.Add(time.Duration(i)*20*time.Millisecond)))
	}
	for p, more := traffic.Rest(); more; p, more = traffic.Rest() {
		posts = append(posts, p)
	}
	return posts
}

// deliver sends posts, several at once, and wants the right answer to each. It may be called from any
// goroutine.
func deliver(t *testing.T, p *process, posts []sim.Post) sim.Events {
	t.Helper()
	sender := &sim.Sender{
		URL: p.address + "/webhooks/cxone/sms", Sign: byDefault, Client: p.client, Workers: 16,
		Answered: func(p sim.Post, a sim.Answer) {
			if a.Status != p.Answer {
				t.Errorf("a post (%s) was answered with %d (%v), want %d: %.300s", p.Kind, a.Status, a.Err, p.Answer, p.Body)
			}
		},
	}
	sender.Run(context.Background(), func() (post sim.Post, more bool) {
		if len(posts) == 0 {
			return sim.Post{}, false
		}
		post, posts = posts[0], posts[1:]
		return post, true
	})
	return sender.Counts().Events
}

// ledgerOf records what becomes of posts, however often each is sent.
func ledgerOf(posts []sim.Post) *sim.Ledger {
	ledger := sim.NewLedger()
	for _, p := range posts {
		ledger.Record(p)
	}
	return ledger
}

// checkMessages compares every row with what is expected of it.
func checkMessages(t *testing.T, s *storage, expected map[string]sim.State) {
	t.Helper()
	rows := s.messages(t)
	for id, want := range expected {
		r := rows[id]
		got := sim.State{
			Status: r.status, Carrier: r.carrier, Region: r.region, BadSender: r.compliance == "violation", Receipts: r.receipts,
		}
		if got != want {
			t.Errorf("message %s is %+v, want %+v", id, got, want)
		}
	}
	if len(rows) != len(expected) {
		t.Errorf("%d messages are stored, want %d", len(rows), len(expected))
	}
	if n := s.count(t, "SELECT count(*) - count(DISTINCT receipt_key) FROM sms_receipt_history"); n != 0 {
		t.Errorf("%d receipts are stored twice", n)
	}
}

// checkTraffic compares messages and dead letters with the ledger of what was sent.
func checkTraffic(t *testing.T, s *storage, ledger *sim.Ledger) {
	t.Helper()
	checkMessages(t, s, ledger.Expected())
	refused := ledger.Totals().Refused
	if n := s.deadLetterCount(t); n != refused.Malformed+refused.Invalid {
		t.Errorf("%d dead letters, want %+v", n, refused)
	}
}

func TestTraffic(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		posts := stream(1, 2500)
		events := deliver(t, p, posts)
		ledger := ledgerOf(posts)
		checkTraffic(t, s, ledger)
		totals := ledger.Totals()
		refused := totals.Refused.Malformed + totals.Refused.Invalid
		if events.Accepted != totals.Receipts || events.Duplicate != totals.Repeats || events.Refused != refused {
			t.Errorf("answered: %+v; want %d accepted, %d duplicate, %d refused", events, totals.Receipts, totals.Repeats, refused)
		}
		checkFigures(t, p, totals, refused)
	})
}

// checkFigures looks at what the process counts of itself.
func checkFigures(t *testing.T, p *process, totals sim.Totals, refused int) {
	t.Helper()
	var f struct {
		TotalProcessed, TotalErrors, Duplicates, DeadLetters, QueuedForRetry int
		AvgLatencyMs                                                         float64
	}
	if status := p.call(t, "GET", "/api/metrics", viewerToken, &f); status != 200 {
		t.Fatalf("status %d", status)
	}
	if f.TotalProcessed != totals.Receipts+totals.Repeats+refused || f.TotalErrors != refused ||
		f.Duplicates != totals.Repeats || f.DeadLetters != refused || f.QueuedForRetry != 0 || f.AvgLatencyMs <= 0 {
		t.Errorf("figures %+v; want %+v", f, totals)
	}
	if n := p.metric(t, "cxbridge_duplicate_events_total"); int(n) != totals.Repeats {
		t.Errorf("%v duplicates in /metrics, want %d", n, totals.Repeats)
	}
}

// Under the policy quarantine, a message with a bad sender leaves no row but dead letters.
func TestTrafficInQuarantine(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings.with(settings{"SENDER_ID_POLICY": "quarantine"}))
		posts := stream(2, 1000)
		deliver(t, p, posts)
		good, quarantined := ledgerOf(posts).Expected(), make(map[string]bool)
		for id, m := range good {
			if m.BadSender {
				quarantined[id] = true
				delete(good, id)
			}
		}
		if len(quarantined) == 0 {
			t.Fatal("the traffic has no bad senders")
		}
		checkMessages(t, s, good)
		for _, letter := range p.deadLetters(t) {
			if good[letter.Subject] != (sim.State{}) {
				t.Errorf("a dead letter of %s, which has a good sender: %s", letter.Subject, letter.Reason)
			}
			delete(quarantined, letter.Subject)
		}
		for id := range quarantined {
			t.Errorf("message %s is no dead letter", id)
		}
	})
}
