package console

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

func of(v float64) *float64 { return &v }

func slowAlarm(carrier string) store.Alarm {
	return store.Alarm{
		Name: store.SlowCarrier, Subject: carrier, Raised: time.Now(),
		Detail: audit.Detail{"timed": 100.0, "slow": 34.0, "share": 0.34, "limit": 0.1, "after": "5m0s", "window": "1h0m0s"},
	}
}

// reportWithReroute has a carrier to leave for another, and one with a name that is none.
func reportWithReroute() analytics.Report {
	to := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	fewer := int64(56)
	bad := analytics.Messages{Total: 200, Delivered: 134, Failed: 62, Pending: 4, DeliveryRate: of(67), FailureRate: of(31)}
	good := analytics.Messages{Total: 300, Delivered: 291, Failed: 9, DeliveryRate: of(97), FailureRate: of(3)}
	r := analytics.Report{
		From: to.Add(-time.Hour), To: to, Window: "1h", Throughput: 4321,
		Processing: analytics.Processing{Receipts: 987, P50LatencyMs: 3.2, P95LatencyMs: 9.7, P99LatencyMs: 18, SLACompliance: of(99.5)},
		Messages:   analytics.Messages{Total: 500, Delivered: 425, Failed: 71, Pending: 4, DeliveryRate: of(85), FailureRate: of(14.2)},
		Costs:      []analytics.Cost{{Currency: "EUR", Messages: 500, Total: 17.7, Average: 0.0354, CostPerDelivered: of(0.0416)}},
		Carriers: []analytics.Carrier{
			{Carrier: "TELEFONICA", Region: "GB", Currency: "EUR", Messages: good, TotalCost: of(9.3), AverageCost: of(0.031), CostPerDelivered: of(0.032),
				Recommendation: analytics.Recommendation{Action: analytics.Keep, FailureRateLow: 1.6, FailureRateHigh: 5.6}},
			{Carrier: "VODAFONE", Region: "GB", Currency: "EUR", Messages: bad, TotalCost: of(8.4), AverageCost: of(0.042), CostPerDelivered: of(0.0627),
				Recommendation: analytics.Recommendation{Action: analytics.Reroute, FailureRateLow: 25, FailureRateHigh: 37.7,
					Confidence: of(99.99), RouteTo: "TELEFONICA", FewerFailures: &fewer, Saving: of(0.41), SavingPerMonth: of(12.3)}},
			{Carrier: "<script>alert(1)</script>", Messages: analytics.Messages{Total: 2, Failed: 1, Delivered: 1, FailureRate: of(50), DeliveryRate: of(50)},
				Recommendation: analytics.Recommendation{Action: analytics.InsufficientData, FailureRateLow: 9.5, FailureRateHigh: 90.5}},
		},
	}
	for i := range 60 {
		r.Series = append(r.Series, analytics.Point{From: r.From.Add(time.Duration(i) * time.Minute), Messages: good, Processing: r.Processing})
	}
	return r
}

// want checks that a page has texts.
func want(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("there is no %q in\n%s", text, page)
		}
	}
}

func wantNot(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("there is a %q", text)
		}
	}
}

func TestOverview(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	b.report.Unpriced = 1234
	b.store.backlog = store.Backlog{Pending: 14, Retrying: 2, Parked: 1, Oldest: time.Now().Add(-time.Hour)}
	b.store.alarms = []store.Alarm{slowAlarm("ORANGE"), {Name: store.SlowCarrier, Subject: "WELL AGAIN", Cleared: time.Now()}}
	b.store.letters = 7
	b.figures = status.Figures{CRM: &status.CRMFigures{Breaker: "open", State: "failing", Pushes: 17}}
	b.parts["crm"] = status.Part{State: "failing", Detail: "the last requests failed"}
	page := b.get(t, "/", adminToken).Body.String()
	want(t, page,
		`id="overview-attention"`, `id="overview-figures"`, `id="overview-charts"`, `data-live="/"`,
		"4,321", "9.7 ms", "99.50 %", "85.00 %", "14.20 %", "17.70",
		"VODAFONE has a failure rate of 31 % in GB: route to TELEFONICA. About 56 fewer messages would have failed with TELEFONICA. Rerouting saves 12.30 EUR a month.",
		"/carriers?carrier=VODAFONE&amp;window=1h",
		`<span class="badge warn">Slow</span>`, "ORANGE is slow: 34 % of its messages within 1 h took longer than 5 min.",
		"1 thread is parked: the CRM refused it. Fix the cause, then replay its dead letter.", `href="/dead-letters?kind=thread-push"`,
		"2 threads are being retried", "The CRM is behind: one thread has been waiting for 1 h", `href="/threads?state=pending"`,
		"7 dead letters are waiting", `href="/dead-letters"`, "1,234 messages have no price",
		"The CRM does not work. The last requests failed. 14 threads wait.", `aria-current="page"`, "<svg", "Numbers",
	)
	wantNot(t, page, "WELL AGAIN", "All is well", "The database does not answer")
	if strings.Index(page, `badge bad`) > strings.Index(page, `badge warn`) {
		t.Error("what is worst does not come first")
	}
	if q := b.asked[0]; q.Length != time.Hour || q.Step != time.Minute {
		t.Errorf("asked %+v", q)
	}
	// Where all threads that wait are being retried, the list of pending ones would be empty.
	b.store.backlog.Retrying = b.store.backlog.Pending
	wantNot(t, b.get(t, "/", adminToken).Body.String(), `href="/threads?state=pending"`)
	// Nothing is retried without a CRM.
	b.HasCRM = false
	wantNot(t, b.get(t, "/", adminToken).Body.String(), "threads are being retried", "The CRM is behind")
	b.HasCRM = true
	// A viewer learns how many dead letters there are, and cannot go there.
	page = b.get(t, "/", viewerToken).Body.String()
	want(t, page, "7 dead letters are waiting", `href="/threads?state=parked"`)
	wantNot(t, page, `href="/dead-letters`)
}

func TestOverviewWhenAllIsWell(t *testing.T) {
	page := newBench().get(t, "/", viewerToken).Body.String()
	want(t, page, "All is well", "The charts begin once there is something to draw")
	wantNot(t, page, "badge bad", "badge warn", "tile warn", "tile bad")
}

// A CRM that is left alone, or serves nothing, is not up, though the breaker is closed.
func TestOverviewWhileTheCRMDoesNotServe(t *testing.T) {
	b := newBench()
	until := time.Date(2026, 11, 22, 18, 5, 0, 0, time.UTC)
	b.store.backlog = store.Backlog{Pending: 14, Oldest: time.Now()}
	b.parts["crm"] = status.Part{State: "paused", Until: until, Detail: "it answered 503 to the last request, and asked for a pause"}
	b.figures = status.Figures{CRM: &status.CRMFigures{Breaker: "closed", State: "paused", PausedUntil: until}}
	page := b.get(t, "/", viewerToken).Body.String()
	want(t, page, `<span class="badge warn">Paused</span>`,
		"The CRM is left alone until 18:05:00 UTC: it answered 503 to the last request, and asked for a pause. 14 threads wait.",
		`href="/threads?state=pending"`, `<span class="tile-value">Paused</span>`)
	wantNot(t, page, "All is well", `<span class="tile-value">Up</span></div>`)

	b.parts["crm"] = status.Part{State: "failing", Detail: "the last requests failed (503 to the latest); they are tried again"}
	b.figures = status.Figures{CRM: &status.CRMFigures{Breaker: "closed", State: "failing"}}
	page = b.get(t, "/", viewerToken).Body.String()
	want(t, page, `<span class="badge bad">Down</span>`,
		"The CRM does not work. The last requests failed (503 to the latest); they are tried again. 14 threads wait.", `<span class="tile-value">Failing</span>`)
	wantNot(t, page, "All is well")
}

// Without a database the overview shows what the process knows by itself.
func TestOverviewWithoutDatabase(t *testing.T) {
	b := newBench()
	b.store.err = store.ErrUnavailable
	b.parts = map[string]status.Part{"database": {State: "down", Detail: "see the log"}, "spool": {State: "holding", Detail: "77 events wait"}}
	b.figures = status.Figures{SpoolEvents: 77, CRM: &status.CRMFigures{Breaker: "closed", State: "up"}}
	for _, token := range []string{viewerToken, adminToken} {
		w := b.get(t, "/", token)
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		want(t, w.Body.String(), "The database does not answer.", "wait in the spool until it is back", "The database is down. See the log.", "The spool is holding events. 77 events wait.")
		wantNot(t, w.Body.String(), "All is well", "events and pushes that were refused") // how many there are is not known
	}
	b.unready = true
	want(t, b.get(t, "/", viewerToken).Body.String(), "Events cannot be accepted either.")
}

// What does not work is told with what it means, and what to do.
func TestSentence(t *testing.T) {
	for want, p := range map[string]healthPart{
		"The CRM does not work. It is tried.": {"crm", status.Part{State: "failing", Detail: "it is tried"}},
		"The CRM asks again and again to be left alone: it answered 429.": {"crm",
			status.Part{State: "paused", Detail: "it answered 429"}},
		"The CRM is left alone until 18:05:09 UTC: it asked for it.": {"crm",
			status.Part{State: "paused", Until: time.Date(2026, 11, 22, 18, 5, 9, 0, time.UTC), Detail: "it asked for it"}},
		"This process is stopping.":         {"process", status.Part{State: "stopping"}},
		"The spool is full. 7 events wait.": {"spool", status.Part{State: "full", Detail: "7 events wait"}},
		"CXone does not accept the subscription sms-status-webhook, so it may send no such events. The log has its answer. It is tried again.": {
			"cxone sms-status-webhook", status.Part{State: "failing"}},
	} {
		if got := p.sentence(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type panics struct{ Delivery }

func (panics) Recent(context.Context, answers.Question) (*analytics.Report, error) { panic("a bug") }

// A fault of the program in one part of the page ends no more than the page.
func TestOverviewWithAFault(t *testing.T) {
	b := newBench()
	b.Delivery = panics{}
	w := b.get(t, "/", viewerToken)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "a bug") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if log := b.log.String(); strings.Contains(log, "a bug") || !strings.Contains(log, "panics.Recent") {
		t.Errorf("the log does not tell where: %s", log)
	}
}

func TestWindows(t *testing.T) {
	for text, steps := range map[string]struct{ length, step time.Duration }{
		"15m": {15 * time.Minute, 15 * time.Second}, "24h": {24 * time.Hour, 30 * time.Minute}, "90d": {90 * day, day},
		"2h": {2 * time.Hour, time.Minute}, "10m": {10 * time.Minute, 15 * time.Second}, "45d": {45 * day, 12 * time.Hour},
	} {
		b := newBench()
		if w := b.get(t, "/?window="+text, viewerToken); w.Code != http.StatusOK {
			t.Errorf("%s: %d", text, w.Code)
		}
		q := b.asked[0]
		if q.Length != steps.length || q.Step != steps.step {
			t.Errorf("%s asks for %v by %v", text, q.Length, q.Step)
		}
		if _, err := analytics.NewWindow(time.Now(), q.Length, q.Step); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"never", "-1h", "91d", "%00"} {
		if w := newBench().get(t, "/?window="+text, viewerToken); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", text, w.Code)
		}
	}
}

// The pace of a point that has just begun is not known: it is left out.
func TestSeries(t *testing.T) {
	to := time.Date(2026, 11, 22, 9, 0, 10, 0, time.UTC)
	report := &analytics.Report{To: to, Series: []analytics.Point{
		{From: to.Add(-70 * time.Second), Messages: analytics.Messages{Delivered: 30, Failed: 6, FailureRate: of(12)}, Processing: analytics.Processing{Receipts: 120, P95LatencyMs: 7}},
		{From: to.Add(-10 * time.Second), Messages: analytics.Messages{Delivered: 1}},
	}}
	s := newSeries(report, time.Minute)
	if len(s.times) != 1 || s.receipts[0] != 2 || s.delivered[0] != 30 || s.failed[0] != 6 || s.rate[0] != 12 || s.p95[0] != 7 {
		t.Errorf("%+v", s)
	}
	if s := newSeries(report, 15*time.Second); len(s.times) != 2 || s.delivered[1] != 6 || !math.IsNaN(s.rate[1]) || !math.IsNaN(s.p50[1]) {
		t.Errorf("%+v", s)
	}
}
