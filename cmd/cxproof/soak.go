package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// soakSettings are the flags of `cxproof soak`.
type soakSettings struct {
	common
	duration time.Duration
	every    time.Duration // between two samples
	receipts float64       // in a second
	threads  float64       // posts of events of threads in a second
	strict   bool          // growth is an error
	store    string
	raw      string // file of all samples
}

// soakSamples is how many samples a soak has at least: its figures after a twelfth of the time, which is the
// tenth minute of two hours, are compared with those at its end.
const soakSamples = 12

func parseSoak(args []string) (*soakSettings, error) {
	s := &soakSettings{strict: true}
	flags := flag.NewFlagSet("cxproof soak", flag.ContinueOnError)
	s.flags(flags)
	flags.DurationVar(&s.duration, "duration", 2*time.Hour, "how long the load lasts")
	flags.DurationVar(&s.every, "every", time.Minute, "how often everything is measured; at least twelve times")
	flags.Float64Var(&s.receipts, "receipts", 2000, "receipts in a second")
	flags.Float64Var(&s.threads, "threads", 200, "posts of events of threads in a second")
	flags.StringVar(&s.store, "store", onPostgres, "postgres or sqlite")
	flags.StringVar(&s.raw, "samples", "", "a file for all samples, as CSV; it is written while the soak lasts")
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
	if !slices.Contains(allStores, s.store) {
		return nil, errors.New("-store is postgres or sqlite")
	}
	return s, nil
}

// calmCRM is how the CRM behaves meanwhile: it fails now and then, as every CRM does.
var calmCRM = sim.CRMTrouble{Throttled: 0.0002, Failed: 0.01, Cut: 0.002, Stalled: 0.0005, RetryAfter: time.Second, Delay: 2 * time.Millisecond}

// soakGC is the setting of Go's garbage collector here. The conversations, as they must be and as the CRM has
// them, and the keys of the CRM's writes grow to two gigabytes, and a collection of that takes both cores of a
// small machine for seconds, which cxbridge then lacks. So a soak collects between the slices of its load, and
// this setting keeps the collector from running during one: the heap may grow to five times what is in use.
const soakGC = 400

// soak puts a steady load on one store for a long time, and shows what grows.
func soak(ctx context.Context, args []string, out io.Writer) error {
	s, err := parseSoak(args)
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(soakGC))
	return s.within(ctx, out, func() (err error) {
		st, err := newStage(ctx, &stageSettings{
			program: s.program, dir: s.dir, store: s.store, sync: s.strict, seed: s.seed,
			load: proof.Load{Threads: s.threads, Social: sim.Social{Threads: 8000, Messages: 300}},
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, st.cleanup.run()) }()
		st.crm.SetFaults(calmCRM.Faults(rand.New(rand.NewPCG(s.seed, 20))))
		samples, verdict, err := s.run(ctx, st)
		if err != nil {
			return err
		}
		return s.report(out, st, samples, verdict)
	})
}

// receiptsTotal is what a soak remembers of the receipts of all slices.
type receiptsTotal struct {
	ledger load.Ledger
	faults []string
}

// run puts the load on, slice by slice, with a sample after each, and checks at the end what is there.
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
	var receipts receiptsTotal
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
	v, err = s.check(ctx, st, &receipts)
	return samples, v, err
}

// slice puts the load of receipts on until the next sample. 64 connections are many times what is needed.
func (s *soakSettings) slice(ctx context.Context, st *stage, receipts *receiptsTotal, m *meter) (sample, error) {
	runtime.GC()
	result, err := st.put(ctx, load.Config{
		Connections: 64, Rate: s.receipts, Repeat: 0.5, Mixed: true, Duration: s.every,
	})
	if err != nil {
		return sample{}, err
	}
	receipts.ledger.Add(&result.Ledger)
	receipts.faults = append(receipts.faults, result.faults...)
	return m.measure(ctx, result.Result)
}

// check compares what is there with what was acknowledged: the receipts of all slices, which were checked after
// each slice too, the threads, analytics and the audit.
func (s *soakSettings) check(ctx context.Context, st *stage, receipts *receiptsTotal) (v proof.Verdict, err error) {
	if err := st.finish(ctx); err != nil {
		return v, err
	}
	v.Wrong = receipts.faults
	if err := receipts.check(ctx, st.store, &v); err != nil {
		return v, err
	}
	threads, err := proof.CheckThreads(ctx, st.service, st.traffic, st.crm.CRM)
	if v.Add(threads); err != nil {
		return v, err
	}
	books, err := proof.CheckBooks(ctx, st.service)
	v.Add(books)
	return v, err
}

// check compares all messages and receipts that are stored with those that were acknowledged.
func (r *receiptsTotal) check(ctx context.Context, s *proof.Store, v *proof.Verdict) error {
	rows, err := s.Rows(ctx, "")
	if err != nil {
		return err
	}
	if err := r.ledger.Verify(rows); err != nil {
		v.Wrong = append(v.Wrong, fmt.Sprintf("of all slices: %v", err))
	}
	return nil
}

// tooLittle names what was not taken over the whole time: a soak that is refused half of its load proves
// nothing.
func (s *soakSettings) tooLittle(samples []sample) (lines []string) {
	for _, part := range []struct {
		figure        figure
		wanted, share float64 // a second, and the share of it that must be taken at least
	}{
		{receiptRate, s.receipts, 0.98},
		{postRate, s.threads, 0.95}, // their sender does not make up for the time in which it gets no processor
	} {
		sum := 0.0
		for _, one := range samples {
			sum += one[part.figure]
		}
		if taken := sum / float64(len(samples)); taken < part.share*part.wanted {
			lines = append(lines, fmt.Sprintf("%s: %.0f of %.0f", figureRules[part.figure].name, taken, part.wanted))
		}
	}
	return lines
}

// report prints the early figures beside the last ones.
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
	printFaults(out, "FAULT:", v.Wrong)
	if !v.OK() || s.strict && grown {
		return errBroken
	}
	return nil
}
