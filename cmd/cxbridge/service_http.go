package main

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/api"
	"github.com/cxbridge/cxbridge/internal/console"
	"github.com/cxbridge/cxbridge/internal/fault"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/requestid"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/webhook"
)

// reconciler returns nil when CXone is not called.
func (s *service) reconciler() api.Reconciler {
	if s.cxone == nil {
		return nil
	}
	r := &reconcile.Reconciler{Source: threadSource{s.cxone}, Intake: s.ingest, Store: s.store}
	if s.syncer != nil {
		r.Synced = s.syncer
	}
	return r
}

// gate returns the gate in front of the webhooks.
func (s *service) gate(registry prometheus.Registerer) (*webhook.Gate, error) {
	texts := make([]string, len(s.config.WebhookSecrets))
	for i, secret := range s.config.WebhookSecrets {
		texts[i] = secret.Reveal()
	}
	secrets, err := webhook.NewSecrets(texts...)
	if err != nil {
		return nil, err
	}
	return webhook.NewGate(webhook.Options{
		Secrets: secrets, Limits: webhook.Limits{Bytes: s.config.MaxInFlightBytes}, Failures: access.NewFailures(access.RequestBurst),
		Logger: s.log, Registry: registry, Traces: s.traces.Provider(),
	}), nil
}

// simulator returns nil when it is off.
func (s *service) simulator(receipts, threads http.Handler) api.Simulator {
	if !s.config.Simulator {
		return nil
	}
	return &simulator.Simulator{Receipts: receipts, Threads: threads, Secret: s.config.WebhookSecrets[0].Reveal()}
}

// handler returns the handler of all paths. It is the one place that says which path leads where.
func (s *service) handler(gate *webhook.Gate, registry *prometheus.Registry) (http.Handler, error) {
	var synced webhook.Synced
	if s.syncer != nil {
		synced = s.syncer
	}
	receipts, threads := gate.SMS(s.ingest), gate.Threads(s.ingest, synced)
	people, err := s.people(s.simulator(receipts, threads), registry)
	if err != nil {
		return nil, err
	}
	// No ServeMux: it would redirect paths that are not clean, where the API returns an error.
	paths := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case smsPath:
			receipts.ServeHTTP(w, r)
		case threadsPath:
			threads.ServeHTTP(w, r)
		default:
			people.ServeHTTP(w, r)
		}
	})
	return s.config.TrustedProxies.Handler(requestid.Handler(logPanics(s.log, paths))), nil
}

// logPanics logs a panic, and breaks off the answer. net/http would do the same, but log the value of the
// panic, which may quote a message.
func logPanics(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				log.ErrorContext(r.Context(), "a request failed because of a fault in the program",
					"path", r.URL.Path, "request_id", requestid.From(r.Context()), "error", fault.Error(p))
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// people returns what people and their tools use: the API and the console.
func (s *service) people(simulator api.Simulator, registry *prometheus.Registry) (http.Handler, error) {
	cfg := s.config
	tokenFailures := access.NewFailures(access.RequestBurst) // the tokens of the console are those of the API
	delivery := answers.New(s.store, s.ingest.CommitObserved, cfg.Analytics.RateCard, cfg.Analytics.Policy)
	replayer := &ingest.Replayer{Store: s.store, Reader: s.ingest.Reader(), Submit: s.ingest.Submit, Wake: s.wakeSyncer}
	tools, err := api.New(api.Config{
		AdminToken: cfg.AdminToken.Reveal(), ViewerToken: cfg.ViewerToken.Reveal(), Failures: tokenFailures,
		Store: s.store, Delivery: delivery, Replayer: replayer, Figures: s, Health: s,
		Reconciler: s.reconciler(), HasCRM: s.syncer != nil, Simulator: simulator,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Version: release(), Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	s.console, err = console.New(console.Config{
		AdminToken: cfg.AdminToken.Reveal(), ViewerToken: cfg.ViewerToken.Reveal(),
		Failures: access.NewFailures(access.LoginBurst), TokenFailures: tokenFailures,
		Store: s.store, Delivery: delivery, Replayer: replayer, Figures: s, Health: s,
		HasCRM: s.syncer != nil, Waker: replayer, Reconciler: s.reconciler(), Simulator: simulator,
		Settings: cfg.shown(), OpenAPI: tools.OpenAPI(), SLA: cfg.Analytics.SLA, Policy: cfg.Analytics.Policy,
		Version: release(), Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.console.Serves(r) || !tools.Serves(r) && isBrowser(r) {
			s.console.ServeHTTP(w, r)
			return
		}
		tools.ServeHTTP(w, r)
	}), nil
}

// isBrowser reports whether a browser asks for a page: it asks for HTML by name, as no tool does.
func isBrowser(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html")
}
