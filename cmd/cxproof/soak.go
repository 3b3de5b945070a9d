package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// soakSettings are the flags of `cxproof soak`.
type soakSettings struct {
	duration time.Duration
	every    time.Duration // between two samples
	receipts float64       // in a second
	threads  float64       // posts of events of threads in a second
	seed     uint64
	strict   bool // growth is an error
	store    string
	raw      string // file of all samples

	program, dir string
}

// soakSamples is how many samples a soak has at least: the figures of a twelfth of it are compared with
// those at its end, which in two hours are those of the tenth minute.
const soakSamples = 12

func parseSoak(args []string) (*soakSettings, error) {
	s := &soakSettings{strict: true}
	flags := flag.NewFlagSet("cxproof soak", flag.ContinueOnError)
	flags.DurationVar(&s.duration, "duration", 2*time.Hour, "how long the load lasts")
	flags.DurationVar(&s.every, "every", time.Minute, "how often everything is measured; at least twelve times")
	flags.Float64Var(&s.receipts, "receipts", 2000, "receipts in a second")
	flags.Float64Var(&s.threads, "threads", 200, "posts of events of threads in a second")
	flags.Uint64Var(&s.seed, "seed", rand.Uint64(), "of all that is random")
	flags.StringVar(&s.store, "store", "postgres", "postgres or sqlite")
	flags.StringVar(&s.raw, "samples", "", "a file for all samples, as CSV; it is written while the soak lasts")
	flags.StringVar(&s.program, "cxbridge", "", "a cxbridge binary to use instead of building one")
	flags.StringVar(&s.dir, "dir", "", "where the database lives while it runs; empty is the system's temporary folder")
	flags.BoolFunc("short", "twelve seconds at a low rate, for CI; growth is no error. Flags after it change that", func(string) error {
		s.duration, s.every, s.receipts, s.threads, s.strict = 12*time.Second, time.Second, 200, 20, false
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if s.every <= 0 || s.duration < soakSamples*s.every || s.receipts <= 0 || s.threads <= 0 || flags.NArg() > 0 {
		return nil, fmt.Errorf("-every and the rates must be positive, -duration %d times -every at least, and there are no arguments", soakSamples)
	}
	if s.store != "postgres" && s.store != "sqlite" {
		return nil, errors.New("-store is postgres or sqlite")
	}
	return s, nil
}

// calmCRM is how the CRM behaves meanwhile: it fails now and then, as every CRM does.
var calmCRM = sim.CRMTrouble{Throttled: 0.0002, Failed: 0.01, Cut: 0.002, Stalled: 0.0005, RetryAfter: time.Second, Delay: 2 * time.Millisecond}

// soakGC is the setting of Go's garbage collector here. What a soak remembers of threads, to check them in the
// end, grows to two gigabytes, and each collection of that takes both cores of a small machine for three
// seconds, which cxbridge then lacks. So it is made rare, at the price of up to ten gigabytes of memory.
const soakGC = 400

// soak puts a steady load on one store for a long time, and shows what grows.
func soak(ctx context.Context, args []string, out io.Writer) (err error) {
	s, err := parseSoak(args)
	if err != nil {
		return err
	}
	if s.dir, s.program, err = settle(ctx, s.dir, s.program); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	fmt.Fprintf(out, "seed %d\n", s.seed)
	defer debug.SetGCPercent(debug.SetGCPercent(soakGC))
	stageSettings := &crashSettings{sync: s.strict, receipts: s.receipts, threads: s.threads, program: s.program, dir: s.dir}
	st, err := newStage(ctx, stageSettings, &scenario{}, s.store, s.seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	st.crm.SetFaults(calmCRM.Faults(rand.New(rand.NewPCG(s.seed, 20))))
	st.traffic.Close()
	st.traffic = proof.NewTraffic(s.seed, st.service.URL(), proof.Load{
		Threads: s.threads, Social: sim.Social{Threads: 8000, Messages: 300},
	})
	samples, verdict, err := s.run(ctx, st)
	if err != nil {
		return err
	}
	return s.report(out, st, samples, verdict)
}

// run puts the load on, slice by slice, with a sample after each, and checks in the end what is there.
func (s *soakSettings) run(ctx context.Context, st *stage) (samples []sample, v proof.Verdict, err error) {
	raw, err := createSamples(s.raw)
	if err != nil {
		return nil, v, err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	m, err := newMeter(st)
	if err != nil {
		return nil, v, err
	}
	loaded, rest := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.traffic.Run(loaded)
	}()
	receipts := overloadResult{settings: &overloadSettings{}}
	for range int(s.duration / s.every) {
		var next sample
		if next, err = s.slice(ctx, st, &receipts, m); err == nil {
			samples = append(samples, next)
			err = raw.add(next)
		}
		if err != nil {
			break
		}
	}
	rest()
	<-done
	if err != nil {
		return samples, v, err
	}
	v, err = s.check(ctx, st)
	v.Wrong = append(v.Wrong, receipts.faults...)
	return samples, v, err
}

// slice puts the load of receipts on until the next sample. 64 connections are many times what is needed.
func (s *soakSettings) slice(ctx context.Context, st *stage, receipts *overloadResult, m *meter) (sample, error) {
	result, err := receipts.put(ctx, st, load.Config{
		Connections: 64, Rate: s.receipts, Repeat: 0.5, Mixed: true, Duration: s.every,
	})
	if err != nil {
		return sample{}, err
	}
	return m.measure(ctx, result)
}

// check holds what is there against what was told. That all receipts are there was checked after each
// slice; that none has gone since shows in analytics, which must equal a count.
func (s *soakSettings) check(ctx context.Context, st *stage) (v proof.Verdict, err error) {
	if err := st.traffic.Finish(ctx); err != nil {
		return v, err
	}
	st.crm.Rest() // what another writer does after it was looked at is not known
	v.Add(proof.CheckCRM(ctx, st.service, st.traffic, st.crm.CRM))
	books, err := proof.CheckBooks(ctx, st.service)
	v.Add(books)
	return v, err
}

// tooLittle tells what was not taken over the whole time: a soak that is refused half of its load proves
// nothing.
func (s *soakSettings) tooLittle(samples []sample) (lines []string) {
	for f, wanted := range map[figure]float64{receiptRate: s.receipts, threadRate: s.threads} {
		sum := 0.0
		for _, one := range samples {
			sum += one[f]
		}
		if taken := sum / float64(len(samples)); taken < shareTaken*wanted {
			lines = append(lines, fmt.Sprintf("%s: %.0f of %.0f", figureRules[f].name, taken, wanted))
		}
	}
	return lines
}

// shareTaken is the share of the load that must be taken.
const shareTaken = 0.98

// report shows the figures of the tenth minute beside the last ones.
func (s *soakSettings) report(out io.Writer, st *stage, samples []sample, v proof.Verdict) error {
	early, late := earlyAndLate(samples)
	a, b := median(early), median(late)
	fmt.Fprintf(out, "\n%s, %v of %.0f receipts/s and %.0f posts of thread events/s; medians of %d samples\n\n",
		st.store.Name, s.duration, s.receipts, s.threads, len(early))
	table := proof.Table{{"figure", "early", "at the end", "bound"}}
	grown := false
	for f := range figures {
		bound := ""
		if most, ok := f.most(a[f]); ok {
			if bound = "≤ " + f.write(most); b[f] > most {
				bound += ", not kept"
				grown = true
			}
		}
		table = append(table, []string{figureRules[f].name, f.write(a[f]), f.write(b[f]), bound})
	}
	table.Print(out)
	if s.strict {
		v.Wrong = append(v.Wrong, s.tooLittle(samples)...)
	}
	fmt.Fprintf(out, "\nevents of threads acknowledged: %d; the CRM: %+v\n", st.traffic.Promises.Events(), st.crm.Counts())
	for _, line := range v.Wrong[:min(len(v.Wrong), 20)] {
		fmt.Fprintln(out, "FAULT:", line)
	}
	if !v.OK() || s.strict && grown {
		return errBroken
	}
	return nil
}
