package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

// workload is a kind of load. Each is put on a freshly started server.
type workload struct {
	name  string
	title string
	all   bool // on the baselines too
	shape func(*load.Config, *settings)
}

var workloads = []workload{
	{"single", "One receipt per request, closed loop", true, func(*load.Config, *settings) {}},
	{"repeat", "The same, with second receipts for messages already seen", false, func(c *load.Config, s *settings) { c.Repeat = s.Repeat }},
	{"array", "Arrays of receipts, closed loop", false, func(c *load.Config, s *settings) { c.Batch = s.Batch }},
	{"open", "One receipt per request, open loop: sent at a constant rate", true, func(c *load.Config, s *settings) { c.Rate = s.Rate }},
}

func isWorkload(name string) bool {
	return slices.ContainsFunc(workloads, func(w workload) bool { return w.name == name })
}

// run is one measurement of one server under one load.
type run struct {
	Round    int           `json:"round"` // from 1
	Target   string        `json:"target"`
	Workload string        `json:"workload"`
	Rate     float64       `json:"rate,omitempty"` // requests per second of an open loop
	Ready    time.Duration `json:"ready_ns"`       // from the start of the process to the first 200 of /readyz
	Result   load.Result   `json:"result"`
	Rows     load.Rows     `json:"rows"`
	Verified string        `json:"verified"` // "" or what is wrong
	Memory   memory        `json:"memory"`   // of the server, at the end of the load
	Cost     cost          `json:"cost"`
}

// cost is what a whole run took, warm-up included.
type cost struct {
	Generator time.Duration `json:"generator_cpu_ns"`
	Server    time.Duration `json:"server_cpu_ns"`
	Database  counters      `json:"database"`
}

// report is everything a bench found out.
type report struct {
	Machine   machine       `json:"machine"`
	Databases []string      `json:"databases"`
	Settings  *settings     `json:"settings"`
	FirstRuns []firstStart  `json:"first_starts"`
	Runs      []run         `json:"runs"`
	Took      time.Duration `json:"took_ns"`
}

// firstStart is a start that had to make the schema.
type firstStart struct {
	Target string        `json:"target"`
	Ready  time.Duration `json:"ready_ns"`
}

// bench makes all runs and prints the report.
func bench(ctx context.Context, s *settings) (err error) {
	began := time.Now()
	w, err := newWorkspace(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r := &report{Settings: s}
	if r.Machine, err = describeMachine(w.dir); err != nil {
		return err
	}
	if err := w.makeSchemas(ctx, r); err != nil {
		return err
	}
	if err := w.describeDatabases(ctx); err != nil {
		return err
	}
	r.Databases = w.systems
	for round := 1; round <= s.Rounds; round++ {
		if err := w.round(ctx, s, r, round); err != nil {
			return err
		}
	}
	r.Took = time.Since(began)
	r.print(os.Stdout)
	if s.json != "" {
		if err := r.save(s.json); err != nil {
			return err
		}
	}
	return r.verdict()
}

// makeSchemas starts each server once, so that every start in the rounds is one on an existing
// database.
func (w *workspace) makeSchemas(ctx context.Context, r *report) error {
	for _, t := range w.targets {
		server, err := startServer(ctx, w.dir, t.argv, t.env)
		if err != nil {
			return fmt.Errorf("%s: %w", label(t.key), err)
		}
		r.FirstRuns = append(r.FirstRuns, firstStart{Target: t.key, Ready: server.ready})
		if err := server.stop(); err != nil {
			return fmt.Errorf("%s: %w", label(t.key), err)
		}
	}
	return nil
}

// round gives every server its turn under every load.
func (w *workspace) round(ctx context.Context, s *settings, r *report, round int) error {
	for _, l := range workloads {
		if !slices.Contains(s.Loads, l.name) {
			continue
		}
		for _, t := range w.targets {
			if !l.all && !t.isOurs {
				continue
			}
			one, err := w.measure(ctx, t, w.load(s, r, l, t, round))
			if err != nil {
				return fmt.Errorf("%s under load %q: %w", label(t.key), l.name, err)
			}
			one.Round, one.Workload = round, l.name
			r.Runs = append(r.Runs, *one)
			fmt.Fprintln(os.Stderr, one.progress(s.Rounds))
		}
	}
	return nil
}

// load is the configuration of a run. An open loop without a set rate runs at half of what the
// server did in the closed loop of the same round.
func (w *workspace) load(s *settings, r *report, l workload, t *target, round int) load.Config {
	cfg := load.Config{
		Path:        webhookPath,
		Header:      map[string]string{"X-Webhook-Secret": w.secret},
		Prefix:      strings.ToLower(rand.Text()[:8]),
		Raw:         s.Client == "raw",
		Connections: s.Connections, Warmup: s.Warmup, Duration: s.Duration,
	}
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

// measure starts the server, puts the load on it, stops it, and counts the rows. Its error means
// that there is no measurement; rows that are wrong are noted in the run.
func (w *workspace) measure(ctx context.Context, t *target, cfg load.Config) (*run, error) {
	one := &run{Target: t.key, Rate: cfg.Rate}
	var before counters
	var err error
	if t.database != nil {
		if err := t.database.settle(ctx); err != nil {
			return nil, err
		}
		if before, err = t.database.counters(ctx); err != nil {
			return nil, err
		}
	}
	server, err := startServer(ctx, w.dir, t.argv, t.env)
	if err != nil {
		return nil, err
	}
	one.Ready, cfg.Addr = server.ready, server.addr
	err = one.putLoad(ctx, server, cfg)
	if err == nil && one.Result.Ledger.Spooled > 0 {
		err = awaitSpool(ctx, t.database, cfg.Prefix, &one.Result.Ledger)
	}
	if err = errors.Join(err, server.stop()); err != nil || t.database == nil {
		return one, err
	}
	after, err := t.database.counters(ctx)
	if err != nil {
		return nil, err
	}
	one.Cost.Database = after.since(before)
	return one, one.verify(ctx, t.database, cfg.Prefix)
}

func (r *run) putLoad(ctx context.Context, server *serverProcess, cfg load.Config) error {
	self, pid := os.Getpid(), server.cmd.Process.Pid
	generator, err := cpuTime(self)
	if err != nil {
		return err
	}
	if r.Result, err = load.Run(ctx, cfg); err != nil {
		if ctx.Err() == nil {
			err = server.explain(err)
		}
		return err
	}
	if r.Memory, err = processMemory(pid); err != nil {
		return err
	}
	if r.Cost.Server, err = cpuTime(pid); err != nil {
		return err
	}
	after, err := cpuTime(self)
	r.Cost.Generator = after - generator
	return err
}

func (r *run) verify(ctx context.Context, db database, prefix string) error {
	var err error
	if r.Rows, err = db.rows(ctx, prefix); err != nil {
		return err
	}
	if err := r.Result.Ledger.Verify(r.Rows); err != nil {
		r.Verified = err.Error()
	}
	return nil
}

// awaitSpool gives receipts that were acknowledged into the spool the time to reach the database.
// Whether they did is found out after that.
func awaitSpool(ctx context.Context, db database, prefix string, ledger *load.Ledger) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for {
		rows, err := db.rows(ctx, prefix)
		if err == nil && ledger.Verify(rows) == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// verdict is an error when any run broke the promise of a 2xx.
func (r *report) verdict() error {
	var errs []error
	for _, one := range r.Runs {
		if one.Verified != "" {
			errs = append(errs, fmt.Errorf("%s, load %q, round %d: %s", one.Target, one.Workload, one.Round, one.Verified))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the rows do not match the 2xx answers:\n%w", err)
	}
	return nil
}
