package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// replicaCount is how many cxbridges share a PostgreSQL.
const replicaCount = 3

// chaosSettings are the flags of `cxproof chaos`.
type chaosSettings struct {
	common
	duration time.Duration // for how long new rounds of faults begin
	round    time.Duration // of the faults between two checks of everything
	timeouts []string      // of each replica for an answer of the CRM
	receipts float64       // posts in a second
	threads  float64
	only     selection
	short    bool // one round with each kind of fault, and lateness is no error
	sync     bool // PostgreSQL writes through to the disk
}

func parseChaos(args []string) (*chaosSettings, error) {
	s := &chaosSettings{round: 45 * time.Second, timeouts: []string{"2s", "17s", "17s"}, sync: true}
	flags := flag.NewFlagSet("cxproof chaos", flag.ContinueOnError)
	s.flags(flags)
	flags.DurationVar(&s.duration, "duration", 10*time.Minute, "for how long rounds of faults are begun")
	flags.Float64Var(&s.receipts, "receipts", 200, "posts of receipts in a second")
	flags.Float64Var(&s.threads, "threads", 60, "posts of events of threads in a second")
	flags.Var(&s.only, "only", "the kinds of faults, by the beginnings of their names; empty is all")
	flags.BoolFunc("short", "one round with each kind of fault, for CI. Flags after it change that", func(string) error {
		s.duration, s.receipts, s.threads = time.Nanosecond, 60, 30
		s.timeouts = []string{"2s", "2s", "2s"}
		s.short, s.sync = true, false
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if s.duration <= 0 || s.receipts <= 0 || s.threads <= 0 || flags.NArg() > 0 {
		return nil, errors.New("-duration and the rates must be positive, and there are no arguments")
	}
	names := []string{rolling}
	for _, kind := range faultKinds {
		names = append(names, kind.name)
	}
	return s, s.only.check(names)
}

// chaos plays rounds of faults, and shows what became of what was promised.
func chaos(ctx context.Context, args []string, out io.Writer) error {
	s, err := parseChaos(args)
	if err != nil {
		return err
	}
	return s.within(ctx, out, func() (err error) {
		a, err := newArena(ctx, s)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.cleanup.run()) }()
		if err := a.play(ctx, out); err != nil {
			return err
		}
		return a.judge(ctx, out)
	})
}

// arena is where chaos takes place: replicas on one PostgreSQL, a CRM, traffic, and a network between
// everything.
type arena struct {
	settings *chaosSettings
	store    *proof.Store
	crm      *proof.Recorder
	moods    *moods
	replicas []*proof.Replica
	balancer *proof.Balancer
	traffic  *proof.Traffic
	rng      *rand.Rand
	cleanup  cleanup

	recovered proof.Times
	verdict   proof.Verdict
	waited    time.Duration // the longest wait of a replica for a lock

	mu    sync.Mutex
	done  map[string]map[string]int // faults by their names and by what they befell
	harms []proof.Harm
}

func newArena(ctx context.Context, s *chaosSettings) (a *arena, err error) {
	a = &arena{settings: s, rng: rand.New(rand.NewPCG(s.seed, 1)), done: make(map[string]map[string]int)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.cleanup.run())
		}
	}()
	if a.store, err = openStore(ctx, onPostgres, s.dir, s.sync); err != nil {
		return a, err
	}
	a.cleanup.add(a.store.Close)
	if err := a.openCRM(); err != nil {
		return a, err
	}
	if a.replicas, err = proof.NewReplicas(replicaCount, s.program, s.dir, a.store, a.crm, a.rng); err != nil {
		return a, err
	}
	a.cleanup.add(func() error { return proof.CloseReplicas(a.replicas) })
	for i, r := range a.replicas {
		r.Settings["CRM_TIMEOUT"], r.Settings["SHUTDOWN_DELAY"] = s.timeouts[i], "1s"
	}
	if err := proof.StartReplicas(ctx, a.replicas); err != nil {
		return a, err
	}
	if err := proof.WatchLeases(ctx, a.store); err != nil {
		return a, err
	}
	load := proof.Load{Receipts: s.receipts, Threads: s.threads, Social: sim.Social{Threads: 60, Messages: 60}}
	a.traffic = proof.NewTraffic(s.seed, "http://replicas", load)
	a.balancer = proof.NewBalancer(a.replicas)
	a.traffic.Through(a.balancer)
	a.cleanup.add(func() error { a.traffic.Close(); return nil })
	return a, nil
}

// openCRM starts the CRM with its usual trouble.
func (a *arena) openCRM() error {
	crm, err := proof.StartCRM(a.settings.seed, proof.Trouble)
	if err != nil {
		return err
	}
	if a.crm, err = proof.Record(crm); err != nil {
		return errors.Join(err, crm.Close())
	}
	a.cleanup.add(a.crm.Close)
	a.moods = newMoods(proof.Trouble.Faults(rand.New(rand.NewPCG(a.settings.seed, 20))))
	a.crm.SetFaults(a.moods.befalls)
	return nil
}

// harmed notes that what a replica has sent since then may be late.
func (a *arena) harmed(r *proof.Replica, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.harms = append(a.harms, proof.Harm{Replica: r.Name, From: since, To: time.Now()})
}

func (a *arena) count(what, where string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done[what] == nil {
		a.done[what] = make(map[string]int)
	}
	a.done[what][where]++
}

// play plays rounds until the time is up: a rolling restart, faults in all lanes at once, and a check of
// everything.
func (a *arena) play(ctx context.Context, out io.Writer) error {
	s := &schedule{settings: a.settings, rng: rand.New(rand.NewPCG(a.settings.seed, 2))}
	began := time.Now()
	for n := 1; n == 1 || time.Since(began) < a.settings.duration; n++ {
		r := s.round(a.settings.round)
		fmt.Fprintf(out, "round %d\n  %s\n", n, r)
		if err := a.underLoad(ctx, func(ctx context.Context) error { return a.strike(ctx, r) }); err != nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
		if err := a.check(ctx, out); err != nil {
			return fmt.Errorf("check of round %d: %w", n, err)
		}
	}
	return nil
}

// underLoad calls do while traffic runs, and another writer works in the CRM.
func (a *arena) underLoad(ctx context.Context, do func(context.Context) error) error {
	loaded, rest := context.WithCancel(ctx)
	defer rest()
	var load sync.WaitGroup
	load.Go(func() { a.traffic.Run(loaded) })
	other := rand.New(rand.NewPCG(a.rng.Uint64(), a.rng.Uint64()))
	load.Go(func() { a.crm.MeddleUntil(loaded, other, otherWriter) })
	var watched error
	load.Go(func() {
		var longest time.Duration
		longest, watched = proof.WatchLockWaits(loaded, a.store)
		a.waited = max(a.waited, longest)
	})
	err := a.traffic.AwaitMore(ctx, 100)
	if err == nil {
		err = do(ctx)
	}
	rest()
	load.Wait()
	return errors.Join(err, watched)
}

// strike plays a round.
func (a *arena) strike(ctx context.Context, r round) error {
	if a.settings.only.has(rolling) {
		wrong, err := a.balancer.Roll(ctx)
		if err != nil {
			return err
		}
		a.verdict.Wrong = append(a.verdict.Wrong, wrong...)
		a.count(rolling, "all replicas")
	}
	lanes, ctx := errgroup.WithContext(ctx)
	for _, lane := range r {
		lanes.Go(func() error {
			for _, f := range lane {
				if err := f.strike(ctx, a, f); err != nil {
					return fmt.Errorf("%s: %w", f, err)
				}
				a.count(f.name, f.where())
				if err := pass(ctx, f.rest); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return lanes.Wait()
}

// maxRecovery bounds how long it takes until the CRM has everything, once it answers: a thread that has
// failed often waits for up to 60 s, and the lease of one that nobody holds any more runs for up to 15 s.
const maxRecovery = 90 * time.Second

// rolling is the name of the fault that strikes alone.
const rolling = "rolling restart"

// check waits until the replicas have recovered from a round, with a CRM that answers, and compares what is
// there with what was promised.
func (a *arena) check(ctx context.Context, out io.Writer) error {
	a.moods.set(func(*http.Request) sim.CRMFault { return sim.CRMFault{} })
	defer a.moods.set(a.moods.usual)
	began := time.Now()
	if err := a.settle(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	a.recovered = append(a.recovered, took)
	if took > maxRecovery && !a.settings.short {
		a.verdict.Wrong = append(a.verdict.Wrong, fmt.Sprintf("it took %s s to recover", proof.Seconds(took)))
	}
	if err := a.traffic.Finish(ctx); err != nil {
		return err
	}
	if err := a.settle(ctx); err != nil {
		return err
	}
	v, err := proof.CheckAll(ctx, a.replicas[0].Service, a.traffic, a.crm.CRM.CRM)
	if err != nil {
		return err
	}
	a.verdict.Add(v)
	fmt.Fprintf(out, "  recovered in %s s, %d events acknowledged so far, lost %d, doubled %d, other faults %d\n",
		proof.Seconds(took), a.traffic.Promises.Events(), v.Lost, v.Doubled, len(v.Wrong))
	return nil
}

// settle waits until no spool holds anything and no thread lacks anything. A thread that is stuck is
// wrong.
func (a *arena) settle(ctx context.Context) error {
	for _, r := range a.replicas {
		if err := r.AwaitDrained(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return a.replicas[0].AwaitSynced(ctx)
}
