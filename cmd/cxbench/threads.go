package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// threadSettings are the flags of `cxbench threads`.
type threadSettings struct {
	Rate     float64
	Threads  int
	Duration time.Duration
	Before   time.Duration // of the load with an outage: until it begins
	Outage   time.Duration
	After    time.Duration
	CRMDelay time.Duration
	Sizes    []int // of threads, for the cost of one more message
	Events   int   // measured on each of them

	dir, cxbridge string
}

func parseThreadSettings(args []string) (*threadSettings, error) {
	s := &threadSettings{Sizes: []int{100, 1000, 10_000, 20_000}}
	flags := flag.NewFlagSet("cxbench threads", flag.ContinueOnError)
	flags.Float64Var(&s.Rate, "rate", 1000, "thread events per second")
	flags.IntVar(&s.Threads, "threads", 500, "threads that they are about")
	flags.DurationVar(&s.Duration, "duration", time.Minute, "length of the steady load")
	flags.DurationVar(&s.Before, "before", 15*time.Second, "length of the load before the CRM goes away")
	flags.DurationVar(&s.Outage, "outage", 30*time.Second, "how long the CRM is away")
	flags.DurationVar(&s.After, "after", 30*time.Second, "length of the load after it is back")
	flags.DurationVar(&s.CRMDelay, "crm", 5*time.Millisecond, "how long the CRM takes for an answer")
	flags.IntVar(&s.Events, "events", 300, "events measured on a thread of each size")
	flags.StringVar(&s.dir, "dir", "", "where the database lives while it runs; empty is the system's temporary folder")
	flags.StringVar(&s.cxbridge, "cxbridge", "", "a cxbridge binary to use instead of building one")
	short := flags.Bool("short", false, "a few seconds, to see that everything works; its figures mean nothing")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *short {
		s.Rate, s.Threads, s.Duration, s.Before, s.Outage, s.After = 100, 20, 2*time.Second, time.Second, time.Second, time.Second
		s.Sizes, s.Events = []int{10, 100}, 5
	}
	if flags.NArg() > 0 || s.Rate <= 0 || s.Rate > 10_000 || s.Threads < 1 || s.Duration > maxDuration || s.Outage > maxDuration {
		return nil, errors.New("cxbench threads: a flag is out of its bounds; see -h")
	}
	return s, nil
}

// threadBench measures how threads get from CXone to the CRM: cxbridge on a PostgreSQL of its own,
// and a CRM in this process that notes when it has acknowledged which message.
func threadBench(ctx context.Context, s *threadSettings) (err error) {
	w := &workspace{secret: rand.Text()}
	if w.dir, err = os.MkdirTemp(s.dir, "cxbench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := os.Chmod(w.dir, 0o711); err != nil {
		return err
	}
	binary, err := w.cxbridge(ctx, s.cxbridge)
	if err != nil {
		return err
	}
	settings := append([]string{"shared_preload_libraries=pg_stat_statements"}, serverSettings...)
	if w.cluster, err = pgtest.Start(ctx, w.dir, settings...); err != nil {
		return err
	}
	crm, err := startThreadCRM(s.CRMDelay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, crm.close()) }()
	server, err := startServer(ctx, w.dir, []string{binary, "serve"}, []string{
		"DATABASE_URL=" + w.cluster.URL, "WEBHOOK_SECRET=" + w.secret, "ADMIN_TOKEN=" + rand.Text(),
		"SPOOL_DIR=" + filepath.Join(w.dir, "spool"), "CRM_API_URL=" + crm.url, "CRM_API_TOKEN=" + rand.Text(),
	})
	if err != nil {
		return err
	}
	b := &threadCourse{settings: s, server: server, crm: crm, database: w.cluster.URL, secret: w.secret, out: os.Stdout}
	if b.machine, err = describeMachine(w.dir); err == nil {
		err = b.run(ctx)
	}
	if err != nil {
		err = server.explain(err)
	}
	return errors.Join(err, server.stop())
}

// threadCourse is what is measured, in turn, on one server.
type threadCourse struct {
	settings *threadSettings
	server   *serverProcess
	crm      *threadCRM
	database string
	secret   string
	machine  machine
	out      *os.File
}

func (b *threadCourse) run(ctx context.Context) error {
	s := b.settings
	fmt.Fprintf(b.out, "- %s\n- cxbridge on PostgreSQL, both and the CRM (%s an answer) and the load on this machine\n", b.machine, s.CRMDelay)
	if err := b.countStatements(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements", nil); err != nil {
		return err
	}
	if err := b.steady(ctx); err != nil {
		return fmt.Errorf("steady load: %w", err)
	}
	if err := b.outage(ctx); err != nil {
		return fmt.Errorf("the CRM goes away: %w", err)
	}
	if err := b.sizes(ctx); err != nil {
		return fmt.Errorf("threads of several sizes: %w", err)
	}
	return nil
}

// countStatements runs a query that may count statements.
func (b *threadCourse) countStatements(ctx context.Context, query string, into *int64) error {
	conn, err := pgx.Connect(ctx, b.database)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if into == nil {
		_, err = conn.Exec(ctx, query)
		return err
	}
	return conn.QueryRow(ctx, query).Scan(into)
}

// statementsSoFar counts all statements of the server, BEGIN and COMMIT among them.
const statementsSoFar = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements"

// steady puts a constant rate of events on the server, each with a new message.
func (b *threadCourse) steady(ctx context.Context) error {
	s := b.settings
	if _, err := b.load(ctx, "warm", s.Duration/20+time.Second); err != nil {
		return err
	}
	var before, after int64
	if err := b.countStatements(ctx, statementsSoFar, &before); err != nil {
		return err
	}
	pushes, cpu := b.crm.requests(), cpuOf(b.server)
	run, err := b.load(ctx, "steady", s.Duration)
	if err != nil {
		return err
	}
	if err := b.countStatements(ctx, statementsSoFar, &after); err != nil {
		return err
	}
	events := float64(run.accepted())
	memory, err := processMemory(b.server.cmd.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n### %.0f thread events per second over %d threads for %s\n\n", s.Rate, s.Threads, s.Duration)
	table{
		{"figure", "reached", "aim"},
		{"events answered 2xx, and in the CRM at the end", run.verified(), "all"},
		{"from the 2xx to the CRM's acknowledgement, p50", run.lag(50), "< 50 ms"},
		{"the same, p99", run.lag(99), "< 500 ms"},
		{"the webhook's answer, p50", run.answer(50), ""},
		{"the same, p99", run.answer(99), ""},
		{"SQL statements per event, BEGIN and COMMIT among them", fmt.Sprintf("%.2f", float64(after-before)/events), "< 5"},
		{"requests to the CRM per event", fmt.Sprintf("%.2f", float64(b.crm.requests()-pushes)/events), ""},
		{"CPU of cxbridge per event", (time.Duration(float64(cpuOf(b.server)-cpu) / events)).Round(time.Microsecond).String(), ""},
		{"resident memory", fmt.Sprintf("%d MB", memory.Resident>>20), "< 150 MB"},
	}.print(b.out)
	return nil
}

// outage takes the CRM away in the middle of a load.
func (b *threadCourse) outage(ctx context.Context) error {
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
	caughtUp := run.caughtUp(to)
	fmt.Fprintf(b.out, "\n### The CRM is away for %s in the middle of the same load\n\n", s.Outage)
	table{
		{"figure", "reached", "aim"},
		{"events answered 2xx, and in the CRM at the end", run.verified(), "all"},
		{"the webhook's answer, p99, before the outage", run.answerBetween(99, began, from), ""},
		{"the same, during it", run.answerBetween(99, from, to), "not slower"},
		{"the same, after it", run.answerBetween(99, to, time.Now()), ""},
		{"backlog when the CRM was back", fmt.Sprintf("%d events", run.backlog(to)), ""},
		{"until the backlog was gone", caughtUp.Round(10 * time.Millisecond).String(), "< 30 s"},
	}.print(b.out)
	return nil
}

// sizes adds single messages to threads that have many.
func (b *threadCourse) sizes(ctx context.Context) error {
	rows := table{{"messages in the thread", "p50, post to SYNCED", "p99", "CPU of cxbridge per event", "bytes to the CRM per event", "requests per event"}}
	for _, size := range b.settings.Sizes {
		row, err := b.grow(ctx, size)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	fmt.Fprintf(b.out, "\n### One more message for a thread of many, %d times, one after another\n\n", b.settings.Events)
	rows.print(b.out)
	return nil
}

func cpuOf(server *serverProcess) time.Duration {
	cpu, err := cpuTime(server.cmd.Process.Pid)
	if err != nil {
		return 0 // it is gone, which the next request tells
	}
	return cpu
}
