package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

// receiptSettings are the flags of `cxbench receipts`.
type receiptSettings struct {
	Duration    time.Duration `json:"duration_ns"`
	Warmup      time.Duration `json:"warmup_ns"`
	Rounds      int           `json:"rounds"`
	Connections int           `json:"connections"`
	Client      string        `json:"client"`
	Batch       int           `json:"batch"`
	Repeat      float64       `json:"repeat"`
	Rate        float64       `json:"rate"`
	NaivePool   int           `json:"naive_pool"`
	Only        words         `json:"only"`
	Loads       words         `json:"loads"`

	postgres string
}

func (s *receiptSettings) flags(flags *flag.FlagSet) {
	flags.DurationVar(&s.Duration, "duration", 8*time.Second, "length of a measurement")
	flags.DurationVar(&s.Warmup, "warmup", 2*time.Second, "load before each measurement")
	flags.IntVar(&s.Rounds, "rounds", 3, "how often every server has its turn")
	flags.IntVar(&s.Connections, "connections", 64, "connections of the load generator")
	flags.StringVar(&s.Client, "client", "library", "the HTTP client of the load generator: that of net/http (library), or one that does no more than it must (raw)")
	flags.IntVar(&s.Batch, "batch", 100, "receipts in a request of the load \"array\"")
	flags.Float64Var(&s.Repeat, "repeat", 0.3, "share of second receipts in the load \"repeat\", at most 0.5")
	flags.Float64Var(&s.Rate, "rate", 0, "requests per second of the load \"open\"; 0 is half of what the server did in \"single\"")
	flags.IntVar(&s.NaivePool, "naive-pool", naivePool, "database connections of the naive handler; ten are what the tutorial's library takes")
	s.Only, s.Loads = words{"a", "b", "c", "d"}, words{"single", "repeat", "array", "open"}
	flags.Var(&s.Only, "only", "the servers: a bare net/http, b naive, c cxbridge on PostgreSQL, d cxbridge on SQLite")
	flags.Var(&s.Loads, "loads", "the loads; a and b have \"single\" and \"open\"")
	flags.StringVar(&s.postgres, "postgres", "", "URL of an empty database to use instead of a throwaway PostgreSQL")
}

func (s *receiptSettings) shorten() {
	s.Duration, s.Warmup, s.Rounds, s.Connections = 400*time.Millisecond, 100*time.Millisecond, 1, 8
}

func (s *receiptSettings) check() error {
	errs := []error{onlyLetters(s.Only)}
	if s.Rounds < 1 || s.Rounds > maxRounds {
		errs = append(errs, fmt.Errorf("-rounds must be from 1 to %d", maxRounds))
	}
	if !isLength(s.Duration) || s.Warmup < 0 || s.Warmup > maxDuration {
		errs = append(errs, fmt.Errorf("-duration and -warmup must be positive, and at most %s", maxDuration))
	}
	if s.Connections < 1 || s.Connections > maxConnections {
		errs = append(errs, fmt.Errorf("-connections must be from 1 to %d", maxConnections))
	}
	if s.Client != "library" && s.Client != "raw" {
		errs = append(errs, errors.New("-client must be library or raw"))
	}
	if s.Batch < 2 || s.Batch > maxBatch {
		errs = append(errs, fmt.Errorf("-batch must be from 2 to %d", maxBatch))
	}
	if s.Repeat < 0 || s.Repeat > 0.5 {
		errs = append(errs, errors.New("-repeat must be from 0 to 0.5"))
	}
	if s.Rate < 0 {
		errs = append(errs, errors.New("-rate must not be negative"))
	}
	if s.NaivePool < 1 {
		errs = append(errs, errors.New("-naive-pool must be at least 1"))
	}
	for _, name := range s.Loads {
		if !isWorkload(name) {
			errs = append(errs, fmt.Errorf("-loads: there is no load %q", name))
		}
	}
	return errors.Join(errs...)
}

// workload is a kind of load. Each is put on a freshly started server.
type workload struct {
	name  string
	title string
	all   bool // on the baselines too
	shape func(*load.Config, *receiptSettings)
}

var workloads = []workload{
	{"single", "One receipt per request, closed loop", true, func(*load.Config, *receiptSettings) {}},
	{"repeat", "The same, with second receipts for messages already seen", false, func(c *load.Config, s *receiptSettings) { c.Repeat = s.Repeat }},
	{"array", "Arrays of receipts, closed loop", false, func(c *load.Config, s *receiptSettings) { c.Batch = s.Batch }},
	{"open", "One receipt per request, open loop: sent at a constant rate", true, func(c *load.Config, s *receiptSettings) { c.Rate = s.Rate }},
}

func isWorkload(name string) bool {
	return slices.ContainsFunc(workloads, func(w workload) bool { return w.name == name })
}

// receiptReport holds all results about receipts.
type receiptReport struct {
	Machine   machine          `json:"machine"`
	Databases []string         `json:"databases"`
	Settings  *receiptSettings `json:"settings"`
	FirstRuns []firstStart     `json:"first_starts"`
	Runs      []run            `json:"runs"`
	Took      time.Duration    `json:"took_ns"`
}

// firstStart is a start that had to make the schema.
type firstStart struct {
	Target string        `json:"target"`
	Ready  time.Duration `json:"ready_ns"`
}

func (s *receiptSettings) measure(ctx context.Context, o *options) (_ findings, err error) {
	began := time.Now()
	w, err := newWorkspace(o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	address := s.postgres
	if address == "" && (slices.Contains(s.Only, "b") || slices.Contains(s.Only, "c")) {
		if err := w.startPostgres(ctx); err != nil {
			return nil, err
		}
		address = w.cluster.URL
	}
	targets, err := w.standard(s.Only, address, s.NaivePool)
	if err != nil {
		return nil, err
	}
	r := &receiptReport{Settings: s}
	if r.Machine, err = describeMachine(w.dir); err != nil {
		return nil, err
	}
	if r.FirstRuns, err = w.makeSchemas(ctx, targets); err != nil {
		return nil, err
	}
	for round := 1; round <= s.Rounds; round++ {
		if err := r.round(ctx, w, targets, round); err != nil {
			return nil, err
		}
	}
	r.Databases, r.Took = w.systems, time.Since(began)
	return r, nil
}

// makeSchemas starts each server once, so that every later start finds an existing database, and notes the
// settings of the databases.
func (w *workspace) makeSchemas(ctx context.Context, targets []*target) (starts []firstStart, err error) {
	for _, t := range targets {
		server, err := startServer(ctx, w.dir, t.argv, t.env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", label(t.key), err)
		}
		starts = append(starts, firstStart{Target: t.key, Ready: server.ready})
		if err := server.stop(); err != nil {
			return nil, fmt.Errorf("%s: %w", label(t.key), err)
		}
	}
	return starts, w.describe(ctx, targets...)
}

// round gives every server its turn under every load.
func (r *receiptReport) round(ctx context.Context, w *workspace, targets []*target, round int) error {
	for _, l := range workloads {
		if !slices.Contains(r.Settings.Loads, l.name) {
			continue
		}
		for _, t := range targets {
			if !l.all && !t.isOurs {
				continue
			}
			one, err := w.measure(ctx, t, r.load(w, l, t, round))
			if err != nil {
				return fmt.Errorf("%s under load %q: %w", label(t.key), l.name, err)
			}
			one.Round, one.Workload = round, l.name
			r.Runs = append(r.Runs, *one)
			fmt.Fprintln(os.Stderr, one.progress(r.Settings.Rounds))
		}
	}
	return nil
}

// load is the configuration of a run. An open loop without a set rate runs at half of what the
// server did in the closed loop of the same round.
func (r *receiptReport) load(w *workspace, l workload, t *target, round int) load.Config {
	s, cfg := r.Settings, w.load()
	cfg.Raw, cfg.Connections, cfg.Warmup, cfg.Duration = s.Client == "raw", s.Connections, s.Warmup, s.Duration
	l.shape(&cfg, s)
	if l.name == "open" && cfg.Rate == 0 {
		cfg.Rate = 1000
		for _, one := range r.Runs {
			if one.Round == round && one.Target == t.key && one.Workload == "single" {
				cfg.Rate = max(1, one.Result.PerSecond/2)
			}
		}
	}
	return cfg
}
