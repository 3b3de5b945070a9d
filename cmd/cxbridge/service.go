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

	"github.com/cxbridge/cxbridge/internal/console"
	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/webhook"
)

// service is the whole program behind `serve` and `demo`: a store, ingest in front of it, and the
// HTTP server in front of both.
type service struct {
	config     Config
	log        *slog.Logger
	store      store.Store
	spool      *ingest.Spool // nil with SQLite: where the database is, there is the disk
	ingest     *ingest.Ingest
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

// smsPath is where CXone posts SMS delivery receipts.
const smsPath = "/webhooks/cxone/sms"

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

	if err := s.openIngest(ctx, registry); err != nil {
		return nil, err
	}
	if s.subscriber, err = newSubscriber(cfg, log); err != nil {
		return nil, err
	}
	handler, err := s.handler(registry)
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return s, nil
}

func (s *service) openIngest(ctx context.Context, registry prometheus.Registerer) (err error) {
	if s.store, err = openStore(ctx, s.config); err != nil {
		return err
	}
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
		},
	})
	return nil
}

func newSubscriber(cfg Config, log *slog.Logger) (*cxone.Subscriber, error) {
	client, err := newCXone(cfg)
	if err != nil {
		return nil, err
	}
	return cxone.NewSubscriber(client, log), nil
}

// handler is the one place that says which path leads where.
func (s *service) handler(registry *prometheus.Registry) (http.Handler, error) {
	texts := make([]string, len(s.config.WebhookSecrets))
	for i, secret := range s.config.WebhookSecrets {
		texts[i] = secret.Reveal()
	}
	secrets, err := webhook.NewSecrets(texts...)
	if err != nil {
		return nil, err
	}
	gate := webhook.NewGate(webhook.Options{
		Secrets: secrets, Limits: webhook.Limits{Bytes: s.config.MaxInFlightBytes}, Logger: s.log, Registry: registry,
	})
	people, err := console.New(console.Config{
		AdminToken: s.config.AdminToken.Reveal(), ViewerToken: s.config.ViewerToken.Reveal(),
		Store:    s.store,
		Replayer: &ingest.Replayer{Store: s.store, Reader: s.ingest.Reader(), Submit: s.ingest.Submit},
		Figures:  s, Health: s,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Version: versionOf(version, built, nil).version, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	receipts := gate.SMS(s.ingest)
	// No ServeMux: it would redirect paths that are not clean, where the console tells an error.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == smsPath {
			receipts.ServeHTTP(w, r)
			return
		}
		people.ServeHTTP(w, r)
	}), nil
}

// run serves until the context ends, then stops in order: it accepts nothing more, answers what is
// in flight, and commits what it has accepted.
func (s *service) run(ctx context.Context) error {
	if err := s.ingest.Start(ctx); err != nil {
		return err
	}
	background, stopBackground := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { s.subscriber.Run(background) })

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
