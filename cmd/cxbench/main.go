// Command cxbench measures cxbridge, and ends with one table of all figures:
//
//	cxbench               all parts, one after another
//	cxbench receipts      cxbridge beside a bare and a naive server
//	cxbench threads       threads on their way to a CRM
//	cxbench answers       what people ask, of large databases on PostgreSQL
//	cxbench answers-sqlite
//	cxbench costs         where the time of a receipt goes: statements, log, system calls, CPU, allocations
//	cxbench growth        the effect of more connections, larger arrays, replicas and more data
//	cxbench compare A B   the figures of two runs, side by side
//
// Every server is a process of its own; this process is the load generator. After every load the rows
// of the database are compared with the 2xx answers: one row too few fails the program.
//
// Its files:
//
//	main.go       the command line; part.go what a part is, and course.go all of them in turn
//	figure.go     a line of the table; table.go, results.go and compare.go how it is printed, kept, compared
//	machine.go    what the figures depend on
//	target.go     a server to be measured: server_process.go and process_stats_linux.go its process,
//	              databases.go its database, program.go its build, baseline_servers.go those that are not cxbridge
//	run.go        one server under one load; latency.go how long something took
//	stock*.go     databases of many messages
//	receipts*.go, threads*.go, answers*.go, costs*.go, growth*.go
//	              the parts
//	profiling.go.txt
//	              a file that cxbridge is built with for a profile
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
		case "compare":
			return compare(args[1:], os.Stdout)
		}
	}
	o, chosen, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = course(ctx, o, chosen, os.Stdout)
	if ctx.Err() != nil {
		return errors.New("interrupted; its processes and databases are gone")
	}
	return err
}

// options are the flags that all parts have.
type options struct {
	dir      string // where the databases live
	cxbridge string // the binary to measure
	results  string // the folder for what was found out
	short    bool
}

// parse returns what the command line asks for: one part with its flags, or all of them.
func parse(args []string) (*options, []part, error) {
	name, chosen, o := "all", parts(), &options{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("cxbench "+name, flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", "", "where the databases live while it runs; empty is the system's temporary folder")
	flags.StringVar(&o.cxbridge, "cxbridge", "", "a cxbridge binary to use instead of building one")
	flags.StringVar(&o.results, "results", "", "the folder for the raw results; empty is bench-results/DATE-VERSION")
	var wanted words
	if name == "all" {
		flags.Var(&wanted, "parts", "the parts, of "+strings.Join(partNames(), ",")+"; for the flags of one see `cxbench PART -h`")
	} else {
		wanted = words{name}
	}
	if err := choose(&chosen, wanted); err != nil {
		return nil, nil, err
	}
	if name != "all" {
		chosen[0].settings.flags(flags)
	}
	flags.BoolFunc("short", "a few seconds of everything, to see that it works; its figures mean nothing. Flags after it change that", func(string) error {
		o.short = true
		for _, p := range chosen {
			p.settings.shorten()
		}
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if flags.NArg() > 0 {
		return nil, nil, fmt.Errorf("cxbench %s takes flags alone, not %q", name, flags.Arg(0))
	}
	errs := []error{choose(&chosen, wanted)}
	for _, p := range chosen {
		errs = append(errs, p.settings.check())
	}
	return o, chosen, errors.Join(errs...)
}

// choose keeps the parts that are wanted; all of them when none is named.
func choose(from *[]part, wanted []string) error {
	for _, name := range wanted {
		if !slices.Contains(partNames(), name) {
			return fmt.Errorf("there is no part %q", name)
		}
	}
	*from = slices.DeleteFunc(*from, func(p part) bool { return len(wanted) > 0 && !slices.Contains(wanted, p.name) })
	return nil
}

// words is a flag of texts with commas between them.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }

func (w *words) Set(text string) error {
	*w = strings.Split(text, ",")
	return nil
}

// counts is a flag of whole numbers that are not negative, with commas between them; empty for none.
type counts []int

func (c *counts) String() string {
	var texts []string
	for _, n := range *c {
		texts = append(texts, strconv.Itoa(n))
	}
	return strings.Join(texts, ",")
}

func (c *counts) Set(text string) error {
	*c = nil
	if text == "" {
		return nil
	}
	for number := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number", number)
		}
		*c = append(*c, n)
	}
	return nil
}
