package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// samples returns every counter and gauge of a registry that is not 0, and the counts of its
// histograms, by name and labels: "name value value".
func samples(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := []string{strings.TrimPrefix(f.GetName(), "cxbridge_webhook_")}
			for _, label := range m.GetLabel() {
				name = append(name, label.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if value != 0 {
				found[strings.Join(name, " ")] = value
			}
		}
	}
	return found
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	g := newGate(t, func(o *Options) { o.Registry = registry })
	h := g.SMS(&fakeIntake{})
	serve(h, request(`[`+receipt+`,`+receipt+`,{},{"messageId":"q","status":"X","sender":"quarantined"},{"messageId":"f","status":"X","sender":"flagged"}]`))
	serve(h, request(`{}`))
	serve(h, httptest.NewRequest(http.MethodPost, "/", http.NoBody))

	var during map[string]float64
	r := request("")
	r.ContentLength = int64(len(receipt))
	r.Body = io.NopCloser(readFunc(func(p []byte) (int, error) {
		during = samples(t, registry)
		return copy(p, receipt), io.EOF
	}))
	serve(h, r)

	want := map[string]float64{
		// The labels are in the order of their names.
		"requests_total accepted sms 200": 1, "requests_total refused sms 422": 1, "requests_total unauthorized sms 401": 1,
		"request_duration_seconds sms": 3,
		"events_total accepted sms":    3, "events_total duplicate sms": 1, "events_total refused sms": 2,
		"marked_events_total flagged sms": 1, "marked_events_total quarantined sms": 1,
		"inflight_bytes": float64(len(receipt)), "inflight_requests": 1,
	}
	if diff := cmp.Diff(want, during); diff != "" {
		t.Errorf("during a request: %s", diff)
	}
	delete(want, "inflight_bytes")
	delete(want, "inflight_requests")
	want["requests_total duplicate sms 200"], want["request_duration_seconds sms"], want["events_total duplicate sms"] = 1, 4, 2
	if diff := cmp.Diff(want, samples(t, registry)); diff != "" {
		t.Errorf("after it: %s", diff)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
