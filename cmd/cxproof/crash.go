package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// crashSettings are the flags of `cxproof crash`.
type crashSettings struct {
	common
	kills    int           // of the process, on each store; other harm is done less often
	away     time.Duration // how long PostgreSQL is stopped
	tmpfs    int           // size of the disk of the spool, in MiB
	receipts float64       // posts in a second
	threads  float64
	atOnce   int  // scenarios that are played at a time; with more than one, recovery times mean nothing
	each     bool // everything is checked after each time, not only at the end
	sync     bool // PostgreSQL writes through to the disk
	stores   storeList
	only     selection

	withClock func() (string, error) // builds, once, a binary that goes by a proof.Clock
}

func parseCrash(args []string) (*crashSettings, error) {
	s := &crashSettings{atOnce: 1, each: true, sync: true, stores: allStores}
	flags := flag.NewFlagSet("cxproof crash", flag.ContinueOnError)
	s.flags(flags)
	flags.Lookup("cxbridge").Usage += "; where the clock is set, one is built all the same"
	flags.IntVar(&s.kills, "kills", 50, "how often the process is killed, on each store; the rest is done a fifth as often")
	flags.DurationVar(&s.away, "away", 2*time.Minute, "how long PostgreSQL is stopped")
	flags.IntVar(&s.tmpfs, "disk", 16, "size of the disk of the spool that gets full, in MiB")
	flags.Float64Var(&s.receipts, "receipts", 300, "posts of receipts in a second")
	flags.Float64Var(&s.threads, "threads", 60, "posts of events of threads in a second")
	flags.Var(&s.stores, "stores", "the stores")
	flags.Var(&s.only, "only", "the scenarios, by the beginnings of their names; empty is all")
	flags.BoolFunc("short", "few kills and short outages, for CI; what is checked at the end is the same. Flags after it change that", func(string) error {
		s.kills, s.away, s.tmpfs, s.receipts, s.threads = 5, 2*time.Second, 12, 150, 40
		s.atOnce, s.each, s.sync = 3, false, false
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if s.kills < 1 || s.away <= 0 || s.tmpfs < 1 || s.receipts <= 0 || s.threads <= 0 || flags.NArg() > 0 {
		return nil, errors.New("-kills, -away, -disk and the rates must be positive, and there are no arguments")
	}
	var names []string
	for _, sc := range scenarios {
		names = append(names, sc.name)
	}
	if err := s.only.check(names); err != nil {
		return nil, err
	}
	if len(s.plays()) == 0 {
		return nil, errors.New("none of the scenarios is for one of the stores")
	}
	return s, nil
}

// plays returns a result without figures for every scenario that is wanted, on each store that has it.
func (s *crashSettings) plays() (all []*result) {
	for i, sc := range scenarios {
		for _, store := range sc.stores {
			if s.only.has(sc.name) && slices.Contains(s.stores, store) {
				all = append(all, &result{scenario: sc, on: store, seed: s.seed + uint64(i)})
			}
		}
	}
	return all
}

// crash plays the scenarios and shows what became of them.
func crash(ctx context.Context, args []string, out io.Writer) error {
	s, err := parseCrash(args)
	if err != nil {
		return err
	}
	return s.within(ctx, out, func() error {
		s.withClock = sync.OnceValues(func() (string, error) {
			dir := filepath.Join(s.dir, "with-clock")
			if err := os.Mkdir(dir, 0o711); err != nil {
				return "", err
			}
			return proof.BuildWithClock(ctx, dir)
		})
		results := s.plays()
		if err := s.playAll(ctx, results); err != nil {
			return err
		}
		return report(out, results)
	})
}

// playAll plays every scenario, and prints a line for each when it is done.
func (s *crashSettings) playAll(ctx context.Context, results []*result) error {
	plays, ctx := errgroup.WithContext(ctx)
	plays.SetLimit(s.atOnce)
	for _, r := range results {
		plays.Go(func() error {
			if err := r.play(ctx, s); err != nil {
				return fmt.Errorf("%s, %s: %w", r.scenario.name, r.on, err)
			}
			fmt.Fprintln(os.Stderr, strings.Join(r.row(), "  "))
			return nil
		})
	}
	return plays.Wait()
}

// report prints the notes and the faults, and then the table.
func report(out io.Writer, results []*result) error {
	table := proof.Table{{"what is done", "store", "times", "events acknowledged", "lost", "doubled", "other faults", "s to recover, median", "max"}}
	broken := false
	for _, r := range results {
		table = append(table, r.row())
		broken = broken || !r.verdict.OK()
		prefix := fmt.Sprintf("%s, %s:", r.scenario.name, r.store)
		for _, line := range r.notes {
			fmt.Fprintln(out, prefix, line)
		}
		printFaults(out, prefix, r.verdict.Wrong)
	}
	fmt.Fprintln(out)
	table.Print(out)
	if broken {
		return errBroken
	}
	return nil
}

// result is what became of a scenario on a store.
type result struct {
	scenario *scenario
	on       string // the store, as in the flags
	seed     uint64

	store     string // its name
	times     int
	events    int
	verdict   proof.Verdict
	recovered proof.Times
	notes     []string // how to read the rest
}

func (r *result) row() []string {
	return []string{
		r.scenario.name, r.store, fmt.Sprint(r.times), fmt.Sprint(r.events), fmt.Sprint(r.verdict.Lost), fmt.Sprint(r.verdict.Doubled),
		fmt.Sprint(r.verdict.Others()), proof.Seconds(r.recovered.Median()), proof.Seconds(r.recovered.Max()),
	}
}

// play does the harm of a scenario as often as the settings say, and checks after each time what is left.
func (r *result) play(ctx context.Context, s *crashSettings) (err error) {
	settings := &stageSettings{
		program: s.program, dir: s.dir, store: r.on, sync: s.sync, seed: r.seed,
		load: proof.Load{Receipts: s.receipts, Threads: s.threads, Social: sim.Social{Threads: 60, Messages: 60}},
		prepare: func(st *stage, more proof.Settings) error {
			st.crash = s
			if r.scenario.prepare == nil {
				return nil
			}
			return r.scenario.prepare(st, more)
		},
	}
	st, err := newStage(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.cleanup.run()) }()
	r.store, r.times = st.store.Name, r.scenario.times(s)
	for i := range r.times {
		took, err := st.underLoad(ctx, r.scenario.strike)
		if err != nil {
			return fmt.Errorf("time %d: %w", i+1, err)
		}
		r.recovered = append(r.recovered, took)
		if err := st.check(ctx, &r.verdict, s.each || i == r.times-1); err != nil {
			return fmt.Errorf("check %d: %w", i+1, err)
		}
	}
	r.events, r.notes = st.traffic.Promises.Events(), st.notes
	return nil
}

// underLoad does harm while traffic runs, at a moment that is drawn in events, not in time, so that
// there is load on every machine. It returns what strike returns: how long it took to recover.
func (st *stage) underLoad(ctx context.Context, strike func(context.Context, *stage) (time.Duration, error)) (took time.Duration, err error) {
	loaded, rest := context.WithCancel(ctx)
	defer rest()
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.traffic.Run(loaded)
	}()
	if err = st.traffic.AwaitMore(ctx, 50+st.rng.IntN(200)); err == nil {
		if took, err = strike(ctx, st); err == nil {
			err = st.traffic.AwaitMore(ctx, 50)
		}
	}
	rest()
	<-done
	return took, err
}

// check compares what is there with what was acknowledged; all of it, once the rest was posted too.
func (st *stage) check(ctx context.Context, v *proof.Verdict, all bool) error {
	if err := st.awaitDrained(ctx); err != nil {
		return err
	}
	kept, err := proof.CheckKept(ctx, st.store, st.traffic.Promises)
	if err != nil {
		return err
	}
	v.Add(kept)
	if !all || !kept.OK() {
		return nil
	}
	if err := st.finish(ctx); err != nil {
		return err
	}
	rest, err := proof.CheckAll(ctx, st.service, st.traffic, st.crm.CRM)
	v.Add(rest)
	st.crm.Meddle(st.rng, otherWriter)
	return err
}
