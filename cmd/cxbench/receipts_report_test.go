package main

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleReport is a bench of two rounds and three servers, with figures that are easy to check.
func sampleReport() *receiptReport {
	r := &receiptReport{
		Machine:   machine{CPU: "Example CPU", Cores: 2, Memory: 8 << 30, OS: "linux/amd64", Kernel: "6.1", Go: "go1.26", Fsync: 120 * time.Microsecond, P99: time.Millisecond},
		Databases: []string{"PostgreSQL 15.8: synchronous_commit=on fsync=on"},
		Settings: &receiptSettings{Duration: 8 * time.Second, Warmup: 2 * time.Second, Rounds: 2, Connections: 64, Batch: 100,
			Repeat: 0.3, NaivePool: 10, Only: words{"a", "b", "c"}},
		FirstRuns: []firstStart{{"a", 5 * time.Millisecond}, {"b", 30 * time.Millisecond}, {"c", 200 * time.Millisecond}},
		Took:      5 * time.Minute,
	}
	add := func(round int, target, workload string, perSecond float64, ledger load.Ledger, db counters) {
		r.Runs = append(r.Runs, run{
			Round: round, Target: target, Workload: workload, Ready: time.Duration(round) * 10 * time.Millisecond,
			Memory: memory{Resident: 40e6, Peak: 50e6}, Cost: cost{Generator: 2 * time.Second, Server: 4 * time.Second, Database: db},
			Result: load.Result{PerSecond: perSecond, Ledger: ledger,
				Latency: load.Latency{P50: time.Millisecond, P90: 2 * time.Millisecond, P99: 3 * time.Millisecond, P999: 4 * time.Millisecond, Max: 5 * time.Millisecond}},
		})
	}
	ledger := load.Ledger{Receipts: 100_000, Messages: 100_000}
	failing := load.Ledger{Receipts: 100_000, Messages: 100_000, Refused: map[int]int64{503: 7, 401: 1}, Broken: 2}
	db := counters{Commits: 1000, WALBytes: 60_000_000, CPU: time.Second}
	for round := 1; round <= 2; round++ {
		add(round, "a", "single", 40_000/float64(round), ledger, counters{})
		add(round, "b", "single", 5_000/float64(round), ledger, db)
		add(round, "c", "single", 24_000/float64(round*round), ledger, db)
		add(round, "c", "array", 150_000, failing, db)
	}
	return r
}

func TestReportGolden(t *testing.T) {
	r := sampleReport()
	var got strings.Builder
	r.print(&got)
	figureTable(r.figures()).print(&got)
	checkGolden(t, "receipts.md", got.String())
}

func TestReportShouts(t *testing.T) {
	r := sampleReport()
	r.Runs[2].Verified = "LOST: 2 messages acknowledged, 1 in the database"
	var got strings.Builder
	r.print(&got)
	if !strings.Contains(got.String(), "DID NOT MATCH") {
		t.Error("the report hides a lost row")
	}
	if err := r.verdict(); err == nil || !strings.Contains(err.Error(), `c, load "single", round 1: LOST`) {
		t.Errorf("the verdict is %v", err)
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{[]float64{7}, 7}, {[]float64{1, 2}, 1.5}, {[]float64{1, 2, 9}, 2}, {[]float64{1, 2, 4, 9}, 3}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}
