package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/webhook"
)

const webhookSecret = "webhook-secret-for-tests"

// contractWorld is the whole outside on a real store, with the webhooks beside the API.
type contractWorld struct {
	*bench
	in       *ingest.Ingest
	receipts http.Handler
	threads  http.Handler
	synced   bool // what waits for the CRM is told that it has it
}

// Wait implements webhook.Synced.
func (w *contractWorld) Wait(context.Context, string, int64) bool { return w.synced }

func newContractWorld(t *testing.T) *contractWorld {
	t.Helper()
	b, in := sqliteBench(t)
	w := &contractWorld{bench: b, in: in, synced: true}
	w.open(t, b.Store.(store.Store))
	b.HasCRM = true
	b.Figures = figuresFunc(func() status.Figures {
		return status.Figures{TotalProcessed: 3, TotalErrors: 1, UptimeSeconds: 1.5, CRM: &status.CRMFigures{Breaker: "half-open", State: "failing"}}
	})
	b.Reconciler = reconcileFunc(func(_ context.Context, id string) (reconcile.Outcome, error) {
		if id != "t-1" {
			return reconcile.Outcome{}, store.ErrNotFound
		}
		return reconcile.Outcome{Status: reconcile.Reconciled, Version: 3}, nil
	})
	return w
}

// open puts the webhooks, the simulator, the analytics and the metrics on a store.
func (w *contractWorld) open(t *testing.T, db store.Store) {
	t.Helper()
	secrets, err := webhook.NewSecrets(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	gate := webhook.NewGate(webhook.Options{Secrets: secrets, Failures: w.Failures, Registry: registry})
	w.receipts, w.threads = gate.SMS(w.in), gate.Threads(w.in, w)
	w.Simulator = &simulator.Simulator{Receipts: w.receipts, Threads: w.threads, Secret: webhookSecret}
	w.Store, w.Delivery = db, answers.New(db, w.in.CommitObserved, nil, analytics.Policy{})
	w.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	w.built = nil
}

// away takes the database from under the API.
func (w *contractWorld) away(t *testing.T) {
	t.Helper()
	w.in.Stop()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "away.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t, faultyStore{db})
	w.Replayer = &ingest.Replayer{Store: db, Submit: w.in.Submit}
	w.Reconciler = reconcileFunc(func(context.Context, string) (reconcile.Outcome, error) {
		return reconcile.Outcome{}, store.ErrUnavailable
	})
	w.Health = healthFunc(func() (bool, map[string]status.Part) {
		return false, map[string]status.Part{"database": {State: "down", Detail: "start it"}}
	})
	w.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
}

// guess lets the client of the tests show too many wrong secrets, for the next hour.
func (w *contractWorld) guess(t *testing.T) {
	t.Helper()
	w.Failures = access.NewFailures(access.RequestBurst)
	w.open(t, w.Store.(store.Store))
	client, later := httptest.NewRequest("GET", "/", nil), time.Now().Add(time.Hour)
	for w.Failures.Failed(client, later) == 0 {
	}
}

// faultyStore also has a fault that is not the database's.
type faultyStore struct{ store.Store }

func (faultyStore) Describe(context.Context) (store.Description, error) {
	return store.Description{}, errors.New("a fault")
}

// handler answers the webhooks and the API, as the program does.
func (w *contractWorld) handler(t *testing.T) http.Handler {
	t.Helper()
	api := w.bench.handler(t)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case smsPath:
			w.receipts.ServeHTTP(rw, r)
		case threadsPath:
			w.threads.ServeHTTP(rw, r)
		default:
			api.ServeHTTP(rw, r)
		}
	})
}

// fill brings in messages and threads in all states, dead letters, alarms and a replica.
func (w *contractWorld) fill(t *testing.T) {
	t.Helper()
	ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
	submit(t, w.in, now,
		`{"messageId":"m-1","status":"SENT","from":"+12025550100","to":"+12025550101","timestamp":"2026-03-01T10:00:00Z"}`,
		`{"messageId":"m-1","status":"DELIVRD","carrier":"VODAFONE","cost":"0.04","currency":"EUR","segments":2,"from":"+12025550100","to":"+12025550101","submittedAt":"2026-03-01T09:59:58Z","timestamp":"2026-03-01T10:00:05Z"}`,
		`{"messageId":"m-2","status":"strange","from":"ACMECARE","errorCode":"3:4","region":"GB","to":"+447700900123"}`,
		`{"messageId":"m-3","status":"DELIVERED","from":"not a sender id!","to":"+12025550101"}`,
		`{"status":"DELIVERED"}`, "{\"messageId\":\"\xff\"}", `{"messageId":"m-4","status":"DELIVERED","from":"not one either!","to":"+12025550101"}`)
	for _, raw := range []string{
		`{"event":"THREAD_UPDATED","data":{"threadId":"t-1","version":2,"updatedAt":"2026-03-01T09:00:00Z",
			"participants":[{"id":"p","role":"CUSTOMER","name":"Ada","platformId":"@ada"},{"id":"q"}],
			"messages":[{"id":"m1","text":"hello","timestamp":"2026-03-01T08:00:00Z","authorId":"p","direction":"INBOUND"},{"id":"m2","timestamp":"yesterday"}]}}`,
		`{"event":"THREAD_MERGED","data":{"threadId":"t-2","parentThreadId":"t-1","version":1,"messages":[{"id":"c1","text":"me, too"}]}}`,
		`{"event":"THREAD_SPLIT","data":{"threadId":"t-3","parentThreadId":"t-1","version":1}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"t-4"}}`, `{"event":"THREAD_UPDATED","data":{"threadId":"t-5","version":1}}`,
	} {
		if _, err := w.in.Submit(ctx, []ingest.Reading{w.in.ReadThread([]byte(raw), now)}); err != nil {
			t.Fatal(err)
		}
	}
	db := w.Store.(store.Store)
	w.push(t, db, now)
	for _, subject := range []string{"VODAFONE", "O2"} {
		if _, err := db.Raise(ctx, store.Alarm{Name: store.SlowCarrier, Subject: subject, Raised: now, Detail: audit.Detail{"slow": 3}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Clear(ctx, store.Alarm{Name: store.SlowCarrier, Subject: "O2", Cleared: now, Detail: audit.Detail{"share": 0.1}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Beat(ctx, store.Replica{ID: "a", Host: "host-1", Version: "test", Started: now, Seen: now}); err != nil {
		t.Fatal(err)
	}
	if err := db.Audit(ctx, audit.Note{Subject: "erasure", Action: audit.ActionErase, Outcome: "erased"}, now); err != nil {
		t.Fatal(err)
	}
}

// push lets the CRM take a thread, fail at one and refuse one. One is left.
func (w *contractWorld) push(t *testing.T, db store.Store, now time.Time) {
	t.Helper()
	claimed, err := db.Claim(t.Context(), store.ClaimRequest{Limit: 10, Lease: time.Minute, Items: 100})
	if err != nil {
		t.Fatal(err)
	}
	var pushes []store.Push
	for _, work := range claimed.Work {
		p := store.Push{Claim: work.Claim, Rev: work.Row.Sync.Want, Status: 200, Notes: []audit.Note{{
			Subject: work.ThreadID, Action: audit.ActionPush, Outcome: "acknowledged", Detail: audit.Detail{"status": 200},
		}}}
		switch work.ThreadID {
		case "t-1":
			p.Done = true
			for _, item := range work.Items {
				item.Acked = item.View()
				p.Items = append(p.Items, item)
			}
		case "t-2":
			p.Status, p.Error, p.RetryIn = 503, "the CRM answers 503", store.MaxWait
		case "t-3":
			p.Status, p.Error = 422, "the CRM answers 422"
			p.Park = &store.DeadLetter{Kind: store.KindThreadPush, Key: "t-3", Subject: "t-3", Reason: p.Error, Received: now, Raw: []byte(`{"threadId":"t-3"}`)}
		default:
			continue
		}
		pushes = append(pushes, p)
	}
	if held, err := db.Record(t.Context(), pushes, now); err != nil || len(held) != 3 {
		t.Fatalf("recorded %v, %v", held, err)
	}
}
