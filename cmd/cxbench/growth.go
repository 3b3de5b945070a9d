package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

// growthSettings are the flags of `cxbench growth`.
type growthSettings struct {
	Duration    time.Duration `json:"duration_ns"`
	Warmup      time.Duration `json:"warmup_ns"`
	Rounds      int           `json:"rounds"`
	Connections counts        `json:"connections"`
	Arrays      counts        `json:"arrays"`
	Replicas    counts        `json:"replicas"`
	Messages    counts        `json:"messages"`        // in the database before, on PostgreSQL
	OnSQLite    counts        `json:"messages_sqlite"` // the same, on SQLite
}

func (s *growthSettings) flags(flags *flag.FlagSet) {
	flags.DurationVar(&s.Duration, "duration", 4*time.Second, "length of a measurement")
	flags.DurationVar(&s.Warmup, "warmup", time.Second, "load before each measurement")
	flags.IntVar(&s.Rounds, "rounds", 3, "how often everything is measured")
	s.Connections, s.Arrays, s.Replicas = counts{1, 8, 64, 256}, counts{1, 10, 100, 1000}, counts{1, 2, 3}
	s.Messages, s.OnSQLite = counts{0, 1_000_000, 10_000_000}, counts{0, 1_000_000}
	flags.Var(&s.Connections, "connections", "connections of the load generator")
	flags.Var(&s.Arrays, "arrays", "receipts in a request")
	flags.Var(&s.Replicas, "replicas", "servers on one PostgreSQL")
	flags.Var(&s.Messages, "messages", "messages that are in PostgreSQL before")
	flags.Var(&s.OnSQLite, "messages-sqlite", "messages that are in SQLite before")
}

func (s *growthSettings) shorten() {
	s.Duration, s.Warmup, s.Rounds = 300*time.Millisecond, 100*time.Millisecond, 1
	s.Connections, s.Arrays, s.Replicas, s.Messages, s.OnSQLite = counts{1, 8}, counts{1, 10}, counts{1, 2}, counts{0, 5000}, counts{0, 5000}
}

func (s *growthSettings) check() error {
	outside := func(c counts, least, most int) bool {
		for _, n := range c {
			if n < least || n > most {
				return true
			}
		}
		return false
	}
	if !isLength(s.Duration) || s.Warmup < 0 || s.Warmup > maxDuration || s.Rounds < 1 || s.Rounds > maxRounds ||
		outside(s.Connections, 1, maxConnections) || outside(s.Arrays, 1, maxBatch) || outside(s.Replicas, 1, 32) ||
		outside(s.Messages, 0, maxMessages) || outside(s.OnSQLite, 0, maxMessages) {
		return errors.New("a flag is out of its bounds; see -h")
	}
	return nil
}

// What grows, one thing at a time. The rest is as in `cxbench receipts`: 64 connections, one receipt per
// request, one server, and a nearly empty database.
const (
	byConnections = "connections"
	byArrays      = "receipts in a request"
	byReplicas    = "servers on one PostgreSQL"
	byMessages    = "messages in the database before"
)

const growthConnections = 64

// growthRun is a measurement at one size of what grows.
type growthRun struct {
	Size int `json:"size"`
	run      // its workload is what grows
}

// growthCourse makes all runs of a round in turn, so that what slows the machine down for a while does not
// affect one size alone.
type growthCourse struct {
	settings *growthSettings
	w        *workspace
	standard []*target        // a, c, d
	filled   []growthDatabase // c and d on databases with messages
}

type growthDatabase struct {
	messages int
	target   *target
}

func (s *growthSettings) measure(ctx context.Context, o *options) (_ findings, err error) {
	w, err := newWorkspace(o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.startPostgres(ctx); err != nil {
		return nil, err
	}
	c := &growthCourse{settings: s, w: w}
	r := &growthReport{Settings: s}
	if r.Machine, err = describeMachine(w.dir); err != nil {
		return nil, err
	}
	if c.standard, err = w.standard([]string{"a", "c", "d"}, w.cluster.URL, naivePool); err != nil {
		return nil, err
	}
	if _, err := w.makeSchemas(ctx, c.standard); err != nil {
		return nil, err
	}
	if err := c.fill(ctx); err != nil {
		return nil, err
	}
	for round := 1; round <= s.Rounds; round++ {
		runs, err := c.round(ctx, round)
		if err != nil {
			return nil, err
		}
		r.Runs = append(r.Runs, runs...)
	}
	r.Databases = w.systems
	return r, nil
}

// fill makes the databases of several sizes.
func (c *growthCourse) fill(ctx context.Context) error {
	fill := func(kind string, sizes counts) error {
		for _, messages := range sizes {
			filled, err := c.w.fillDatabase(ctx, kind, fmt.Sprintf("grown_%d", messages), messages)
			if err != nil {
				return fmt.Errorf("%d messages: %w", messages, err)
			}
			c.filled = append(c.filled, growthDatabase{messages, filled.target})
		}
		return nil
	}
	if err := fill("postgres", c.settings.Messages); err != nil {
		return err
	}
	return fill("sqlite", c.settings.OnSQLite)
}

func (c *growthCourse) round(ctx context.Context, round int) (runs []growthRun, err error) {
	for _, step := range c.steps() {
		one, err := step.measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %d: %w", step.what, step.size, err)
		}
		one.Round, one.Workload = round, step.what
		runs = append(runs, growthRun{Size: step.size, run: *one})
		fmt.Fprintf(os.Stderr, "%s, %s: %d\n", one.progress(c.settings.Rounds), step.what, step.size)
	}
	return runs, nil
}

// growthStep is one measurement of a round.
type growthStep struct {
	what    string
	size    int
	measure func(context.Context) (*run, error)
}

func (c *growthCourse) steps() (steps []growthStep) {
	add := func(what string, size int, t *target, connections, batch int) {
		steps = append(steps, growthStep{what, size, func(ctx context.Context) (*run, error) {
			return c.w.measure(ctx, t, c.load(connections, batch))
		}})
	}
	for _, t := range c.standard {
		for _, n := range c.settings.Connections {
			add(byConnections, n, t, n, 1)
		}
		for _, n := range c.settings.Arrays {
			if t.isOurs {
				add(byArrays, n, t, growthConnections, n)
			}
		}
	}
	for _, n := range c.settings.Replicas {
		steps = append(steps, growthStep{byReplicas, n, func(ctx context.Context) (*run, error) { return c.replicas(ctx, n) }})
	}
	for _, d := range c.filled {
		add(byMessages, d.messages, d.target, growthConnections, 1)
	}
	return steps
}

func (c *growthCourse) load(connections, batch int) load.Config {
	cfg := c.w.load()
	cfg.Connections, cfg.Batch, cfg.Warmup, cfg.Duration = connections, batch, c.settings.Warmup, c.settings.Duration
	return cfg
}
