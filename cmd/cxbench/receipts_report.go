package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/load"
)

// The report is Markdown, so that it can be published as it is.

func (r *receiptReport) print(w io.Writer) {
	s := r.Settings
	fmt.Fprintf(w, "- %s\n", r.Machine)
	for _, line := range r.Databases {
		fmt.Fprintf(w, "- %s\n", line)
	}
	fmt.Fprintf(w, "- load generator: %d connections, HTTP client: %s; (b) has %d connections to its database\n", s.Connections, s.Client, s.NaivePool)
	fmt.Fprintf(w, "- rounds: %d; in each, every load: %s of warm-up and %s of measurement\n", s.Rounds, s.Warmup, s.Duration)
	fmt.Fprintf(w, "- figures: median [least–most] over the rounds\n")
	for _, l := range workloads {
		r.printLoad(w, l)
	}
	r.printRatios(w)
	r.printCost(w)
	r.printMemory(w)
	r.printAccount(w)
}

// of returns the runs of one server under one load.
func (r *receiptReport) of(target, workload string) []run { return runsOf(r.Runs, target, workload) }

func runsOf(all []run, target, workload string) (runs []run) {
	for _, one := range all {
		if one.Target == target && one.Workload == workload {
			runs = append(runs, one)
		}
	}
	return runs
}

func (r *receiptReport) printLoad(w io.Writer, l workload) {
	t := table{{"server", "receipts/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "failures"}}
	for _, key := range r.Settings.Only {
		runs := r.of(key, l.name)
		if len(runs) == 0 {
			continue
		}
		latency := func(pick func(load.Latency) time.Duration) string {
			return spread(runs, func(one run) float64 { return pick(one.Result.Latency).Seconds() * 1000 }, "%.2f")
		}
		t = append(t, []string{
			label(key),
			spread(runs, func(one run) float64 { return one.Result.PerSecond }, "count"),
			latency(func(l load.Latency) time.Duration { return l.P50 }),
			latency(func(l load.Latency) time.Duration { return l.P90 }),
			latency(func(l load.Latency) time.Duration { return l.P99 }),
			latency(func(l load.Latency) time.Duration { return l.P999 }),
			latency(func(l load.Latency) time.Duration { return l.Max }),
			failures(runs),
		})
	}
	if len(t) == 1 {
		return
	}
	fmt.Fprintf(w, "\n### %s\n\n", l.title)
	switch l.name {
	case "repeat":
		fmt.Fprintf(w, "%.0f %% of the receipts are for a message that had one before.\n\n", 100*r.Settings.Repeat)
	case "array":
		fmt.Fprintf(w, "%d receipts in a request; latencies are those of a request.\n\n", r.Settings.Batch)
	case "open":
		fmt.Fprint(w, "Latencies are measured from when a request was due, whether or not it could be sent then.\n\n")
	}
	t.print(w)
}

// failures counts what was not acknowledged, by its kind.
func failures(runs []run) string {
	var broken, wrong, unsent, spooled int64
	refused := make(map[int]int64)
	for _, one := range runs {
		l := one.Result.Ledger
		broken, wrong, unsent, spooled = broken+l.Broken, wrong+l.Wrong, unsent+one.Result.Unsent, spooled+l.Spooled
		for status, n := range l.Refused {
			refused[status] += n
		}
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(refused)) {
		parts = append(parts, fmt.Sprintf("%d × %d", refused[status], status))
	}
	for _, kind := range []struct {
		n    int64
		name string
	}{{broken, "broken"}, {wrong, "wrong"}, {unsent, "unsent"}, {spooled, "spooled"}} {
		if kind.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kind.n, kind.name))
		}
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// printRatios compares the servers within each round, so that what slows the machine down for a
// while slows both sides of a ratio.
func (r *receiptReport) printRatios(w io.Writer) {
	t := table{{"ratio of receipts/s", "median [least–most]"}}
	for _, pair := range [][2]string{{"c", "a"}, {"d", "a"}, {"c", "b"}, {"d", "b"}} {
		above, below := r.of(pair[0], "single"), r.of(pair[1], "single")
		if len(above) == 0 || len(above) != len(below) {
			continue
		}
		ratio := func(one run) float64 { return one.Result.PerSecond / below[one.Round-1].Result.PerSecond }
		t = append(t, []string{"(" + pair[0] + ") / (" + pair[1] + ")", spread(above, ratio, "%.2f")})
	}
	if len(t) > 1 {
		fmt.Fprint(w, "\n### Ratios, one receipt per request\n\n")
		t.print(w)
	}
}

// printCost prints where the time of the machine went.
func (r *receiptReport) printCost(w io.Writer) {
	t := table{{"server", "load", "generator µs", "server µs", "database µs", "receipts per commit", "WAL bytes"}}
	for _, key := range r.Settings.Only {
		for _, l := range workloads {
			runs := r.of(key, l.name)
			if len(runs) == 0 {
				continue
			}
			each := func(pick func(cost) float64) string {
				return spread(runs, func(one run) float64 { return pick(one.Cost) / float64(one.Result.Ledger.Receipts) }, "%.1f")
			}
			row := []string{label(key), l.name,
				each(func(c cost) float64 { return float64(c.Generator.Microseconds()) }),
				each(func(c cost) float64 { return float64(c.Server.Microseconds()) }),
				"", "", ""}
			if runs[0].Cost.Database.Commits > 0 {
				row[4] = each(func(c cost) float64 { return float64(c.Database.CPU.Microseconds()) })
				row[5] = spread(runs, func(one run) float64 {
					return float64(one.Result.Ledger.Receipts) / float64(one.Cost.Database.Commits)
				}, "%.1f")
				row[6] = each(func(c cost) float64 { return float64(c.Database.WALBytes) })
			}
			t = append(t, row)
		}
	}
	fmt.Fprint(w, "\n### What a receipt costs, in CPU time and log\n\n")
	t.print(w)
}

func (r *receiptReport) printMemory(w io.Writer) {
	t := table{{"server", "load", "resident MB", "peak MB", "start to ready ms", "first start ms"}}
	for _, key := range r.Settings.Only {
		first := ""
		for _, start := range r.FirstRuns {
			if start.Target == key {
				first = fmt.Sprintf("%.0f", start.Ready.Seconds()*1000)
			}
		}
		for _, l := range workloads {
			runs := r.of(key, l.name)
			if len(runs) == 0 {
				continue
			}
			t = append(t, []string{label(key), l.name,
				spread(runs, func(one run) float64 { return float64(one.Memory.Resident) / 1e6 }, "%.0f"),
				spread(runs, func(one run) float64 { return float64(one.Memory.Peak) / 1e6 }, "%.0f"),
				spread(runs, func(one run) float64 { return one.Ready.Seconds() * 1000 }, "%.0f"), first})
		}
	}
	fmt.Fprint(w, "\n### Memory of the server under load, and its start on an existing database\n\n")
	t.print(w)
}

// printAccount says what the verification came to.
func (r *receiptReport) printAccount(w io.Writer) {
	var receipts, messages, bad int64
	for _, one := range r.Runs {
		if one.Target == "a" {
			continue
		}
		receipts += one.Result.Ledger.Receipts
		messages += one.Result.Ledger.Messages
		if one.Verified != "" {
			bad++
		}
	}
	fmt.Fprintf(w, "\n%s receipts of %s messages were acknowledged by (b), (c) and (d). ", humanize.Comma(receipts), humanize.Comma(messages))
	if bad == 0 {
		fmt.Fprint(w, "After every run the rows of the database equalled the 2xx answers.")
	} else {
		fmt.Fprintf(w, "IN %d RUNS THE ROWS OF THE DATABASE DID NOT MATCH THE 2xx ANSWERS.", bad)
	}
	fmt.Fprintf(w, " The whole took %s.\n", r.Took.Round(time.Second))
}
