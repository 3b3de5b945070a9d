package main

import "fmt"

// naivePool is how many database connections the naive handler has: the default of the library that the
// tutorials use.
const naivePool = 10

func (r *receiptReport) databases() []string { return r.Databases }

func (r *receiptReport) verdict() error { return verify(r.Runs) }

func (r *receiptReport) figures() []figure {
	return append(r.ratios(), append(r.speeds(), r.footprints()...)...)
}

// ratios compare the servers within each round, so that what slows the machine down for a while slows
// both sides of a ratio.
func (r *receiptReport) ratios() (all []figure) {
	for _, pair := range []struct {
		above, below string
		atLeast      float64 // 0 where nothing was asked for
	}{{"c", "a", 0.5}, {"d", "a", 0.4}, {"c", "b", 3}, {"d", "b", 0}} {
		above, below := r.of(pair.above, "single"), r.of(pair.below, "single")
		if len(above) == 0 || len(above) != len(below) {
			continue
		}
		f := overRounds(inRatios, fmt.Sprintf("receipts/s of %s to %s", label(pair.above), label(pair.below)), "", above,
			func(one run) float64 { return perSecond(one) / perSecond(below[one.Round-1]) })
		if pair.atLeast > 0 {
			f = f.atLeast(pair.atLeast)
		}
		all = append(all, f)
	}
	return all
}

func (r *receiptReport) speeds() (all []figure) {
	add := func(target, workload, name, unit string, value func(run) float64) figure {
		return overRounds(inReceipts, label(target)+", "+name, unit, r.of(target, workload), value)
	}
	p50 := func(one run) float64 { return millis(one.Result.Latency.P50) }
	p99 := func(one run) float64 { return millis(one.Result.Latency.P99) }
	s := r.Settings
	for _, key := range s.Only {
		latency := add(key, "single", fmt.Sprintf("p99 at %d connections", s.Connections), "ms", p99)
		if key == "c" || key == "d" {
			latency = latency.below(20)
		}
		all = append(all, add(key, "single", "one by one", "/s", perSecond),
			add(key, "single", fmt.Sprintf("p50 at %d connections", s.Connections), "ms", p50), latency,
			add(key, "open", "p99 at half of that rate", "ms", p99))
	}
	for _, key := range []string{"c", "d"} {
		all = append(all, add(key, "repeat", "with second receipts", "/s", perSecond),
			add(key, "array", fmt.Sprintf("arrays of %d", s.Batch), "/s", perSecond).atLeast(100_000),
			add(key, "array", fmt.Sprintf("p99 of an array of %d", s.Batch), "ms", p99))
	}
	return all
}

// footprints returns the memory and the start time of cxbridge.
func (r *receiptReport) footprints() (all []figure) {
	for _, key := range []string{"c", "d"} {
		var runs []run
		for _, one := range r.Runs {
			if one.Target == key {
				runs = append(runs, one)
			}
		}
		all = append(all,
			overRounds(inReceipts, label(key)+", resident memory under any load", "MB", runs, func(one run) float64 { return float64(one.Memory.Resident) / 1e6 }).below(150),
			overRounds(inReceipts, label(key)+", start to ready on an existing database", "ms", runs, func(one run) float64 { return millis(one.Ready) }).below(1000))
	}
	return all
}
