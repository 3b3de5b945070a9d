package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

// answerSettings are the flags of `cxbench answers`.
type answerSettings struct {
	Sizes    []int // of the databases, in messages
	Database string
	Rate     float64 // receipts per second that come in
	Asks     float64 // questions per second
	Duration time.Duration
	Warmup   time.Duration
	Repeats  int // of each question, to measure its CPU time

	Rounds int           // of the comparison with a server that does not count; 0 leaves it out
	Length time.Duration // of a measurement in it

	dir, cxbridge string
}

// The bounds keep a slip of the finger from filling the disk.
const maxMessages = 50_000_000

func parseAnswerSettings(args []string) (*answerSettings, error) {
	s := &answerSettings{}
	flags := flag.NewFlagSet("cxbench answers", flag.ContinueOnError)
	sizes := flags.String("messages", "100000,1000000,10000000", "sizes of the databases that are asked, in messages; empty asks none")
	flags.StringVar(&s.Database, "database", "postgres", "postgres or sqlite")
	flags.Float64Var(&s.Rate, "rate", 5000, "receipts per second that come in meanwhile")
	flags.Float64Var(&s.Asks, "asks", 20, "questions per second; those with a window are each asked twice")
	flags.DurationVar(&s.Duration, "duration", 2*time.Minute, "how long each database is asked")
	flags.DurationVar(&s.Warmup, "warmup", 5*time.Second, "load before that")
	flags.IntVar(&s.Repeats, "repeats", 30, "how often each question is asked beforehand, to measure its CPU time")
	flags.IntVar(&s.Rounds, "rounds", 5, "rounds of the comparison with a server that counts nothing; 0 leaves it out")
	flags.DurationVar(&s.Length, "length", 8*time.Second, "length of each measurement of the comparison")
	flags.StringVar(&s.dir, "dir", "", "where the databases live while it runs; empty is the system's temporary folder")
	flags.StringVar(&s.cxbridge, "cxbridge", "", "a cxbridge binary to use instead of building one")
	short := flags.Bool("short", false, "a few seconds, to see that everything works; its figures mean nothing")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *short {
		*sizes, s.Rate, s.Duration, s.Warmup, s.Repeats, s.Rounds, s.Length = "2000", 200, 3*time.Second, 0, 2, 1, 400*time.Millisecond
	}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if text != "" && (err != nil || n < 1 || n > maxMessages) {
			return nil, fmt.Errorf("cxbench answers: -messages takes numbers from 1 to %d", maxMessages)
		}
		if n > 0 {
			s.Sizes = append(s.Sizes, n)
		}
	}
	switch {
	case s.Database != "postgres" && s.Database != "sqlite":
		return nil, errors.New("cxbench answers: -database must be postgres or sqlite")
	case flags.NArg() > 0, s.Rate <= 0, s.Rate > 100_000, s.Asks <= 0, s.Asks > 1000, s.Duration <= 0, s.Duration > maxDuration,
		s.Warmup < 0, s.Warmup > maxDuration, s.Repeats < 1, s.Repeats > 1000, s.Rounds < 0, s.Rounds > maxRounds, s.Length <= 0, s.Length > maxDuration:
		return nil, errors.New("cxbench answers: a flag is out of its bounds; see -h")
	}
	return s, nil
}

// answerBench asks databases of several sizes everything that the API and the console answer about
// delivery, while receipts come in; and measures what it costs the intake to count.
func answerBench(ctx context.Context, s *answerSettings) (err error) {
	w := &workspace{secret: rand.Text()}
	if w.dir, err = os.MkdirTemp(s.dir, "cxbench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := os.Chmod(w.dir, 0o711); err != nil {
		return err
	}
	c := &answerCourse{settings: s, w: w, token: rand.Text()}
	if c.binary, err = w.cxbridge(ctx, s.cxbridge); err != nil {
		return err
	}
	if s.Database == "postgres" {
		if w.cluster, err = pgtest.Start(ctx, w.dir, serverSettings...); err != nil {
			return err
		}
	}
	machine, err := describeMachine(w.dir)
	if err != nil {
		return err
	}
	fmt.Printf("- %s\n", machine)
	for _, size := range s.Sizes {
		if err := c.size(ctx, size); err != nil {
			return fmt.Errorf("%d messages: %w", size, err)
		}
	}
	c.printAnswers(os.Stdout)
	if s.Rounds == 0 {
		return nil
	}
	return c.intake(ctx, os.Stdout)
}

// answerCourse is what is measured, in turn.
type answerCourse struct {
	settings *answerSettings
	w        *workspace
	binary   string
	token    string // of the operator
	sizes    []*sized
}

// sized is what was measured on a database of a size.
type sized struct {
	messages int
	filled   time.Duration
	bytes    int64 // of the database
	asker    *asker
	costs    []time.Duration // by question: CPU time of server and database for an answer
	intake   load.Result
	server   time.Duration // CPU time, of asking and intake
	database time.Duration
	memory   memory
}

// open makes an empty database. Its store is for this process, to fill it; the server gets the
// environment.
func (c *answerCourse) open(ctx context.Context, name string) (store.Store, *target, error) {
	t := &target{argv: []string{c.binary, "serve"}, isOurs: true}
	var st store.Store
	var address string
	if c.settings.Database == "sqlite" {
		path := filepath.Join(c.w.dir, name+".db")
		opened, err := sqlite.Open(path)
		if err != nil {
			return nil, nil, err
		}
		st, address, t.database = opened, "sqlite:"+path, &sqliteDatabase{path: path}
	} else {
		url, err := c.w.cluster.CreateDatabase(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		opened, err := postgres.Open(url)
		if err != nil {
			return nil, nil, err
		}
		st, address = opened, url
		t.database = &postgresDatabase{url: url, messages: "sms_messages", history: "sms_receipts", postmaster: c.w.cluster.PID()}
	}
	t.env = []string{
		"DATABASE_URL=" + address, "WEBHOOK_SECRET=" + c.w.secret, "ADMIN_TOKEN=" + c.token,
		"SPOOL_DIR=" + filepath.Join(c.w.dir, "spool-"+name),
	}
	return st, t, nil
}

// size fills a database and asks it.
func (c *answerCourse) size(ctx context.Context, messages int) error {
	name := fmt.Sprintf("answers_%d", messages)
	st, t, err := c.open(ctx, name)
	if err != nil {
		return err
	}
	began, writers := time.Now(), 2
	if c.settings.Database == "sqlite" {
		writers = 1 // transactions take turns, and rows are to be in the order of time
	}
	stocked, err := fill(ctx, st, messages, writers)
	one := &sized{messages: messages, filled: time.Since(began)}
	if err == nil {
		var d store.Description
		d, err = st.Describe(ctx)
		one.bytes = d.Bytes
	}
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	if c.settings.Database == "postgres" {
		// What autovacuum does sooner or later must not fall into the measurement.
		if err := t.database.execute(ctx, "VACUUM (ANALYZE)"); err != nil {
			return err
		}
	}
	if len(c.w.systems) == 0 {
		line, err := t.database.describe(ctx)
		if err != nil {
			return err
		}
		c.w.systems = append(c.w.systems, line)
		fmt.Printf("- %s\n", line)
	}
	fmt.Fprintf(os.Stderr, "%d messages filled in %s\n", messages, one.filled.Round(time.Second))
	if err := c.measure(ctx, t, stocked, one); err != nil {
		return err
	}
	c.sizes = append(c.sizes, one)
	return c.remove(ctx, t, name)
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
	cfg := load.Config{
		Addr: server.addr, Path: webhookPath, Header: map[string]string{"X-Webhook-Secret": c.w.secret},
		Prefix: strings.ToLower(rand.Text()[:8]), Raw: true, Connections: 64, Mixed: true, Repeat: 0.3,
		Rate: s.Rate, Warmup: s.Warmup, Duration: s.Duration,
	}
	err = c.ask(ctx, server, cfg, stocked, one)
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
	one.database = after.since(before).CPU
	rows, err := t.database.rows(ctx, cfg.Prefix)
	if err != nil {
		return err
	}
	return one.intake.Ledger.Verify(rows)
}

func (c *answerCourse) ask(ctx context.Context, server *serverProcess, cfg load.Config, stocked *stock, one *sized) (err error) {
	if one.asker, err = newAsker(ctx, server.addr, c.token, questions(stocked), c.settings.Asks); err != nil {
		return err
	}
	if one.costs, err = c.costs(ctx, server, one.asker); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		one.intake, err = load.Run(gctx, cfg)
		return err
	})
	g.Go(func() error {
		select {
		case <-time.After(cfg.Warmup):
		case <-gctx.Done():
			return gctx.Err()
		}
		return one.asker.run(gctx, cfg.Duration)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	one.server = cpuOf(server)
	if one.memory, err = processMemory(server.cmd.Process.Pid); err != nil {
		return err
	}
	return one.checkTotal(ctx)
}

// costs measures what each answer costs while nothing else goes on. It is CPU time, of which the kernel
// tells hundredths of a second, so each question is asked several times.
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

// checkTotal compares the answer for the longest window with what is in the database: what it was
// filled with, and what was acknowledged.
func (one *sized) checkTotal(ctx context.Context) error {
	body, err := one.asker.ask(ctx, "/analytics/delivery?window=90d", time.Now(), newMicros())
	if err != nil {
		return err
	}
	var report struct {
		Total int64 `json:"totalMessages"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		return err
	}
	ledger := &one.intake.Ledger
	want := int64(one.messages) + ledger.Messages
	if report.Total < want || report.Total > want+ledger.Unsure {
		return fmt.Errorf("the answer counts %d messages, of which there are %d", report.Total, want)
	}
	return nil
}
