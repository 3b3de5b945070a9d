package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// print prints what was sent and how it was answered. It is called when all is over.
func (s *simulation) print(out io.Writer) {
	c := s.command
	title := "steady traffic"
	if c.Scenario != "" {
		title = c.Scenario
		if c.script.Title != "" {
			title += ": " + c.script.Title
		}
	}
	receipts, threads := s.receipts.sender.Counts(), s.threads.sender.Counts()
	posts := receipts.Posts + threads.Posts
	fmt.Fprintf(out, "simulated %s, with --seed %d\n", title, c.Seed)
	fmt.Fprintf(out, "sent      %d posts in %v, %.1f per second: %d about messages, %d about threads\n",
		posts, s.took.Round(time.Millisecond), float64(posts)/max(s.took.Seconds(), 0.001), receipts.Posts, threads.Posts)
	if posts == 0 {
		return
	}
	fmt.Fprintf(out, "          %s\n", s.kinds.line())
	fmt.Fprintf(out, "answered  %s\n", answered(receipts, threads))
	s.mu.Lock()
	defer s.mu.Unlock()
	at := func(percentile float64) string { return milliseconds(s.latency.ValueAtPercentile(percentile)) }
	fmt.Fprintf(out, "latency   p50 %s, p95 %s, p99 %s, max %s, from when a post was due to its last answer\n",
		at(50), at(95), at(99), milliseconds(s.latency.Max()))
	for _, how := range slices.Sorted(maps.Keys(s.unexpected)) {
		fmt.Fprintf(out, "  WRONG: %d posts were %s\n", s.unexpected[how], how)
	}
}

// answered sums up the answers of both webhooks.
func answered(counts ...sim.Counts) string {
	byStatus := make(map[int]int)
	busy, retries := 0, 0
	var e sim.Events
	for _, c := range counts {
		for status, n := range c.Statuses {
			byStatus[status] += n
		}
		busy += c.Busy
		retries += c.Retries
		e.Duplicate += c.Events.Duplicate + c.Events.Ignored
		e.Flagged += c.Events.Flagged
		e.Quarantined += c.Events.Quarantined
		e.Spooled += c.Events.Spooled
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		name := fmt.Sprintf("with %d", status)
		if status == 0 {
			name = "never"
		}
		parts = append(parts, fmt.Sprintf("%d %s", byStatus[status], name))
	}
	text := fmt.Sprintf("%s; %d were tried again, %d times after a 503", strings.Join(parts, ", "), retries, busy)
	for _, fact := range []struct {
		n    int
		what string
	}{
		{e.Duplicate, "events brought nothing new"}, {e.Flagged, "sender IDs break the rules"},
		{e.Quarantined, "receipts are in quarantine"}, {e.Spooled, "events were spooled"},
	} {
		if fact.n > 0 {
			text += fmt.Sprintf("\n          %d %s", fact.n, fact.what)
		}
	}
	return text
}

// milliseconds writes a number of microseconds.
func milliseconds(us int64) string { return fmt.Sprintf("%.1f ms", float64(us)/1000) }
