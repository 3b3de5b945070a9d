package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// startService runs a service until the test ends, on a database of its own unless vars name one, and
// wants it to stop without an error.
func startService(t *testing.T, vars map[string]string) *service {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if vars["DATABASE_URL"] == "" {
		vars["DATABASE_URL"] = "sqlite:" + filepath.Join(t.TempDir(), "cxbridge.db")
	}
	cfg, err := resolve(t, nil, vars)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(t.Context(), cfg, slog.New(slog.DiscardHandler), listener)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := s.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	// The listener keeps the request until the service serves.
	if err := askHealth(t.Context(), listener.Addr().String(), cfg.TLS != nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request to a service as CXone or an operator does, and decodes the answer.
func ask(t *testing.T, s *service, method, path, body string, into any) (status int) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Webhook-Secret", s.config.WebhookSecrets[0].Reveal())
	r.Header.Set("Authorization", "Bearer "+s.config.AdminToken.Reveal())
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%s %s: %d, %v: %s", method, path, w.Code, err, w.Body)
	}
	return w.Code
}

// await polls until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

// postThread posts an event of a thread, and wants it accepted.
func postThread(t *testing.T, s *service, id string) {
	t.Helper()
	var answer struct{ Status string }
	body := fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":%q,"version":1,"messages":[{"id":"m1","text":"Hello","timestamp":"2026-03-01T10:00:00Z","authorId":"p1"}]}}`, id)
	if status := ask(t, s, http.MethodPost, threadsPath, body, &answer); status != http.StatusOK || answer.Status != "ACCEPTED" {
		t.Fatalf("%s is answered %d, %q", id, status, answer.Status)
	}
}

// syncState asks how far the synchronization of a thread is.
func syncState(t *testing.T, s *service, id string) string {
	t.Helper()
	var row struct{ Sync struct{ State string } }
	ask(t, s, http.MethodGet, "/api/threads/"+id, "", &row)
	return row.Sync.State
}

func crmPart(s *service) status.Part {
	_, parts := s.look(context.Background())
	return parts["crm"]
}

func TestWithoutCRM(t *testing.T) {
	t.Parallel()
	s := startService(t, with(nil))
	postThread(t, s, "T1")
	if state := syncState(t, s, "T1"); state != "waiting" {
		t.Errorf("the thread is %s", state)
	}
	if part := crmPart(s); part.State != "off" || !strings.Contains(part.Detail, "CRM_API_URL") {
		t.Errorf("the CRM is %+v", part)
	}
	if figures := s.Figures(); figures.CRM != nil {
		t.Errorf("figures of no CRM: %+v", figures.CRM)
	}
	var problem struct{ Detail string }
	if status := ask(t, s, http.MethodPost, "/api/reconcile/T1", "", &problem); status != http.StatusBadGateway || !strings.Contains(problem.Detail, "CXONE_DOMAIN") {
		t.Errorf("reconcile without CXone: %d, %q", status, problem.Detail)
	}
}

func TestWithCRM(t *testing.T) {
	t.Parallel()
	crm := sim.NewCRM("a81d07c3f95e4b26")
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	s := startService(t, withCRM(map[string]string{"CRM_API_URL": server.URL}))
	postThread(t, s, "T1")
	await(t, "the thread is synced", func() bool { return syncState(t, s, "T1") == "synced" })
	if part := crmPart(s); part.State != "up" {
		t.Errorf("the CRM is %+v", part)
	}
	if figures := s.Figures().CRM; figures == nil || figures.Pushes != 1 {
		t.Errorf("figures %+v", figures)
	}
	if n := crm.Counts().Requests[http.MethodPost]; n != 1 {
		t.Errorf("the CRM got %d threads", n)
	}
}

// Events are accepted while the CRM is away; readiness shows that without failing.
func TestWithCRMAway(t *testing.T) {
	t.Parallel()
	s := startService(t, withCRM(map[string]string{"CRM_API_URL": nobodyListens}))
	for i := range 20 { // more than open the circuit breaker
		postThread(t, s, fmt.Sprint("T", i))
	}
	await(t, "the breaker opens", func() bool { return s.syncer.Figures().Breaker == "open" })
	if part := crmPart(s); part.State != "failing" || part.Detail != "the last requests failed; they are tried again, one of them every few seconds" {
		t.Errorf("the CRM is %+v", part)
	}
	if ready, parts := s.look(t.Context()); !ready {
		t.Errorf("not ready: %+v", parts)
	}
	await(t, "the thread is tried again", func() bool { return syncState(t, s, "T0") == "retrying" })
}

// A CRM that asks for a pause, or answers 503 to everything, is not up, though the breaker is closed. Events
// are accepted all the same.
func TestWithCRMThatDoesNotServe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault  sim.CRMFault
		state  string
		detail string
	}{
		"it asks for a pause": {sim.CRMFault{Status: http.StatusTooManyRequests, RetryAfter: "3600"},
			"paused", "it answered 429 to the last request, and asked for a pause"},
		"it fails": {sim.CRMFault{Status: http.StatusServiceUnavailable},
			"failing", "the last requests failed (503 to the latest); they are tried again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crm := sim.NewCRM("a81d07c3f95e4b26")
			crm.SetFaults(func(*http.Request) sim.CRMFault { return tt.fault })
			server := httptest.NewServer(crm)
			t.Cleanup(server.Close)
			s := startService(t, withCRM(map[string]string{"CRM_API_URL": server.URL}))
			for i := range 14 {
				postThread(t, s, fmt.Sprint("T", i))
			}
			await(t, "the CRM is "+tt.state, func() bool { return crmPart(s).State == tt.state })
			part := crmPart(s)
			if part.Detail != tt.detail || tt.state == "paused" && time.Until(part.Until).Round(time.Minute) != store.MaxWait {
				t.Errorf("the CRM is %+v", part)
			}
			if figures := s.Figures().CRM; figures.Breaker != "closed" || figures.State != tt.state || tt.state == "paused" && figures.PausedUntil != part.Until {
				t.Errorf("figures %+v", figures)
			}
			if ready, parts := s.look(t.Context()); !ready {
				t.Errorf("not ready: %+v", parts)
			}
		})
	}
}

// A thread that CXone has is in the CRM after it is reconciled, though no event of it ever came.
func TestReconcileThroughTheService(t *testing.T) {
	t.Parallel()
	remote, err := startRemotes()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remote.close)
	remote.cxone.ServeThreads(func(id string) (sim.Conversation, bool) {
		return sim.Conversation{ThreadID: id, Version: 7, UpdatedAt: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}, id == "T1"
	})
	s := startService(t, withCRM(map[string]string{
		"CRM_API_URL": remote.crmURL, "CRM_API_TOKEN": remote.crmToken,
		"CXONE_DOMAIN": remote.cxoneURL, "CXONE_CLIENT_ID": demoClientID, "CXONE_CLIENT_SECRET": remote.cxoneSecret,
	}))
	for _, want := range []string{"T1: brought to version 7\n", "1 up to date"} {
		p := newTrial(needed)
		code := p.run(t.Context(), []string{"reconcile", "T1", "--server", s.address()})
		if code != exitOK || !strings.Contains(p.out.String(), want) {
			t.Errorf("exit code %d, printed %q and %q, want %q", code, &p.out, &p.err, want)
		}
	}
	p := newTrial(needed)
	if code := p.run(t.Context(), []string{"reconcile", "T2", "--server", s.address()}); code != exitFailure || !strings.Contains(p.out.String(), "T2: 404") {
		t.Errorf("exit code %d, printed %q", code, &p.out)
	}
}

// To stop a service that has not started yet is no error.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := resolve(t, nil, with(map[string]string{"DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "cxbridge.db")}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(t.Context(), cfg, slog.New(slog.DiscardHandler), listener)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := errors.Join(s.run(ctx), s.close()); err != nil {
		t.Error(err)
	}
}
