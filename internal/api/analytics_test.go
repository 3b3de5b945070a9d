package api

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/store"
)

// askDelivery returns the answer, and the question that was asked for it.
func (b *bench) askDelivery(t *testing.T, query, accept string) (w *httptest.ResponseRecorder, asked answers.Question) {
	t.Helper()
	b.Delivery = deliveryFunc(func(_ context.Context, q answers.Question) (*analytics.Report, error) {
		asked = q
		if _, err := analytics.NewWindow(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), q.Length, q.Step); err != nil {
			return nil, answers.Refuse(err)
		}
		return exampleReport(), b.store.err
	})
	r := httptest.NewRequest("GET", "/analytics/delivery"+query, nil)
	r.Header.Set("Authorization", "Bearer "+viewerToken)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w = httptest.NewRecorder()
	b.handler(t).ServeHTTP(w, r)
	return w, asked
}

func TestDelivery(t *testing.T) {
	w, asked := newBench().askDelivery(t, "", "")
	if diff := cmp.Diff(answers.Question{Length: 24 * time.Hour}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	got := decode[map[string]any](t, w, http.StatusOK)
	for _, name := range []string{
		"throughput", "avgLatencyMs", "p50LatencyMs", "p95LatencyMs", "p99LatencyMs", "slaCompliance",
		"totalMessages", "delivered", "failed", "pending", "deliveryRate", "failureRate", "carrierAnalytics", "costs",
	} {
		if _, ok := got[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	row := got["carrierAnalytics"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"carrier": "VODAFONE", "region": "GB", "averageCost": 0.042, "totalCost": 8.4, "costPerDelivered": 0.062687,
		"recommendedAction": "REROUTE", "routeTo": "TELEFONICA", "confidence": 99.99,
	} {
		if row[name] != want {
			t.Errorf("%s is %v, want %v", name, row[name], want)
		}
	}
	if _, hasSchema := got["$schema"]; hasSchema {
		t.Error("a link to a schema")
	}
}

func TestDeliveryQuestions(t *testing.T) {
	b := newBench()
	for query, want := range map[string]answers.Question{
		"?window=7d&step=1h":                     {Length: 7 * 24 * time.Hour, Step: time.Hour},
		"?window=1d12h&carrier=%20vodafone":      {Length: 36 * time.Hour, Filter: analytics.Filter{Carrier: "vodafone"}},
		"?window=1m&region=uk&format=json":       {Length: time.Minute, Filter: analytics.Filter{Region: "GB"}},
		"?window=90d&carrier=%3Cscript%3E%00%FF": {Length: 90 * 24 * time.Hour, Filter: analytics.Filter{Carrier: "<script>\x00\xff"}},
	} {
		w, asked := b.askDelivery(t, query, "")
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestDeliveryRefuses(t *testing.T) {
	b := newBench()
	for _, query := range []string{
		"?window=30s", "?window=91d", "?window=never", "?window=-1h", "?step=0s", "?step=-1m", "?step=x", "?step=90s&window=1h",
		"?window=90d&step=1m", "?region=GBR", "?region=1", "?format=xml", "?series=json", "?series=csv",
		"?carrier=" + strings.Repeat("x", 257), "?window=" + strings.Repeat("1", 1000),
	} {
		w, _ := b.askDelivery(t, query, "")
		t.Run(query[:min(len(query), 40)], func(t *testing.T) { wantProblem(t, w, http.StatusUnprocessableEntity) })
	}
}

// A refusal names the parameter that makes no sense.
func TestDeliveryRefusalLocations(t *testing.T) {
	b := newBench()
	for query, want := range map[string]string{
		"?window=59s": "query.window", "?window=91d&step=1h": "query.window", "?window=never": "query.window",
		"?window=1h&step=90s": "query.step", "?window=90d&step=1m": "query.step", "?step=0s": "query.step",
		"?series=csv": "query.series", "?region=GBR": "query.region",
	} {
		w, _ := b.askDelivery(t, query, "")
		got := decode[struct {
			Errors []struct{ Location, Message string }
		}](t, w, http.StatusUnprocessableEntity).Errors
		if len(got) != 1 || got[0].Location != want || got[0].Message == "" {
			t.Errorf("%s: %+v, want one at %s", query, got, want)
		}
	}
}

func TestDeliveryErrors(t *testing.T) {
	for _, err := range []error{store.ErrUnavailable, errors.New("a fault")} {
		b := newBench()
		b.store.err = err
		w, _ := b.askDelivery(t, "?format=csv", "text/csv")
		wantProblem(t, w, http.StatusServiceUnavailable)
	}
}

// Whoever waits too long for an answer is told so, and so is the log.
func TestDeliveryThatIsSlow(t *testing.T) {
	b := newBench()
	b.store.err = fmt.Errorf("%w: %w", answers.ErrSlow, context.DeadlineExceeded)
	w, _ := b.askDelivery(t, "", "")
	detail := wantProblem(t, w, http.StatusServiceUnavailable)
	if detail != answers.ErrSlow.Error() || w.Header().Get("Retry-After") != "5" || strings.Count(b.log.String(), detail) != 1 {
		t.Errorf("%s; the log: %s", w.Body, b.log.String())
	}
}

// A question may wait for an answer that others have begun, and then for its own.
func TestDeliveryHasTime(t *testing.T) {
	b := newBench()
	b.Delivery = deliveryFunc(func(ctx context.Context, _ answers.Question) (*analytics.Report, error) {
		if ends, ok := ctx.Deadline(); !ok || time.Until(ends) <= 2*answerTimeout {
			t.Errorf("it ends at %v, %t", ends, ok)
		}
		return exampleReport(), nil
	})
	if w := b.ask(t, "GET", "/analytics/delivery", viewerToken); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestDeliveryCSV(t *testing.T) {
	b := newBench()
	for _, test := range []struct{ query, accept, first string }{
		{"?format=csv", "", "carrier"}, {"?format=csv", "application/json", "carrier"}, {"", "text/csv", "carrier"},
		{"", "text/html;q=0.1, Text/CSV", "carrier"}, {"?series=csv&step=1h", "", "from"},
		{"?series=csv&step=1h&format=csv", "text/csv", "from"},
	} {
		w, _ := b.askDelivery(t, test.query, test.accept)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "text/csv; charset=utf-8" || w.Header().Get("Vary") != "Accept" {
			t.Errorf("%+v: %d %q %s", test, w.Code, got, w.Body)
		}
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) == 0 || rows[0][0] != test.first {
			t.Errorf("%+v: %v %q", test, err, rows)
		}
	}
	w, _ := b.askDelivery(t, "?format=json", "text/csv")
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("the format does not go before the header: %s", got)
	}
}
