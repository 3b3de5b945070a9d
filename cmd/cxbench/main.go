// Command cxbench measures cxbridge against two baselines, on one machine and in one go:
//
//	a  a bare net/http handler that reads the body and answers
//	b  a naive handler: one upsert into PostgreSQL for each request
//	c  cxbridge serve on PostgreSQL
//	d  cxbridge serve on SQLite
//
// Every server is a process of its own; this process is the load generator. The servers take turns
// for several rounds, and the figures are medians over the rounds. After every run the rows of the
// database are compared with the 2xx answers: one row too few fails the program.
//
// `cxbench threads` measures the way of social threads to a CRM instead, and `cxbench answers` what
// people ask of large databases.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cxbench:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve-bare":
			return serveBare(os.Getenv("ADDR"))
		case "serve-naive":
			return serveNaive(os.Getenv("ADDR"), os.Getenv("DATABASE_URL"))
		}
	}
	course, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = course(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted; its processes and files are gone")
	}
	return err
}

// parse returns the course that the command line asks for: receipts, `threads` or `answers`.
func parse(args []string) (course func(context.Context) error, err error) {
	if len(args) > 0 && args[0] == "threads" {
		s, err := parseThreadSettings(args[1:])
		return func(ctx context.Context) error { return threadBench(ctx, s) }, err
	}
	if len(args) > 0 && args[0] == "answers" {
		s, err := parseAnswerSettings(args[1:])
		return func(ctx context.Context) error { return answerBench(ctx, s) }, err
	}
	s, err := parseSettings(args)
	return func(ctx context.Context) error { return bench(ctx, s) }, err
}

// settings are the flags.
type settings struct {
	Duration    time.Duration `json:"duration_ns"`
	Warmup      time.Duration `json:"warmup_ns"`
	Rounds      int           `json:"rounds"`
	Connections int           `json:"connections"`
	Client      string        `json:"client"`
	Batch       int           `json:"batch"`
	Repeat      float64       `json:"repeat"`
	Rate        float64       `json:"rate"`
	NaivePool   int           `json:"naive_pool"`
	Only        []string      `json:"only"`
	Loads       []string      `json:"loads"`

	dir, json, postgres, cxbridge string
}

func parseSettings(args []string) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("cxbench", flag.ContinueOnError)
	flags.DurationVar(&s.Duration, "duration", 8*time.Second, "length of a measurement")
	flags.DurationVar(&s.Warmup, "warmup", 2*time.Second, "load before each measurement")
	flags.IntVar(&s.Rounds, "rounds", 3, "how often every server has its turn")
	flags.IntVar(&s.Connections, "connections", 64, "connections of the load generator")
	flags.StringVar(&s.Client, "client", "library", "the HTTP client of the load generator: that of net/http (library), or one that does no more than it must (raw)")
	flags.IntVar(&s.Batch, "batch", 100, "receipts in a request of the load \"array\"")
	flags.Float64Var(&s.Repeat, "repeat", 0.3, "share of second receipts in the load \"repeat\", at most 0.5")
	flags.Float64Var(&s.Rate, "rate", 0, "requests per second of the load \"open\"; 0 is half of what the server did in \"single\"")
	flags.IntVar(&s.NaivePool, "naive-pool", 10, "database connections of the naive handler; 10 is what the tutorial's library takes")
	only := flags.String("only", "a,b,c,d", "the servers: a bare net/http, b naive, c cxbridge on PostgreSQL, d cxbridge on SQLite")
	loads := flags.String("loads", "single,repeat,array,open", "the loads; a and b have \"single\" and \"open\"")
	flags.StringVar(&s.dir, "dir", "", "where the databases live while it runs; empty is the system's temporary folder")
	flags.StringVar(&s.json, "json", "", "write the raw results to this file")
	flags.StringVar(&s.postgres, "postgres", "", "URL of an empty database to use instead of a throwaway PostgreSQL")
	flags.StringVar(&s.cxbridge, "cxbridge", "", "a cxbridge binary to use instead of building one")
	short := flags.Bool("short", false, "one short round, to see that everything works; its figures mean nothing")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *short {
		s.Duration, s.Warmup, s.Rounds, s.Connections = 400*time.Millisecond, 100*time.Millisecond, 1, 8
	}
	s.Only, s.Loads = strings.Split(*only, ","), strings.Split(*loads, ",")
	return s, s.check(flags.Args())
}

// The bounds keep a slip of the finger from filling the disk.
const (
	maxRounds   = 100
	maxDuration = 10 * time.Minute
)

func (s *settings) check(rest []string) error {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("unknown command %q", rest[0]))
	}
	if s.Rounds < 1 || s.Rounds > maxRounds {
		errs = append(errs, fmt.Errorf("-rounds must be from 1 to %d", maxRounds))
	}
	if s.Duration <= 0 || s.Duration > maxDuration || s.Warmup < 0 || s.Warmup > maxDuration {
		errs = append(errs, fmt.Errorf("-duration and -warmup must be positive, and at most %s", maxDuration))
	}
	if s.Client != "library" && s.Client != "raw" {
		errs = append(errs, errors.New("-client must be library or raw"))
	}
	if s.Batch < 2 {
		errs = append(errs, errors.New("-batch must be at least 2"))
	}
	if s.NaivePool < 1 {
		errs = append(errs, errors.New("-naive-pool must be at least 1"))
	}
	for _, key := range s.Only {
		if len(key) != 1 || !strings.Contains("abcd", key) {
			errs = append(errs, fmt.Errorf("-only: there is no server %q", key))
		}
	}
	for _, name := range s.Loads {
		if !isWorkload(name) {
			errs = append(errs, fmt.Errorf("-loads: there is no load %q", name))
		}
	}
	return errors.Join(errs...)
}
