package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/load"
)

// threadReport holds all results about threads.
type threadReport struct {
	Machine   machine         `json:"machine"`
	Databases []string        `json:"databases"`
	Settings  *threadSettings `json:"settings"`

	// Of the steady load; what is counted is by event.
	Steady     threadOutcome `json:"steady"`
	Lag        load.Latency  `json:"lag"`    // from the 2xx to the CRM's acknowledgement
	Answer     load.Latency  `json:"answer"` // from when a post was due
	Statements float64       `json:"statements"`
	Requests   float64       `json:"requests"` // to the CRM
	CPU        time.Duration `json:"cpu_ns"`
	Memory     memory        `json:"memory"`

	Outage threadOutage `json:"outage"`
	Sizes  []threadSize `json:"sizes"`
	Merges load.Latency `json:"merges"` // from the post to SYNCED
}

// threadOutcome is what became of the events of a load.
type threadOutcome struct {
	Posted       int `json:"posted"`
	Accepted     int `json:"accepted"`     // answered with 200
	Acknowledged int `json:"acknowledged"` // of these, by the CRM
}

func (o threadOutcome) String() string {
	text := fmt.Sprintf("%s of %s", humanize.Comma(int64(o.Acknowledged)), humanize.Comma(int64(o.Posted)))
	if lost := o.Accepted - o.Acknowledged; lost > 0 {
		text += fmt.Sprintf(", LOST %d", lost)
	}
	return text
}

// threadOutage is a load in the middle of which the CRM is away.
type threadOutage struct {
	Events   threadOutcome `json:"events"`
	Before   load.Latency  `json:"answer_before"` // of the webhook, from when a post was due
	During   load.Latency  `json:"answer_during"`
	After    load.Latency  `json:"answer_after"`
	Backlog  int           `json:"backlog"`      // events that the CRM lacked when it was back
	CaughtUp time.Duration `json:"caught_up_ns"` // until it had them
}

// threadSize is what one more message costs in a thread of many; by event.
type threadSize struct {
	Messages int           `json:"messages"`
	Synced   load.Latency  `json:"synced"` // from the post to SYNCED
	CPU      time.Duration `json:"cpu_ns"`
	Bytes    float64       `json:"bytes"` // to the CRM
	Whole    int64         `json:"whole"` // bytes to the CRM for all messages before
	Requests float64       `json:"requests"`
}

func (r *threadReport) databases() []string { return r.Databases }

func (r *threadReport) verdict() error {
	for _, o := range []threadOutcome{r.Steady, r.Outage.Events} {
		if o.Acknowledged < o.Accepted {
			return errors.New("the CRM does not have what was answered with 200")
		}
	}
	return nil
}

func (r *threadReport) print(w io.Writer) {
	s := r.Settings
	fmt.Fprintf(w, "- %s\n", r.Machine)
	for _, line := range r.Databases {
		fmt.Fprintf(w, "- %s\n", line)
	}
	fmt.Fprintf(w, "- server, PostgreSQL, the CRM (%s an answer) and the load on this machine\n", s.CRMDelay)
	fmt.Fprintf(w, "\n### %.0f thread events per second over %d threads for %s\n\n", s.Rate, s.Threads, s.Duration)
	table{
		{"figure", "reached", "aim"},
		{"events answered 2xx, and in the CRM at the end", r.Steady.String(), "all"},
		{"from the 2xx to the CRM's acknowledgement, p50", inMillis(r.Lag.P50), "< 50 ms"},
		{"the same, p99", inMillis(r.Lag.P99), "< 500 ms"},
		{"the webhook's answer, p50", inMillis(r.Answer.P50), ""},
		{"the same, p99", inMillis(r.Answer.P99), ""},
		{"SQL statements per event, BEGIN and COMMIT among them", fmt.Sprintf("%.2f", r.Statements), "< 5"},
		{"requests to the CRM per event", fmt.Sprintf("%.2f", r.Requests), ""},
		{"CPU of cxbridge per event", r.CPU.Round(time.Microsecond).String(), ""},
		{"resident memory", fmt.Sprintf("%d MB", r.Memory.Resident/1e6), "< 150 MB"},
	}.print(w)
	fmt.Fprintf(w, "\n### The CRM is away for %s in the middle of the same load\n\n", s.Outage)
	table{
		{"figure", "reached", "aim"},
		{"events answered 2xx, and in the CRM at the end", r.Outage.Events.String(), "all"},
		{"the webhook's answer, p99, before the outage", inMillis(r.Outage.Before.P99), ""},
		{"the same, during it", inMillis(r.Outage.During.P99), "not slower"},
		{"the same, after it", inMillis(r.Outage.After.P99), ""},
		{"backlog when the CRM was back", fmt.Sprintf("%d events", r.Outage.Backlog), ""},
		{"until the backlog was gone", r.Outage.CaughtUp.Round(10 * time.Millisecond).String(), "< 30 s"},
	}.print(w)
	r.printSizes(w)
}

func (r *threadReport) printSizes(w io.Writer) {
	fmt.Fprintf(w, "\n### One more message for a thread of many, %d times, one after another\n\n", r.Settings.Events)
	t := table{{"messages in the thread", "p50, post to SYNCED", "p99", "CPU of cxbridge per event", "bytes to the CRM per event", "bytes of the thread before", "requests per event"}}
	for _, one := range r.Sizes {
		t = append(t, []string{
			humanize.Comma(int64(one.Messages)), inMillis(one.Synced.P50), inMillis(one.Synced.P99), one.CPU.Round(10 * time.Microsecond).String(),
			fmt.Sprintf("%.0f", one.Bytes), humanize.Comma(one.Whole), fmt.Sprintf("%.2f", one.Requests),
		})
	}
	t.print(w)
	fmt.Fprintf(w, "\nA merge of two threads of 50 messages, %d times, one after another: p50 %s from the post to SYNCED, p99 %s.\n",
		r.Merges.Requests, inMillis(r.Merges.P50), inMillis(r.Merges.P99))
}

func (r *threadReport) figures() []figure {
	s := r.Settings
	add := func(name, unit string, value float64) figure { return measuredOnce(inThreads, name, unit, value) }
	all := []figure{
		add(fmt.Sprintf("2xx to the CRM's acknowledgement, p50 at %.0f events/s", s.Rate), "ms", millis(r.Lag.P50)).below(50),
		add(fmt.Sprintf("2xx to the CRM's acknowledgement, p99 at %.0f events/s", s.Rate), "ms", millis(r.Lag.P99)).below(500),
		add("answer of the webhook meanwhile, p99", "ms", millis(r.Answer.P99)),
		add("SQL statements per event", "", r.Statements).below(5),
		add("CPU of cxbridge per event", "µs", micros(r.CPU)),
		add("resident memory of cxbridge with threads", "MB", float64(r.Memory.Resident)/1e6).below(150),
		add("answer of the webhook, p99, before the CRM is away", "ms", millis(r.Outage.Before.P99)),
		add("answer of the webhook, p99, while it is away", "ms", millis(r.Outage.During.P99)),
		add(fmt.Sprintf("until the backlog of %s was gone", s.Outage), "s", r.Outage.CaughtUp.Seconds()).below(30),
		add("merge of two threads of 50 messages, post to SYNCED, p50", "ms", millis(r.Merges.P50)),
		add("merge of two threads of 50 messages, post to SYNCED, p99", "ms", millis(r.Merges.P99)),
	}
	for _, one := range r.Sizes {
		n := humanize.Comma(int64(one.Messages))
		all = append(all, add(fmt.Sprintf("one more message in a thread of %s, post to SYNCED, p50", n), "ms", millis(one.Synced.P50)),
			add(fmt.Sprintf("delta of one more message in a thread of %s", n), "bytes", one.Bytes),
			add(fmt.Sprintf("the whole of a thread of %s", n), "bytes", float64(one.Whole)))
	}
	return append(all, r.ratios()...)
}

// ratios compares one more message in the largest thread with one more in the smallest.
func (r *threadReport) ratios() (all []figure) {
	if len(r.Sizes) < 2 {
		return nil
	}
	small, large := r.Sizes[0], r.Sizes[len(r.Sizes)-1]
	name := fmt.Sprintf("one more message in a thread of %s to one of %s: ", humanize.Comma(int64(large.Messages)), humanize.Comma(int64(small.Messages)))
	if small.CPU > 0 {
		all = append(all, measuredOnce(inRatios, name+"CPU of cxbridge", "", float64(large.CPU)/float64(small.CPU)))
	}
	return append(all, measuredOnce(inRatios, name+"bytes to the CRM", "", large.Bytes/small.Bytes))
}
