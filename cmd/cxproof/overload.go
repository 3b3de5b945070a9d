package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// overloadSettings are the flags of `cxproof overload`.
type overloadSettings struct {
	common
	duration    time.Duration // of the load that is too much
	part        time.Duration // of each other part
	connections int
	slow        int  // slow clients of each kind
	strict      bool // slowness is an error too
	stores      storeList
}

func parseOverload(args []string) (*overloadSettings, error) {
	s := &overloadSettings{strict: true, stores: allStores}
	flags := flag.NewFlagSet("cxproof overload", flag.ContinueOnError)
	s.flags(flags)
	flags.DurationVar(&s.duration, "duration", 2*time.Minute, "how long more is sent than can be taken")
	flags.DurationVar(&s.part, "part", 20*time.Second, "how long everything else is measured")
	flags.IntVar(&s.connections, "connections", 8000, "connections of the load that is too much, each with one request at a time")
	flags.IntVar(&s.slow, "slow", 300, "slow clients of each kind")
	flags.Var(&s.stores, "stores", "the stores")
	flags.BoolFunc("short", "a few seconds of each, for CI; slowness is no error. Flags after it change that", func(string) error {
		s.duration, s.part, s.connections, s.slow, s.strict = 6*time.Second, 2*time.Second, 5000, 50, false
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if s.duration <= 0 || s.part <= 0 || s.connections < 1 || s.connections > 10000 || s.slow < 1 || flags.NArg() > 0 {
		return nil, errors.New("-duration, -part, -connections (at most 10000) and -slow must be positive, and there are no arguments")
	}
	return s, nil
}

// overload measures each store in turn.
func overload(ctx context.Context, args []string, out io.Writer) error {
	s, err := parseOverload(args)
	if err != nil {
		return err
	}
	return s.within(ctx, out, func() error { return s.run(ctx, out) })
}

func (s *overloadSettings) run(ctx context.Context, out io.Writer) error {
	broken := false
	for _, c := range s.courses() {
		r, err := c.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(out, "\n### cxbridge on %s\n\n", c.name)
		r.table.Print(out)
		printFaults(out, "FAULT:", r.faults)
		broken = broken || len(r.faults) > 0
	}
	if broken {
		return errBroken
	}
	return nil
}

// course is a series of measurements, with the name of what cxbridge runs on.
type course struct {
	name    string
	measure func(context.Context) (*overloadResult, error)
}

func (s *overloadSettings) courses() (list []course) {
	for _, store := range s.stores {
		list = append(list, course{store, func(ctx context.Context) (*overloadResult, error) { return s.measure(ctx, store) }})
	}
	if slices.Contains(s.stores, onPostgres) {
		list = append(list, course{"postgres over a slow link", s.measureSlow})
	}
	return list
}

// stage returns how the stages of this command are set.
func (s *overloadSettings) stage(store string) *stageSettings {
	return &stageSettings{
		program: s.program, dir: s.dir, store: store, sync: s.strict, seed: s.seed,
		load: proof.Load{Receipts: 40, Threads: 20, Social: sim.Social{Threads: 60, Messages: 60}},
	}
}

func (s *overloadSettings) result() *overloadResult {
	return &overloadResult{settings: s, enough: 64, table: proof.Table{{"figure", "reached", "bound"}}}
}

// measure plays all parts on one store.
func (s *overloadSettings) measure(ctx context.Context, store string) (r *overloadResult, err error) {
	st, err := newStage(ctx, s.stage(store))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.cleanup.run()) }()
	r = s.result()
	if err := r.tooMuch(ctx, st); err != nil {
		return nil, fmt.Errorf("too much: %w", err)
	}
	st.crm.Rest()
	st.crm.SetFaults(func(r *http.Request) sim.CRMFault { return sim.CRMFault{Delay: 5 * time.Millisecond} })
	if err := r.flood(ctx, st); err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	return r, r.slowClients(ctx, st)
}
