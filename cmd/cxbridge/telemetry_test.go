package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/cxbridge/cxbridge/internal/requestid"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/telemetry/telemetrytest"
)

// watchedCRM is a CRM whose requests are kept.
type watchedCRM struct {
	next http.Handler

	mu      sync.Mutex
	headers []http.Header
}

func (c *watchedCRM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.headers = append(c.headers, r.Header.Clone())
	c.mu.Unlock()
	c.next.ServeHTTP(w, r)
}

// values returns a header of every request so far.
func (c *watchedCRM) values(name string) (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.headers {
		all = append(all, h.Get(name))
	}
	return all
}

// startCRM returns a CRM and its address.
func startCRM(t *testing.T) (*watchedCRM, string) {
	t.Helper()
	crm := &watchedCRM{next: sim.NewCRM("a81d07c3f95e4b26")}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	return crm, server.URL
}

// named returns the spans of a name.
func named(spans []telemetrytest.Span, name string) (found []telemetrytest.Span) {
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// One trace leads from the webhook to the CRM, even when the event waits in the database for another
// process to push it.
func TestTraceAcrossARestart(t *testing.T) {
	t.Parallel()
	var collected telemetrytest.Collector
	collector := httptest.NewServer(&collected)
	t.Cleanup(collector.Close)
	crm, crmURL := startCRM(t)
	database := "sqlite:" + filepath.Join(t.TempDir(), "cxbridge.db")

	t.Run("TakeIn", func(t *testing.T) { // no CRM is set yet
		s := startService(t, with(map[string]string{"DATABASE_URL": database, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}))
		postThread(t, s, "T1")
	})
	t.Run("Push", func(t *testing.T) {
		s := startService(t, withCRM(map[string]string{"DATABASE_URL": database, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "CRM_API_URL": crmURL}))
		await(t, "the thread is synced", func() bool { return syncState(t, s, "T1") == "synced" })
	})

	spans := collected.Spans() // a service that has ended has sent all of its
	webhook, push := named(spans, "webhook threads"), named(spans, "crm.push")
	if len(webhook) != 1 || len(push) != 1 || push[0].Trace != webhook[0].Trace || push[0].Parent != webhook[0].ID {
		t.Fatalf("the spans are %+v, refused %q", spans, collected.Problems())
	}
	if commit := named(spans, "commit"); len(commit) != 1 || commit[0].Parent != webhook[0].ID {
		t.Errorf("the commit is %+v", commit)
	}
	requests := slices.Concat(named(spans, "HTTP PATCH"), named(spans, "HTTP POST"))
	contexts := crm.values("Traceparent")
	if len(requests) != 2 || len(contexts) != 2 {
		t.Fatalf("%d spans of %d requests to the CRM, want 2", len(requests), len(contexts))
	}
	for _, r := range requests {
		if r.Parent != push[0].ID || !slices.Contains(contexts, "00-"+r.Trace+"-"+r.ID+"-01") {
			t.Errorf("%+v is none of the CRM's %q", r, contexts)
		}
	}
	for _, span := range spans {
		for name, value := range span.Attributes {
			if strings.Contains(value, "Hello") || strings.Contains(value, "a81d07c3f95e4b26") {
				t.Errorf("%s of %s is %q", name, span.Name, value)
			}
		}
	}
}

// Without traces, or for a request that is not sampled, the CRM gets no trace context.
func TestNoTraceContext(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{
		"Off":        {},
		"NotSampled": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_SAMPLER_ARG": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crm, crmURL := startCRM(t)
			vars["CRM_API_URL"] = crmURL
			s := startService(t, withCRM(vars))
			postThread(t, s, "T1")
			await(t, "the thread is synced", func() bool { return syncState(t, s, "T1") == "synced" })
			if contexts := strings.Join(crm.values("Traceparent"), ""); contexts != "" {
				t.Errorf("the CRM got %q", contexts)
			}
		})
	}
}

// A collector that does not answer keeps nothing waiting: not a webhook, not a push, not the end.
func TestCollectorThatHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(collector.Close)
	t.Cleanup(func() { close(release) })
	_, crmURL := startCRM(t)
	began := time.Now()
	t.Run("Service", func(t *testing.T) {
		s := startService(t, withCRM(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "CRM_API_URL": crmURL}))
		postThread(t, s, "T1")
		await(t, "the thread is synced", func() bool { return syncState(t, s, "T1") == "synced" })
	})
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// Every answer has the id of its request, and the requests to the CRM have ids of their own.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	crm, crmURL := startCRM(t)
	s := startService(t, withCRM(map[string]string{"CRM_API_URL": crmURL}))
	for _, path := range []string{smsPath, threadsPath, "/healthz", "/readyz", "/metrics", "/api/threads", "/openapi.json", "/nothing", "//", "/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			for _, given := range []string{"r-1", "r 1", ""} {
				r := httptest.NewRequest(method, path, http.NoBody)
				r.Header.Set(requestid.Header, given)
				w := httptest.NewRecorder()
				s.server.Handler.ServeHTTP(w, r)
				told := w.Result().Header.Values(requestid.Header)
				if len(told) != 1 || told[0] == "" || (told[0] == given) != (given == "r-1") {
					t.Errorf("%s %s with the id %q is answered %d with %q", method, path, given, w.Code, told)
				}
			}
		}
	}
	postThread(t, s, "T1")
	await(t, "the thread is synced", func() bool { return syncState(t, s, "T1") == "synced" })
	ids := crm.values(requestid.Header)
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 || ids[0] == "" {
		t.Errorf("a push to the CRM has the ids %q", ids)
	}
}

// Metrics are named as Prometheus has it: https://prometheus.io/docs/practices/naming/.
func TestMetricsAreWellNamed(t *testing.T) {
	t.Parallel()
	_, crmURL := startCRM(t)
	s := startService(t, withCRM(map[string]string{"CRM_API_URL": crmURL}))
	r := httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+s.config.AdminToken.Reveal())
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	text := w.Body.Bytes()
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "cxbridge_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, name := range []string{
		`cxbridge_webhook_requests_total{outcome="unauthorized",route="sms",status="401"} 0`,
		`cxbridge_crm_requests_total{class="throttled"} 0`,
		`cxbridge_crm_breaker_state{state="closed"} 1`,
		`cxbridge_sync_backlog_threads{state="parked"} 0`,
		`cxbridge_sync_oldest_seconds 0`,
		`cxbridge_dead_letters 0`,
		`cxbridge_cxone_subscription_state{state="off",subscription="sms-status-webhook"} 1`,
		`cxbridge_build_info{`,
	} {
		if !bytes.Contains(text, []byte("\n"+name)) {
			t.Errorf("there is no %s", name)
		}
	}
}
