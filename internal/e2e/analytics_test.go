package e2e_test

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// delivery is an answer of GET /analytics/delivery.
type delivery struct {
	TotalMessages, Receipts, Throughput int64

	SLACompliance *float64

	Series []struct{ TotalMessages, Receipts int64 }
}

func (p *process) delivery(t testing.TB, query string) (d delivery) {
	t.Helper()
	if status := p.call(t, http.MethodGet, "/analytics/delivery?"+query, viewerToken, &d); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	return d
}

// batch is an array of receipts, of which some are of the same messages as others before.
func batch(draw *rand.Rand, sender string) (body string, receipts int64) {
	receipts = 1 + draw.Int64N(20)
	var items []string
	for range receipts {
		items = append(items, fmt.Sprintf(`{"messageId":"%s-%d","status":%q,"carrier":%q,"to":"+12025550142"}`, sender, draw.IntN(200),
			[]string{"SENT", "DELIVERED", "FAILED", "odd"}[draw.IntN(4)], []string{"ATT", "VODAFONE"}[draw.IntN(2)]))
	}
	return "[" + strings.Join(items, ",") + "]", receipts
}

// Whoever asks after an answer finds everything counted that it acknowledged, whatever is asked.
func TestAnalyticsAfterEachAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings.with(settings{"SLA_MS": "60000"}))
		draw, start, receipts := rand.New(rand.NewPCG(1, 2)), time.Now(), int64(0)
		for range 25 {
			body, n := batch(draw, "m")
			p.post(t, http.StatusOK, body)
			receipts += n
			d := p.delivery(t, "window=1h&step=1m")
			messages := int64(s.count(t, "SELECT count(*) FROM sms_messages"))
			if d.TotalMessages != messages || d.Receipts != receipts || d.SLACompliance == nil || *d.SLACompliance != 100 {
				t.Errorf("%+v, want %d messages and %d receipts", d, messages, receipts)
			}
			if d.Throughput != receipts && time.Since(start) < 50*time.Second {
				t.Errorf("a throughput of %d, want %d", d.Throughput, receipts)
			}
			var all delivery
			for _, point := range d.Series {
				all.TotalMessages, all.Receipts = all.TotalMessages+point.TotalMessages, all.Receipts+point.Receipts
			}
			if all.TotalMessages != messages || all.Receipts != receipts {
				t.Errorf("the points have %+v together, want %d messages and %d receipts", all, messages, receipts)
			}
			s.wantCounted(t, p)
			p.wantExported(t, d.TotalMessages)
			p.wantProcessed(t, receipts)
		}
	})
}

// wantExported wants a number of messages in the CSV.
func (p *process) wantExported(t *testing.T, messages int64) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(p.text(t, "/analytics/delivery?window=1h&format=csv"))).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("%v: %q", err, rows)
	}
	for i, name := range rows[0] {
		if name != "totalMessages" {
			continue
		}
		for _, row := range rows[1:] {
			n, err := strconv.ParseInt(row[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			messages -= n
		}
	}
	if messages != 0 {
		t.Errorf("the export lacks %d messages: %q", messages, rows)
	}
}

// wantProcessed wants a number of events in the figures since the start.
func (p *process) wantProcessed(t *testing.T, events int64) {
	t.Helper()
	var figures struct{ TotalProcessed int64 }
	if status := p.call(t, http.MethodGet, "/api/metrics", viewerToken, &figures); status != http.StatusOK || figures.TotalProcessed != events {
		t.Errorf("status %d, %d events, want %d", status, figures.TotalProcessed, events)
	}
}

// While others send and ask, no answer lacks a receipt that was acknowledged, and none counts one twice.
func TestAnalyticsMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		var sent, acknowledged atomic.Int64
		var senders sync.WaitGroup
		for i := range uint64(4) {
			senders.Go(func() {
				draw := rand.New(rand.NewPCG(3, i))
				for range 60 {
					body, n := batch(draw, fmt.Sprint("m", i))
					sent.Add(n)
					if a, err := p.send(body, byDefault); err != nil || a.Status != http.StatusOK {
						t.Errorf("%v: %+v", err, a)
						return
					}
					acknowledged.Add(n)
				}
			})
		}
		finished := make(chan struct{})
		go func() { senders.Wait(); close(finished) }()
		for isOver := false; !isOver; {
			select {
			case <-finished:
				isOver = true
			default:
			}
			least := acknowledged.Load()
			d := p.delivery(t, "window=1h")
			if most := sent.Load(); d.Receipts < least || d.Receipts > most {
				t.Errorf("%d receipts, want from %d to %d", d.Receipts, least, most)
			}
		}
		s.wantCounted(t, p)
		if d := p.delivery(t, "window=1h"); d.Receipts != sent.Load() {
			t.Errorf("%d receipts, want %d", d.Receipts, sent.Load())
		}
	})
}

// Another replica has all messages at once, and how long the receipts took a moment later.
func TestAnalyticsOfAnotherReplica(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	first, second := serveTwo(t, s)
	draw, receipts := rand.New(rand.NewPCG(5, 6)), int64(0)
	for range 20 {
		body, n := batch(draw, "m")
		first.post(t, http.StatusOK, body)
		receipts += n
		s.wantCounted(t, second)
	}
	if d := first.delivery(t, "window=1h"); d.Receipts != receipts {
		t.Errorf("%d receipts, want %d", d.Receipts, receipts)
	}
	body, n := batch(draw, "last")
	first.post(t, http.StatusOK, body)
	start := time.Now()
	eventually(t, "the other replica has all receipts", func() bool { return second.delivery(t, "window=1h").Receipts == receipts+n })
	t.Logf("after %v", time.Since(start))
}
