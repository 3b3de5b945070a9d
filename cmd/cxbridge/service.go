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

	"github.com/cxbridge/cxbridge/internal/console"
	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/syncer"
	"github.com/cxbridge/cxbridge/internal/telemetry"
)

// service is the whole program behind `serve` and `demo`: a store, ingest in front of it, the syncer
// behind it, and the HTTP server in front of all.
type service struct {
	config     Config
	log        *slog.Logger
	traces     *telemetry.Traces // nil: off
	store      store.Store
	spool      *ingest.Spool  // nil with SQLite, whose database is on the local disk anyway
	syncer     *syncer.Syncer // nil: no CRM is set
	ingest     *ingest.Ingest
	cxone      *cxone.Client // nil: CXone is not called
	subscriber *cxone.Subscriber
	console    *console.Console
	server     *http.Server
	tasks      []task
	listener   net.Listener
	started    time.Time
	stopping   atomic.Bool
	readiness  readiness
}

// postgresWriters is how many group commits run at once on PostgreSQL: one is prepared while the
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

// newService opens all parts, but serves nothing yet. It takes over the listener, even when it fails.
func newService(ctx context.Context, cfg Config, log *slog.Logger, listener net.Listener) (_ *service, err error) {
	s := &service{config: cfg, log: log, listener: frugalListener{listener}, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	registry := prometheus.NewRegistry()
	if err := s.openTelemetry(ctx, registry); err != nil {
		return nil, err
	}
	if s.store, err = openOwnStore(cfg); err != nil {
		return nil, err
	}
	telemetry.RegisterBacklog(registry, s.store)
	if s.syncer, err = newSyncer(cfg, s.store, s.traces, registry, log); err != nil {
		return nil, err
	}
	if err := s.openIngest(registry); err != nil {
		return nil, err
	}
	if s.cxone, err = newCXone(cfg); err != nil {
		return nil, err
	}
	s.subscriber = cxone.NewSubscriber(s.cxone, log)
	registry.MustRegister(s.subscriber)
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
	if cfg.TLS != nil {
		if s.server.TLSConfig, err = cfg.TLS.serverConfig(log); err != nil {
			return nil, err
		}
	}
	s.server.RegisterOnShutdown(gate.StopWaiting)
	s.server.RegisterOnShutdown(s.console.Stop)
	s.tasks = s.housekeeping(registry)
	return s, nil
}

// openTelemetry opens the traces, and registers the metrics that belong to no part.
func (s *service) openTelemetry(ctx context.Context, registry prometheus.Registerer) (err error) {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	telemetry.RegisterBuild(registry, release())
	s.traces, err = telemetry.OpenTraces(ctx, telemetry.TraceConfig{
		Endpoint: s.config.OTLPEndpoint, Ratio: s.config.TraceRatio, Version: release(), Registry: registry, Log: s.log,
	})
	return err
}

// newSyncer returns nil when no CRM is set.
func newSyncer(cfg Config, st store.Store, traces *telemetry.Traces, registry prometheus.Registerer, log *slog.Logger) (*syncer.Syncer, error) {
	if cfg.CRM == nil {
		return nil, nil
	}
	sink, err := newSink(cfg, traces)
	if err != nil {
		return nil, err
	}
	s := syncer.New(syncer.Config{
		Queue: st, Sink: sink, Schema: cfg.CRM.Schema, Workers: cfg.CRM.Workers,
		Metrics: syncer.NewMetrics(registry), Log: log, Traces: traces.Provider(),
	})
	registry.MustRegister(s)
	return s, nil
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
			Log:       s.log,
		},
		Wake: s.wakeSyncer, SLA: s.config.Analytics.SLA,
	})
	return nil
}

func (s *service) wakeSyncer() {
	if s.syncer != nil {
		s.syncer.Wake()
	}
}

// run serves until the context ends, then stops in order: it accepts no more requests and begins no
// push, answers what is in flight, commits what it has accepted, and records the pushes that end.
func (s *service) run(ctx context.Context) error {
	if err := s.ingest.Start(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			s.log.Info("stopping", "cause", context.Cause(ctx))
			return nil
		}
		return err
	}
	background, stopBackground := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { s.subscriber.Run(background) })
	if s.syncer != nil {
		tasks.Go(func() { s.syncer.Run(background) })
	}
	for _, t := range s.tasks {
		tasks.Go(func() { t.Run(background) })
	}

	failed := make(chan error, 1)
	go func() { failed <- s.serve() }()
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

func (s *service) serve() error {
	if s.server.TLSConfig != nil {
		return s.server.ServeTLS(s.listener, "", "")
	}
	return s.server.Serve(s.listener)
}

// address returns the URL at which the service is reached from this machine.
func (s *service) address() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http://"
	if s.config.TLS != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// close releases what newService opened. It is called after run, or instead of it.
func (s *service) close() error {
	var errs []error
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	s.traces.Close()
	if s.spool != nil {
		errs = append(errs, s.spool.Close())
	}
	if s.store != nil {
		errs = append(errs, s.closeStore())
	}
	return errors.Join(errs...)
}

// closeTimeout is how long a database may take to close its connections.
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
		s.log.Warn("the database does not close its connections; not waiting any longer", "waited", closeTimeout.String())
		return nil
	}
}
