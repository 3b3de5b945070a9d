package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"
)

// growthReport holds the results for every size.
type growthReport struct {
	Machine   machine         `json:"machine"`
	Databases []string        `json:"databases"`
	Settings  *growthSettings `json:"settings"`
	Runs      []growthRun     `json:"runs"`
}

func (r *growthReport) databases() []string { return r.Databases }

func (r *growthReport) verdict() error {
	var all []run
	for _, one := range r.Runs {
		all = append(all, one.run)
	}
	return verify(all)
}

// at returns the runs of a server at a size, one for each round.
func (r *growthReport) at(target, what string, size int) (runs []run) {
	for _, one := range r.Runs {
		if one.Target == target && one.Workload == what && one.Size == size {
			runs = append(runs, one.run)
		}
	}
	return runs
}

// sweeps returns the sizes of each thing that grows.
func (r *growthReport) sweeps() []sweep {
	s := r.Settings
	all := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(s.Messages), s.OnSQLite...))))
	return []sweep{
		{byConnections, []string{"a", "c", "d"}, s.Connections},
		{byArrays, []string{"c", "d"}, s.Arrays},
		{byReplicas, []string{"c"}, s.Replicas},
		{byMessages, []string{"c", "d"}, all},
	}
}

type sweep struct {
	what  string
	keys  []string
	sizes []int
}

func (r *growthReport) print(w io.Writer) {
	fmt.Fprintf(w, "- %s\n", r.Machine)
	for _, line := range r.Databases {
		fmt.Fprintf(w, "- %s\n", line)
	}
	s := r.Settings
	fmt.Fprintf(w, "- but for what grows: %d connections, one receipt per request, one server; %s of warm-up and %s of measurement\n", growthConnections, s.Warmup, s.Duration)
	fmt.Fprintf(w, "- figures: median [least–most] over the rounds, of which there were %d; p99 of a request in milliseconds\n", s.Rounds)
	for _, g := range r.sweeps() {
		r.printSweep(w, g)
	}
	fmt.Fprintf(w, "\nServers on one PostgreSQL share the %d connections; the p99 is that of the slowest.\n", growthConnections)
}

func (r *growthReport) printSweep(w io.Writer, g sweep) {
	head := []string{g.what}
	for _, key := range g.keys {
		head = append(head, label(key)+", receipts/s", "p99 ms", "CPU µs")
	}
	t := table{head}
	for _, size := range g.sizes {
		row := []string{humanize.Comma(int64(size))}
		for _, key := range g.keys {
			runs := r.at(key, g.what, size)
			if len(runs) == 0 {
				row = append(row, "", "", "")
				continue
			}
			row = append(row, spread(runs, perSecond, "count"), spread(runs, p99, "%.1f"), spread(runs, cpuPerReceipt, "%.1f"))
		}
		t = append(t, row)
	}
	if len(t) > 1 {
		fmt.Fprintf(w, "\n### By %s\n\n", g.what)
		t.print(w)
	}
}

func p99(one run) float64 { return millis(one.Result.Latency.P99) }

func (r *growthReport) figures() (all []figure) {
	for _, g := range r.sweeps() {
		for _, key := range g.keys {
			all = append(all, r.ratio(g, key)...)
			for _, size := range g.sizes {
				name := fmt.Sprintf("%s, %s: %s", label(key), g.what, humanize.Comma(int64(size)))
				all = append(all, overRounds(inGrowth, name, "/s", r.at(key, g.what, size), perSecond))
			}
		}
	}
	return all
}

// ratio compares the largest size of servers and of data with the smallest, round by round.
func (r *growthReport) ratio(g sweep, key string) []figure {
	if g.what != byReplicas && g.what != byMessages {
		return nil
	}
	sizes := slices.DeleteFunc(slices.Clone(g.sizes), func(n int) bool { return len(r.at(key, g.what, n)) == 0 })
	if len(sizes) < 2 {
		return nil
	}
	least, most := slices.Min(sizes), slices.Max(sizes)
	base := r.at(key, g.what, least)
	name := fmt.Sprintf("receipts/s of %s, %s: %s to %d", label(key), g.what, humanize.Comma(int64(most)), least)
	return []figure{overRounds(inRatios, name, "", r.at(key, g.what, most), func(one run) float64 {
		return perSecond(one) / perSecond(base[one.Round-1])
	})}
}
