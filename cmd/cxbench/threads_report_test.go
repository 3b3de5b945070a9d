package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

func TestThreadReport(t *testing.T) {
	latency := func(p99 time.Duration) load.Latency { return load.Latency{Requests: 300, P50: p99 / 2, P99: p99} }
	r := &threadReport{
		Machine: sampleReport().Machine, Databases: []string{"PostgreSQL"},
		Settings: &threadSettings{Rate: 1000, Threads: 500, Duration: time.Minute, Outage: 30 * time.Second, CRMDelay: 5 * time.Millisecond, Events: 300},
		Steady:   threadOutcome{Posted: 60_000, Accepted: 60_000, Acknowledged: 60_000},
		Lag:      latency(300 * time.Millisecond), Answer: latency(30 * time.Millisecond), Statements: 3.76, Requests: 1,
		CPU: 697 * time.Microsecond, Memory: memory{Resident: 63e6, Peak: 70e6},
		Outage: threadOutage{Events: threadOutcome{Posted: 75_000, Accepted: 75_000, Acknowledged: 75_000}, Before: latency(40 * time.Millisecond),
			During: latency(16 * time.Millisecond), After: latency(50 * time.Millisecond), Backlog: 30_000, CaughtUp: 1700 * time.Millisecond},
		Sizes: []threadSize{
			{Messages: 100, Synced: latency(32 * time.Millisecond), CPU: 4 * time.Millisecond, Bytes: 420, Whole: 30_000, Requests: 1},
			{Messages: 20_000, Synced: latency(36 * time.Millisecond), CPU: 5 * time.Millisecond, Bytes: 441, Whole: 6_000_000, Requests: 1},
		},
		Merges: latency(60 * time.Millisecond),
	}
	var got strings.Builder
	r.print(&got)
	figureTable(r.figures()).print(&got)
	checkGolden(t, "threads.md", got.String())
	if err := r.verdict(); err != nil {
		t.Error(err)
	}
	r.Outage.Events.Acknowledged--
	got.Reset()
	r.print(&got)
	if err := r.verdict(); err == nil || !strings.Contains(got.String(), "LOST 1") {
		t.Errorf("a lost event makes the verdict %v", err)
	}
}

// What was refused is not part of the backlog: the CRM need not get it.
func TestBacklog(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	before, after := at.Add(-time.Second), at.Add(time.Second)
	r := &threadRun{crm: &threadCRM{acked: map[string]time.Time{"in time": before, "late": after, "new": after}}, posts: []threadPost{
		{message: "in time", answered: before, status: http.StatusOK},
		{message: "late", answered: before, status: http.StatusOK},
		{message: "never", answered: before, status: http.StatusOK},
		{message: "refused", answered: before, status: http.StatusServiceUnavailable},
		{message: "new", answered: after, status: http.StatusOK},
	}}
	if n := r.backlog(at); n != 2 {
		t.Errorf("the backlog is %d, want 2", n)
	}
	want := threadOutcome{Posted: 5, Accepted: 4, Acknowledged: 3}
	if got := r.outcome(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if took := r.caughtUp(at); took != time.Second {
		t.Errorf("it took %s to catch up", took)
	}
}
