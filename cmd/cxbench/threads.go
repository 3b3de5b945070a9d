package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// threadSettings are the flags of `cxbench threads`.
type threadSettings struct {
	Rate     float64       `json:"rate"`
	Threads  int           `json:"threads"`
	Duration time.Duration `json:"duration_ns"`
	Before   time.Duration `json:"before_ns"` // of the load with an outage: until it begins
	Outage   time.Duration `json:"outage_ns"`
	After    time.Duration `json:"after_ns"`
	CRMDelay time.Duration `json:"crm_delay_ns"`
	Sizes    counts        `json:"sizes"`  // of threads, for the cost of one more message
	Events   int           `json:"events"` // measured on each of them
	Merges   int           `json:"merges"`
}

func (s *threadSettings) flags(flags *flag.FlagSet) {
	flags.Float64Var(&s.Rate, "rate", 1000, "thread events per second")
	flags.IntVar(&s.Threads, "threads", 500, "threads that they are about")
	flags.DurationVar(&s.Duration, "duration", time.Minute, "length of the steady load")
	flags.DurationVar(&s.Before, "before", 15*time.Second, "length of the load before the CRM goes away")
	flags.DurationVar(&s.Outage, "outage", 30*time.Second, "how long the CRM is away")
	flags.DurationVar(&s.After, "after", 30*time.Second, "length of the load after it is back")
	flags.DurationVar(&s.CRMDelay, "crm", 5*time.Millisecond, "how long the CRM takes for an answer")
	flags.IntVar(&s.Events, "events", 300, "events measured on a thread of each size")
	flags.IntVar(&s.Merges, "merges", 300, "merges of two threads of 50 messages, measured one after another")
	s.Sizes = counts{100, 1000, 10_000, 20_000}
	flags.Var(&s.Sizes, "sizes", "messages in the threads for the cost of one more")
}

func (s *threadSettings) shorten() {
	s.Rate, s.Threads, s.Duration, s.Before, s.Outage, s.After = 100, 20, 2*time.Second, time.Second, time.Second, time.Second
	s.Sizes, s.Events, s.Merges = counts{10, 100}, 5, 5
}

func (s *threadSettings) check() error {
	if s.Rate <= 0 || s.Rate > 10_000 || s.Threads < 1 || s.Events < 1 || s.Merges < 1 || slices.Contains(s.Sizes, 0) ||
		!isLength(s.Duration) || !isLength(s.Before) || !isLength(s.Outage) || !isLength(s.After) {
		return errors.New("a flag is out of its bounds; see -h")
	}
	return nil
}

// measure measures how threads get from CXone to the CRM: through cxbridge on its own PostgreSQL, to a CRM
// in this process that notes when it acknowledged which message.
func (s *threadSettings) measure(ctx context.Context, o *options) (_ findings, err error) {
	w, err := newWorkspace(o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.startPostgres(ctx, countingStatements...); err != nil {
		return nil, err
	}
	crm, err := startThreadCRM(s.CRMDelay)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, crm.close()) }()
	t := w.onPostgres(w.cluster.URL)
	t.env = append(t.env, "CRM_API_URL="+crm.url, "CRM_API_TOKEN="+rand.Text())
	server, err := startServer(ctx, w.dir, t.argv, t.env)
	if err != nil {
		return nil, err
	}
	b := &threadCourse{settings: s, server: server, crm: crm, database: w.postgres(w.cluster.URL), secret: w.secret}
	r := &threadReport{Settings: s}
	if r.Machine, err = describeMachine(w.dir); err == nil {
		err = b.run(ctx, r)
	}
	if err != nil {
		err = server.explain(err)
	}
	err = errors.Join(err, w.describe(ctx, t), server.stop())
	r.Databases = w.systems
	return r, err
}

// threadCourse makes the measurements, in turn, on one server.
type threadCourse struct {
	settings *threadSettings
	server   *serverProcess
	crm      *threadCRM
	database *postgresDatabase
	secret   string
}

func (b *threadCourse) run(ctx context.Context, r *threadReport) (err error) {
	if err := b.database.execute(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
		return err
	}
	if err := b.steady(ctx, r); err != nil {
		return fmt.Errorf("steady load: %w", err)
	}
	if err := b.outage(ctx, &r.Outage); err != nil {
		return fmt.Errorf("the CRM goes away: %w", err)
	}
	for _, size := range b.settings.Sizes {
		one, err := b.grow(ctx, size)
		if err != nil {
			return fmt.Errorf("a thread of %d messages: %w", size, err)
		}
		r.Sizes = append(r.Sizes, *one)
	}
	if r.Merges, err = b.merges(ctx); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	return nil
}

// steady puts a constant rate of events on the server, each with a new message.
func (b *threadCourse) steady(ctx context.Context, r *threadReport) error {
	s := b.settings
	if _, err := b.load(ctx, "warm", s.Duration/20+time.Second); err != nil {
		return err
	}
	before, err := b.database.statements(ctx)
	if err != nil {
		return err
	}
	pushes, cpu := b.crm.requests(), cpuOf(b.server)
	run, err := b.load(ctx, "steady", s.Duration)
	if err != nil {
		return err
	}
	after, err := b.database.statements(ctx)
	if err != nil {
		return err
	}
	r.Memory, err = processMemory(b.server.cmd.Process.Pid)
	events := float64(max(1, run.accepted()))
	r.Steady = run.outcome()
	r.Lag, r.Answer = run.lag(), run.answersBetween(time.Time{}, time.Now())
	r.Statements = float64(after-before) / events
	r.Requests = float64(b.crm.requests()-pushes) / events
	r.CPU = time.Duration(float64(cpuOf(b.server)-cpu) / events)
	return err
}

// outage takes the CRM away in the middle of a load.
func (b *threadCourse) outage(ctx context.Context, r *threadOutage) error {
	s := b.settings
	away := time.AfterFunc(s.Before, func() { b.crm.setAway(true) })
	back := time.AfterFunc(s.Before+s.Outage, func() { b.crm.setAway(false) })
	defer away.Stop()
	defer back.Stop()
	began := time.Now()
	run, err := b.load(ctx, "outage", s.Before+s.Outage+s.After)
	if err != nil {
		return err
	}
	from, to := began.Add(s.Before), began.Add(s.Before+s.Outage)
	*r = threadOutage{
		Events: run.outcome(), Before: run.answersBetween(began, from), During: run.answersBetween(from, to),
		After: run.answersBetween(to, time.Now()), Backlog: run.backlog(to), CaughtUp: run.caughtUp(to),
	}
	return nil
}

func cpuOf(server *serverProcess) time.Duration {
	cpu, err := proof.CPU(server.cmd.Process.Pid)
	if err != nil {
		return 0 // it is gone, as the next request will show
	}
	return cpu
}
