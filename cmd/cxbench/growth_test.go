package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/load"
)

func TestGrowthReport(t *testing.T) {
	r := &growthReport{Machine: sampleReport().Machine, Settings: &growthSettings{
		Duration: time.Second, Rounds: 2, Connections: counts{1, 64}, Replicas: counts{1, 3}, Messages: counts{0, 1_000_000}, OnSQLite: counts{0},
	}}
	add := func(round int, target, what string, size int, perSecond float64) {
		r.Runs = append(r.Runs, growthRun{Size: size, run: run{Round: round, Target: target, Workload: what,
			Result: load.Result{PerSecond: perSecond, Latency: load.Latency{P99: 2 * time.Millisecond}, Ledger: load.Ledger{Receipts: 1000}},
			Cost:   cost{Server: 50 * time.Millisecond}}})
	}
	for round := 1; round <= 2; round++ {
		speed := 1000 * float64(round)
		add(round, "c", byConnections, 1, speed)
		add(round, "c", byConnections, 64, 10*speed)
		add(round, "c", byReplicas, 1, 10*speed)
		add(round, "c", byReplicas, 3, 8*speed)
		add(round, "c", byMessages, 0, 10*speed)
		add(round, "c", byMessages, 1_000_000, 9*speed)
		add(round, "d", byMessages, 0, 7*speed)
	}
	var got strings.Builder
	r.print(&got)
	figureTable(r.figures()).print(&got)
	checkGolden(t, "growth.md", got.String())
	if err := r.verdict(); err != nil {
		t.Error(err)
	}
	r.Runs[3].Verified = "LOST: 1"
	if err := r.verdict(); err == nil || !strings.Contains(err.Error(), "LOST: 1") {
		t.Errorf("the verdict is %v", err)
	}
}

// What several servers did at the same time is summed up, but for latencies and memory.
func TestRunAdd(t *testing.T) {
	part := func(perSecond float64, p99 time.Duration, verified string) *run {
		return &run{
			Result: load.Result{PerSecond: perSecond, Latency: load.Latency{Requests: 10, P99: p99}, Ledger: load.Ledger{Receipts: 10, Messages: 9}},
			Memory: memory{Resident: int64(perSecond), Peak: 5}, Cost: cost{Generator: time.Second, Server: time.Second}, Verified: verified,
		}
	}
	var sum run
	sum.add(part(100, 3*time.Millisecond, ""))
	sum.add(part(50, 7*time.Millisecond, "LOST"))
	want := run{
		Result: load.Result{PerSecond: 150, Latency: load.Latency{Requests: 20, P99: 7 * time.Millisecond}, Ledger: load.Ledger{Receipts: 20, Messages: 18}},
		Memory: memory{Resident: 100, Peak: 5}, Cost: cost{Generator: time.Second, Server: 2 * time.Second}, Verified: "LOST",
	}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
