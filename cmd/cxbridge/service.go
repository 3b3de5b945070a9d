package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cxbridge/cxbridge/internal/api"
	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/syncer"
	"github.com/cxbridge/cxbridge/internal/webhook"
)

// service is the whole program behind `serve` and `demo`: a store, ingest in front of it, the syncer
// behind it, and the HTTP server in front of all.
type service struct {
	config     Config
	log        *slog.Logger
	store      store.Store
	spool      *ingest.Spool  // nil with SQLite: where the database is, there is the disk
	syncer     *syncer.Syncer // nil: no CRM is set
	ingest     *ingest.Ingest
	cxone      *cxone.Client // nil: CXone is not called
	subscriber *cxone.Subscriber
	server     *http.Server
	listener   net.Listener
	started    time.Time
	stopping   atomic.Bool
	readiness  readiness
}

// postgresWriters is how many group commits run at a time on PostgreSQL: one is prepared while the
// other waits for the disk.
const postgresWriters = 2

// Bounds of the HTTP server. The webhooks bound the reading of bodies themselves, more tightly.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute // from the end of the headers
	idleTimeout   = 2 * time.Minute
	headerBytes   = 32 << 10
)

// Where CXone posts events.
const (
	smsPath     = "/webhooks/cxone/sms"
	threadsPath = "/api/webhooks/cxone-threads"
)

// newService opens everything behind the listener, which it takes over, but serves nothing yet.
func newService(ctx context.Context, cfg Config, log *slog.Logger, listener net.Listener) (_ *service, err error) {
	s := &service{config: cfg, log: log, listener: listener, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	if s.store, err = openStore(ctx, cfg); err != nil {
		return nil, err
	}
	if s.syncer, err = newSyncer(cfg, s.store, registry, log); err != nil {
		return nil, err
	}
	if err := s.openIngest(registry); err != nil {
		return nil, err
	}
	if s.cxone, err = newCXone(cfg); err != nil {
		return nil, err
	}
	s.subscriber = cxone.NewSubscriber(s.cxone, log)
	gate, err := s.gate(registry)
	if err != nil {
		return nil, err
	}
	handler, err := s.handler(gate, registry)
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.server.RegisterOnShutdown(gate.StopWaiting)
	return s, nil
}

// newSyncer returns nil when no CRM is set.
func newSyncer(cfg Config, st store.Store, registry prometheus.Registerer, log *slog.Logger) (*syncer.Syncer, error) {
	if cfg.CRM == nil {
		return nil, nil
	}
	sink, err := newSink(cfg)
	if err != nil {
		return nil, err
	}
	return syncer.New(syncer.Config{
		Queue: st, Sink: sink, Schema: cfg.CRM.Schema, Workers: cfg.CRM.Workers,
		Metrics: syncer.NewMetrics(registry), Log: log,
	}), nil
}

func (s *service) openIngest(registry prometheus.Registerer) (err error) {
	metrics, writers := ingest.NewMetrics(registry), 1
	if s.config.Database.Postgres != "" {
		writers = postgresWriters
		if s.spool, err = ingest.OpenSpool(s.config.SpoolDir, s.config.SpoolMaxBytes, metrics); err != nil {
			return err
		}
	}
	s.ingest = ingest.New(ingest.Config{
		Store: s.store, Spool: s.spool, Writers: writers, Metrics: metrics, Log: s.log,
		Reader: &ingest.Reader{
			Judge:  &sms.Judge{Rules: s.config.SenderIDRules, DefaultRegion: s.config.DefaultRegion},
			Policy: s.config.SenderIDPolicy,
			Zones:  s.config.ReceiptTimeZones,

			ThreadIDs: s.config.ThreadIDs,
		},
		Wake: s.wakeSyncer,
	})
	return nil
}

func (s *service) wakeSyncer() {
	if s.syncer != nil {
		s.syncer.Wake()
	}
}

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

// gate is what the webhooks are behind.
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
		Secrets: secrets, Limits: webhook.Limits{Bytes: s.config.MaxInFlightBytes}, Logger: s.log, Registry: registry,
	}), nil
}

// simulator returns nil when it is off.
func (s *service) simulator(receipts, threads http.Handler) api.Simulator {
	if !s.config.Simulator {
		return nil
	}
	return &simulator.Simulator{Receipts: receipts, Threads: threads, Secret: s.config.WebhookSecrets[0].Reveal()}
}

// handler is the one place that says which path leads where.
func (s *service) handler(gate *webhook.Gate, registry *prometheus.Registry) (http.Handler, error) {
	var synced webhook.Synced
	if s.syncer != nil {
		synced = s.syncer
	}
	receipts, threads := gate.SMS(s.ingest), gate.Threads(s.ingest, synced)
	people, err := api.New(api.Config{
		AdminToken: s.config.AdminToken.Reveal(), ViewerToken: s.config.ViewerToken.Reveal(),
		Store:    s.store,
		Replayer: &ingest.Replayer{Store: s.store, Reader: s.ingest.Reader(), Submit: s.ingest.Submit, Wake: s.wakeSyncer},
		Figures:  s, Health: s,
		Reconciler: s.reconciler(), HasCRM: s.syncer != nil,
		Simulator: s.simulator(receipts, threads),
		Metrics:   promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Version:   versionOf(version, built, nil).version, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	// No ServeMux: it would redirect paths that are not clean, where the console tells an error.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case smsPath:
			receipts.ServeHTTP(w, r)
		case threadsPath:
			threads.ServeHTTP(w, r)
		default:
			people.ServeHTTP(w, r)
		}
	}), nil
}

// run serves until the context ends, then stops in order: it accepts nothing more and begins no push,
// answers what is in flight, commits what it has accepted, and records the pushes that end.
func (s *service) run(ctx context.Context) error {
	if err := s.ingest.Start(ctx); err != nil {
		return err
	}
	background, stopBackground := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { s.subscriber.Run(background) })
	if s.syncer != nil {
		tasks.Go(func() { s.syncer.Run(background) })
	}

	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	s.log.Info("ready", "address", s.address(), "took_ms", time.Since(s.started).Milliseconds(), "database_up", s.ingest.DatabaseUp())

	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "cause", context.Cause(ctx))
		s.stopping.Store(true)
		select {
		case <-time.After(s.config.ShutdownDelay):
		case err = <-failed:
		}
	case err = <-failed:
	}
	stopBackground()
	deadline, cancel := context.WithTimeout(context.Background(), s.config.ShutdownTimeout)
	defer cancel()
	if e := s.server.Shutdown(deadline); e != nil {
		err = errors.Join(err, errors.New("some requests did not end in time and got no answer; their senders will repeat them"), s.server.Close())
	}
	s.ingest.Stop()
	tasks.Wait()
	return err
}

// address is where the service is reached from this machine.
func (s *service) address() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// close releases what newService opened, in the reverse order. It does so after run, or instead.
func (s *service) close() error {
	var errs []error
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	if s.spool != nil {
		errs = append(errs, s.spool.Close())
	}
	if s.store != nil {
		errs = append(errs, s.closeStore())
	}
	return errors.Join(errs...)
}

// closeTimeout is how long a database may take to let its connections go.
const closeTimeout = 3 * time.Second

// closeStore does not wait for a database that hangs. Nothing is under way by now, and what is
// left of the connections ends with the process.
func (s *service) closeStore() error {
	closed := make(chan error, 1)
	go func() { closed <- s.store.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTimeout):
		s.log.Warn("the database does not close its connections; left without waiting", "waited", closeTimeout.String())
		return nil
	}
}
