package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
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
	kills    int           // of the process, on each store; other harm is done less often
	away     time.Duration // how long PostgreSQL is stopped
	tmpfs    int           // size of the disk of the spool, in MiB
	seed     uint64
	receipts float64 // posts in a second
	threads  float64
	atOnce   int  // scenarios that are played at a time; more than one says nothing of how long recovery takes
	each     bool // everything is checked after each time, not only at the end
	sync     bool // PostgreSQL writes through to the disk
	stores   []string
	only     []string

	program, dir string
	withClock    func() (string, error) // builds, once, a binary that goes by a proof.Clock
}

func parseCrash(args []string) (*crashSettings, error) {
	s := &crashSettings{atOnce: 1, each: true, sync: true}
	flags := flag.NewFlagSet("cxproof crash", flag.ContinueOnError)
	flags.IntVar(&s.kills, "kills", 50, "how often the process is killed, on each store; the rest is done a fifth as often")
	flags.DurationVar(&s.away, "away", 2*time.Minute, "how long PostgreSQL is stopped")
	flags.IntVar(&s.tmpfs, "disk", 16, "size of the disk of the spool that gets full, in MiB")
	flags.Uint64Var(&s.seed, "seed", rand.Uint64(), "of all that is random")
	flags.Float64Var(&s.receipts, "receipts", 300, "posts of receipts in a second")
	flags.Float64Var(&s.threads, "threads", 60, "posts of events of threads in a second")
	stores := flags.String("stores", "sqlite,postgres", "the stores")
	only := flags.String("only", "", "the scenarios, by the beginnings of their names; empty is all")
	flags.StringVar(&s.program, "cxbridge", "", "a cxbridge binary to use instead of building one; where the clock is set, one is built all the same")
	flags.StringVar(&s.dir, "dir", "", "where the databases live while it runs; empty is the system's temporary folder")
	flags.BoolFunc("short", "few kills and short outages, for CI; what is checked at the end is the same. Flags after it change that", func(string) error {
		s.kills, s.away, s.tmpfs, s.receipts, s.threads = 5, 2*time.Second, 12, 150, 40
		s.atOnce, s.each, s.sync = 3, false, false
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	s.stores = strings.Split(*stores, ",")
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if s.kills < 1 || s.away <= 0 || s.tmpfs < 1 || s.receipts <= 0 || s.threads < 0 || flags.NArg() > 0 {
		return nil, errors.New("-kills, -away, -disk and the rates must be positive, and there are no arguments")
	}
	return s, nil
}

// wanted reports whether a scenario is to be played.
func (s *crashSettings) wanted(name string) bool {
	return len(s.only) == 0 || slices.ContainsFunc(s.only, func(begin string) bool { return strings.HasPrefix(name, begin) })
}

// errBroken says that a promise was broken, as the output tells.
var errBroken = errors.New("a promise was broken")

// crash plays the scenarios and shows what became of them.
func crash(ctx context.Context, args []string, out io.Writer) (err error) {
	s, err := parseCrash(args)
	if err != nil {
		return err
	}
	if s.dir, s.program, err = settle(ctx, s.dir, s.program); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	s.withClock = sync.OnceValues(func() (string, error) {
		dir := filepath.Join(s.dir, "with-clock")
		if err := os.Mkdir(dir, 0o711); err != nil {
			return "", err
		}
		return proof.BuildWithClock(ctx, dir)
	})
	fmt.Fprintf(out, "seed %d\n", s.seed)
	results, err := playAll(ctx, s)
	if err != nil {
		return err
	}
	table := proof.Table{{"what is done", "store", "times", "events acknowledged", "lost", "doubled", "other faults", "s to recover, median", "max"}}
	broken := false
	for _, r := range results {
		table = append(table, r.row())
		broken = broken || !r.verdict.OK()
		for _, line := range r.notes {
			fmt.Fprintf(out, "%s, %s: %s\n", r.name, r.store, line)
		}
		for _, line := range r.verdict.Wrong[:min(len(r.verdict.Wrong), 20)] {
			fmt.Fprintf(out, "%s, %s: %s\n", r.name, r.store, line)
		}
	}
	fmt.Fprintln(out)
	table.Print(out)
	if broken {
		return errBroken
	}
	return nil
}

// playAll plays every scenario that is wanted on each store that has it, and tells of each when it is
// done.
func playAll(ctx context.Context, s *crashSettings) ([]*result, error) {
	var results []*result
	plays, ctx := errgroup.WithContext(ctx)
	plays.SetLimit(s.atOnce)
	for i, sc := range scenarios {
		for _, store := range sc.stores {
			if !s.wanted(sc.name) || !slices.Contains(s.stores, store) {
				continue
			}
			r := &result{name: sc.name}
			results = append(results, r)
			plays.Go(func() error {
				if err := r.play(ctx, s, sc, store, s.seed+uint64(i)); err != nil {
					return fmt.Errorf("%s, %s: %w", sc.name, store, err)
				}
				fmt.Fprintln(os.Stderr, strings.Join(r.row(), "  "))
				return nil
			})
		}
	}
	return results, plays.Wait()
}

// result is what became of a scenario on a store.
type result struct {
	name, store string
	times       int
	events      int
	verdict     proof.Verdict
	recovered   proof.Times
	notes       []string // how to read the rest
}

func (r *result) row() []string {
	others := len(r.verdict.Wrong)
	if r.verdict.Lost+r.verdict.Doubled > 0 {
		others = max(0, others-r.verdict.Lost-r.verdict.Doubled)
	}
	return []string{
		r.name, r.store, fmt.Sprint(r.times), fmt.Sprint(r.events), fmt.Sprint(r.verdict.Lost), fmt.Sprint(r.verdict.Doubled),
		fmt.Sprint(others), proof.Seconds(r.recovered.Median()), proof.Seconds(r.recovered.Max()),
	}
}

// stage is where a scenario is played: a cxbridge, its store, its CRM, and traffic.
type stage struct {
	settings *crashSettings
	store    *proof.Store
	crm      *proof.CRM
	service  *proof.Service
	traffic  *proof.Traffic
	rng      *rand.Rand
	program  string
	dir      string
	clock    *proof.Clock   // nil where none is set
	cleanup  []func() error // the last one first
	notes    []string
}

// note adds to what is told beside the table.
func (st *stage) note(format string, args ...any) {
	st.notes = append(st.notes, fmt.Sprintf(format, args...))
}

func newStage(ctx context.Context, s *crashSettings, sc *scenario, store string, seed uint64) (st *stage, err error) {
	st = &stage{settings: s, program: s.program, rng: rand.New(rand.NewPCG(seed, 1))}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.close())
		}
	}()
	if st.dir, err = os.MkdirTemp(s.dir, "stage-"); err != nil {
		return st, err
	}
	if err := os.Chmod(st.dir, 0o711); err != nil {
		return st, err
	}
	if store == "sqlite" {
		st.store = proof.SQLite(st.dir)
	} else {
		var lines []string
		if !s.sync {
			lines = []string{"fsync=off"} // what it has committed it keeps as long as the machine runs
		}
		if st.store, err = proof.Postgres(ctx, st.dir, lines...); err != nil {
			return st, err
		}
	}
	st.cleanup = append(st.cleanup, st.store.Close)
	if st.crm, err = proof.StartCRM(seed, proof.Trouble); err != nil {
		return st, err
	}
	st.cleanup = append(st.cleanup, st.crm.Close)
	st.crm.Meddle(rand.New(rand.NewPCG(seed, 2)), 100*time.Millisecond)
	more := st.crm.Settings.With(nil)
	if sc.prepare != nil {
		if err := sc.prepare(st, more); err != nil {
			return st, err
		}
	}
	if st.service, err = proof.NewService(st.program, st.dir, st.store, more); err != nil {
		return st, err
	}
	st.cleanup = append(st.cleanup, st.service.Close)
	load := proof.Load{Receipts: s.receipts, Threads: s.threads, Social: sim.Social{Threads: 60, Messages: 60}}
	st.traffic = proof.NewTraffic(seed, st.service.URL(), load)
	return st, st.service.Start(ctx)
}

func (st *stage) close() (err error) {
	if st.traffic != nil {
		st.traffic.Close()
	}
	for _, end := range slices.Backward(st.cleanup) {
		err = errors.Join(err, end())
	}
	return err
}

// play does the harm of a scenario as often as it is to be done, and checks what is left after each.
func (r *result) play(ctx context.Context, s *crashSettings, sc *scenario, store string, seed uint64) (err error) {
	st, err := newStage(ctx, s, sc, store, seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	r.store, r.times = st.store.Name, sc.times(s)
	for i := range r.times {
		took, err := st.underLoad(ctx, sc.strike)
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
// there is load on every machine. It returns what strike does: how long it took to recover.
func (st *stage) underLoad(ctx context.Context, strike func(context.Context, *stage) (time.Duration, error)) (took time.Duration, err error) {
	loaded, rest := context.WithCancel(ctx)
	defer rest()
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.traffic.Run(loaded)
	}()
	if err = st.awaitEvents(ctx, 50+st.rng.IntN(200)); err == nil {
		if took, err = strike(ctx, st); err == nil {
			err = st.awaitEvents(ctx, 50)
		}
	}
	rest()
	<-done
	return took, err
}

// awaitEvents waits until so many more events were acknowledged.
func (st *stage) awaitEvents(ctx context.Context, n int) error {
	want := st.traffic.Promises.Events() + n
	return proof.Await(ctx, "events are acknowledged", func() bool { return st.traffic.Promises.Events() >= want })
}

// check holds what there is against what was acknowledged; all of it, once the rest was told too.
func (st *stage) check(ctx context.Context, v *proof.Verdict, all bool) error {
	if st.store.Cluster != nil {
		if err := st.service.AwaitDrained(ctx); err != nil {
			return err
		}
	}
	kept, err := proof.CheckKept(ctx, st.store, st.traffic.Promises)
	if err != nil {
		return err
	}
	v.Add(kept)
	if !all || !kept.OK() {
		return nil
	}
	if err := st.traffic.Finish(ctx); err != nil {
		return err
	}
	if st.store.Cluster != nil {
		if err := st.service.AwaitDrained(ctx); err != nil {
			return err
		}
	}
	st.crm.Rest() // what another writer does after it was looked at is not known
	rest, err := proof.CheckAll(ctx, st.service, st.traffic, st.crm.CRM)
	v.Add(rest)
	st.crm.Meddle(st.rng, 100*time.Millisecond)
	return err
}
