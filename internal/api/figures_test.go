package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/status"
)

func TestFigures(t *testing.T) {
	for _, test := range []struct {
		name    string
		figures status.Figures
		want    string
	}{
		{
			"some",
			status.Figures{
				TotalProcessed: 30000, TotalErrors: 1, AvgLatencyMs: 1.23456, Duplicates: 2, DeadLetters: 3,
				QueuedForRetry: 4, SpoolEvents: 5, SpoolBytes: 6, UptimeSeconds: 7.00049,
			},
			`{"totalProcessed":30000, "totalErrors":1, "errorRate":0, "avgLatencyMs":1.235, "duplicates":2,
			"deadLetters":3, "queuedForRetry":4, "spoolEvents":5, "spoolBytes":6, "uptimeSeconds":7}`,
		},
		{
			"with a CRM",
			status.Figures{CRM: &status.CRMFigures{Pushes: 1, Failures: 2, Conflicts: 3, Kept: 4, SetAside: 5, Parked: 6, InFlight: 7, AvgLagMs: 8.5, Breaker: "closed",
				State: "paused", PausedUntil: time.Date(2026, 11, 22, 18, 5, 0, 0, time.UTC)}},
			`{"totalProcessed":0, "totalErrors":0, "errorRate":0, "avgLatencyMs":0, "duplicates":0,
			"deadLetters":0, "queuedForRetry":0, "spoolEvents":0, "spoolBytes":0, "uptimeSeconds":0,
			"crm":{"pushes":1, "failures":2, "conflicts":3, "kept":4, "setAside":5, "parked":6, "inFlight":7, "avgLagMs":8.5, "breaker":"closed",
				"state":"paused", "pausedUntil":"2026-11-22T18:05:00Z"}}`,
		},
		{
			"none", status.Figures{},
			`{"totalProcessed":0, "totalErrors":0, "errorRate":0, "avgLatencyMs":0, "duplicates":0,
			"deadLetters":0, "queuedForRetry":0, "spoolEvents":0, "spoolBytes":0, "uptimeSeconds":0}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench()
			b.Figures = figuresFunc(func() status.Figures { return test.figures })
			w := b.ask(t, "GET", "/api/metrics", viewerToken)
			if diff := cmp.Diff(normal(t, test.want), normal(t, w.Body.String())); w.Code != http.StatusOK || diff != "" {
				t.Errorf("%d %s", w.Code, diff)
			}
		})
	}
}

func TestErrorRate(t *testing.T) {
	for _, test := range []struct {
		errors, processed int64
		want              float64
	}{
		{0, 0, 0}, {0, 10, 0}, {10, 10, 1}, {1, 3, 0.3333}, {2, 3, 0.6667}, {1, 20000, 0.0001}, {1, 20001, 0},
	} {
		f := status.Figures{TotalErrors: test.errors, TotalProcessed: test.processed}
		if got := errorRate(&f); got != test.want {
			t.Errorf("%d of %d: %v, want %v", test.errors, test.processed, got, test.want)
		}
	}
}

func TestPrometheus(t *testing.T) {
	if w := newBench().ask(t, "GET", "/metrics", viewerToken); w.Body.String() != "cxbridge_up 1\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
