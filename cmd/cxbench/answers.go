package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/load"
)

// answerSettings are the flags of `cxbench answers` and `cxbench answers-sqlite`.
type answerSettings struct {
	Database string        `json:"database"` // postgres or sqlite
	Sizes    counts        `json:"sizes"`    // of the databases, in messages
	Rate     float64       `json:"rate"`     // receipts per second that come in
	Asks     float64       `json:"asks"`     // questions per second
	Duration time.Duration `json:"duration_ns"`
	Warmup   time.Duration `json:"warmup_ns"`
	Repeats  int           `json:"repeats"` // of each question, to measure its CPU time

	Rounds int           `json:"rounds"`    // of the comparison with a server that does not count; 0 leaves it out
	Length time.Duration `json:"length_ns"` // of a measurement in it
}

func (s *answerSettings) flags(flags *flag.FlagSet) {
	s.Sizes = counts{100_000, 1_000_000, 10_000_000}
	if s.Database == "sqlite" {
		s.Sizes = counts{1_000_000}
	}
	flags.Var(&s.Sizes, "messages", "sizes of the databases that are asked, in messages; empty asks none")
	flags.Float64Var(&s.Rate, "rate", 5000, "receipts per second that come in meanwhile")
	flags.Float64Var(&s.Asks, "asks", 20, "questions per second; those with a window are each asked twice")
	flags.DurationVar(&s.Duration, "duration", 2*time.Minute, "how long each database is asked")
	flags.DurationVar(&s.Warmup, "warmup", 5*time.Second, "load before that")
	flags.IntVar(&s.Repeats, "repeats", 30, "how often each question is asked beforehand, to measure its CPU time")
	flags.IntVar(&s.Rounds, "rounds", 5, "rounds of the comparison with a server that counts nothing; 0 leaves it out")
	flags.DurationVar(&s.Length, "length", 8*time.Second, "length of each measurement of the comparison")
}

func (s *answerSettings) shorten() {
	s.Sizes, s.Rate, s.Duration, s.Warmup, s.Repeats, s.Rounds, s.Length = counts{2000}, 200, 3*time.Second, 0, 2, 1, 400*time.Millisecond
}

func (s *answerSettings) check() error {
	for _, n := range s.Sizes {
		if n < 1 || n > maxMessages {
			return fmt.Errorf("-messages takes numbers from 1 to %d", maxMessages)
		}
	}
	if s.Rate <= 0 || s.Rate > 100_000 || s.Asks <= 0 || s.Asks > 1000 || !isLength(s.Duration) || s.Warmup < 0 || s.Warmup > maxDuration ||
		s.Repeats < 1 || s.Repeats > 1000 || s.Rounds < 0 || s.Rounds > maxRounds || !isLength(s.Length) {
		return errors.New("a flag is out of its bounds; see -h")
	}
	return nil
}

// measure asks databases of several sizes everything that the API and the console answer about delivery,
// while receipts come in. It also measures what it costs the intake to count.
func (s *answerSettings) measure(ctx context.Context, o *options) (_ findings, err error) {
	w, err := newWorkspace(o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if s.Database == "postgres" {
		if err := w.startPostgres(ctx); err != nil {
			return nil, err
		}
	}
	c := &answerCourse{settings: s, w: w}
	r := &answerReport{Settings: s}
	if r.Machine, err = describeMachine(w.dir); err != nil {
		return nil, err
	}
	for _, size := range s.Sizes {
		one, err := c.size(ctx, size)
		if err != nil {
			return nil, fmt.Errorf("%d messages: %w", size, err)
		}
		r.Sizes = append(r.Sizes, one)
	}
	if s.Rounds > 0 {
		if r.Intake, err = c.intake(ctx); err != nil {
			return nil, err
		}
	}
	r.Databases = w.systems
	return r, nil
}

// answerCourse makes the measurements, in turn.
type answerCourse struct {
	settings *answerSettings
	w        *workspace
}

// size fills a database and asks it.
func (c *answerCourse) size(ctx context.Context, messages int) (*sized, error) {
	name := fmt.Sprintf("answers_%d", messages)
	filled, err := c.w.fillDatabase(ctx, c.settings.Database, name, messages)
	if err != nil {
		return nil, err
	}
	one := &sized{Messages: messages, Filled: filled.took, Bytes: filled.bytes}
	if err := c.measure(ctx, filled.target, filled.stock, one); err != nil {
		return nil, err
	}
	return one, c.remove(ctx, filled.target, name)
}

// remove makes room for the next database.
func (c *answerCourse) remove(ctx context.Context, t *target, name string) error {
	if d, ok := t.database.(*sqliteDatabase); ok {
		return os.Remove(d.path)
	}
	cluster := &postgresDatabase{url: c.w.cluster.URL}
	return cluster.execute(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize())
}

// measure puts the load on a server and asks it meanwhile. Then it compares the counts with the rows.
func (c *answerCourse) measure(ctx context.Context, t *target, stocked *stock, one *sized) error {
	s := c.settings
	if err := t.database.settle(ctx); err != nil {
		return err
	}
	before, err := t.database.counters(ctx)
	if err != nil {
		return err
	}
	server, err := startServer(ctx, c.w.dir, t.argv, t.env)
	if err != nil {
		return err
	}
	cfg := c.w.load()
	cfg.Addr, cfg.Raw, cfg.Connections, cfg.Mixed, cfg.Repeat = server.addr, true, 64, true, 0.3
	cfg.Rate, cfg.Warmup, cfg.Duration = s.Rate, s.Warmup, s.Duration
	err = c.ask(ctx, server, t.database, cfg, stocked, one)
	if err != nil && ctx.Err() == nil {
		err = server.explain(err)
	}
	if err = errors.Join(err, server.stop()); err != nil {
		return err
	}
	after, err := t.database.counters(ctx)
	if err != nil {
		return err
	}
	one.Database = after.since(before).CPU
	rows, err := t.database.rows(ctx, cfg.Prefix)
	if err != nil {
		return err
	}
	return one.Intake.Ledger.Verify(rows)
}

func (c *answerCourse) ask(ctx context.Context, server *serverProcess, db database, cfg load.Config, stocked *stock, one *sized) error {
	asker, err := newAsker(ctx, server.addr, c.w.token, questions(stocked), c.settings.Asks)
	if err != nil {
		return err
	}
	costs, err := c.costs(ctx, server, asker)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		one.Intake, err = load.Run(gctx, cfg)
		return err
	})
	g.Go(func() error {
		select {
		case <-time.After(cfg.Warmup):
		case <-gctx.Done():
			return gctx.Err()
		}
		return asker.run(gctx, cfg.Duration)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if one.Intake.Ledger.Spooled > 0 {
		if err := awaitSpool(ctx, db, cfg.Prefix, &one.Intake.Ledger); err != nil {
			return err
		}
	}
	one.Server = cpuOf(server)
	if one.Memory, err = processMemory(server.cmd.Process.Pid); err != nil {
		return err
	}
	one.sum(asker, costs)
	return one.checkTotal(ctx, asker)
}

// costs measures what each answer costs while nothing else goes on. It is CPU time, which the kernel counts
// in hundredths of a second, so each question is asked several times.
func (c *answerCourse) costs(ctx context.Context, server *serverProcess, a *asker) ([]time.Duration, error) {
	used := func() (cpu time.Duration, err error) {
		if c.w.cluster != nil {
			if cpu, err = familyCPUTime(c.w.cluster.PID()); err != nil {
				return 0, err
			}
		}
		return cpu + cpuOf(server), nil
	}
	costs := make([]time.Duration, len(a.questions))
	forgotten := newMicros()
	for i, q := range a.questions {
		before, err := used()
		if err != nil {
			return nil, err
		}
		for n := range c.settings.Repeats {
			if _, err := a.ask(ctx, q.path(n), time.Now(), forgotten); err != nil {
				return nil, err
			}
		}
		after, err := used()
		if err != nil {
			return nil, err
		}
		costs[i] = (after - before) / time.Duration(c.settings.Repeats)
	}
	return costs, nil
}

// checkTotal compares the answer for the longest window with what the database was filled with and what was
// acknowledged.
func (one *sized) checkTotal(ctx context.Context, a *asker) error {
	body, err := a.ask(ctx, "/analytics/delivery?window=90d", time.Now(), newMicros())
	if err != nil {
		return err
	}
	var report struct {
		Total int64 `json:"totalMessages"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return err
	}
	ledger := &one.Intake.Ledger
	want := int64(one.Messages) + ledger.Messages
	if report.Total < want || report.Total > want+ledger.Unsure {
		return fmt.Errorf("the answer counts %d messages, of which there are %d", report.Total, want)
	}
	return nil
}
