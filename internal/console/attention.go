package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// finding is something that needs attention, in plain words.
type finding struct {
	Level string // bad, warn or info
	Badge string
	Text  string
	URL   string // of the page with the details; "" for none
	Link  string // its text
}

// The limits beyond which something needs attention.
const (
	slaGoal    = 99.0            // per cent of receipts within the SLA
	staleAfter = 5 * time.Minute // for which a thread waits for the CRM
)

// attention lists what needs it, the worst first. The alarm about a slow carrier is a warning, as it is in
// deploy/prometheus.
func (c *Console) attention(o *overview) []finding {
	var all []finding
	add := func(level, badge, text, url, link string) { all = append(all, finding{level, badge, text, url, link}) }
	for _, p := range o.Parts {
		switch level := p.Level(); {
		case p.Name == "crm" && p.State == "paused":
			add(level, "Paused", p.sentence()+o.waitingText(), o.waitingPath(), "Threads")
		case p.Name == "crm" && level == "bad":
			add(level, "Down", p.sentence()+o.waitingText(), "/system", "System")
		case level == "bad":
			add(level, "Down", p.sentence(), "/system", "System")
		case level == "warn":
			add(level, "Trouble", p.sentence(), "/system", "System")
		}
	}
	for _, a := range o.Alarms { // all of them are about slow carriers: see raised
		add("warn", "Slow", a.Subject+" is slow: "+alarmText(a), "/carriers?"+url.Values{"carrier": {a.Subject}}.Encode(), "Carriers")
	}
	if o.Report != nil {
		all = append(all, c.carrierFindings(o)...)
	}
	if o.Backlog != nil {
		all = append(all, backlogFindings(o)...)
	}
	if o.Letters > 0 {
		f := finding{Level: "warn", Badge: "Refused", Text: plural(o.Letters,
			"dead letter is waiting: an event or push that was refused. Fix the cause and replay it, or delete it.",
			"dead letters are waiting: events or pushes that were refused. Fix the cause and replay them, or delete them.")}
		if o.MayReplay {
			f.URL, f.Link = "/dead-letters", "Dead letters"
		}
		all = append(all, f)
	}
	order := []string{"bad", "warn", "info"}
	slices.SortStableFunc(all, func(a, b finding) int {
		return cmp.Compare(slices.Index(order, a.Level), slices.Index(order, b.Level))
	})
	return all
}

// waitingText says how many threads wait for the CRM, as a sentence that follows another; "" for none.
func (o *overview) waitingText() string {
	if o.Backlog == nil || o.Backlog.Pending == 0 {
		return ""
	}
	return " " + plural(o.Backlog.Pending, "thread waits.", "threads wait.")
}

// waitingPath leads to the threads that wait for the CRM.
func (o *overview) waitingPath() string {
	state := store.StatePending
	if o.Backlog != nil && o.Backlog.Pending > 0 && o.Backlog.Retrying == o.Backlog.Pending { // the list of pending threads would be empty
		state = store.StateRetrying
	}
	return withQuery(threadsPath, map[string]string{"state": string(state)})
}

func (c *Console) carrierFindings(o *overview) []finding {
	var all []finding
	for bad := range byCarrier(routesToLeave(o.Report)) {
		query := url.Values{"window": {o.Window.Text}, "carrier": {bad[0].Carrier}}
		all = append(all, finding{"bad", "Reroute", rerouteText(bad), "/carriers?" + query.Encode(), "Why"})
	}
	if sla := o.Report.SLACompliance; sla != nil && *sla < slaGoal {
		text := fmt.Sprintf("Only %s of the receipts were durable within %s; the goal is %.0f %%.", percent(sla), formatDuration(c.SLA), slaGoal)
		all = append(all, finding{"warn", "SLA", text, "/system", "System"})
	}
	if n := o.Report.Unpriced; n > 0 {
		text := plainPlural(int(n), "message has", "messages have") + " no price, so the true cost is higher than shown: add the carriers to the rate card."
		all = append(all, finding{"info", "Prices", text, "/carriers?window=" + url.QueryEscape(o.Window.Text), "Carriers"})
	}
	return all
}

func backlogFindings(o *overview) []finding {
	var all []finding
	if n := o.Backlog.Parked; n > 0 {
		f := finding{"bad", "Parked", plural(n,
			"thread is parked: the CRM refused it. Fix the cause, then replay its dead letter.",
			"threads are parked: the CRM refused them. Fix the cause, then replay their dead letters."), "/threads?state=parked", "Threads"}
		if o.MayReplay {
			f.URL, f.Link = withQuery(deadLettersPath, map[string]string{"kind": string(store.KindThreadPush)}), "Dead letters"
		}
		all = append(all, f)
	}
	if n := o.Backlog.Retrying; o.HasCRM && n > 0 {
		all = append(all, finding{"warn", "Retrying", plural(n, "thread is", "threads are") + " being retried: the last push to the CRM failed.", "/threads?state=retrying", "Threads"})
	}
	if oldest := o.Backlog.Oldest; o.HasCRM && !oldest.IsZero() && o.now.Sub(oldest) > staleAfter {
		all = append(all, finding{"warn", "Behind", "The CRM is behind: one thread has been waiting for " + age(o.now, oldest) + ".",
			o.waitingPath(), "Threads"})
	}
	return all
}

// healthPart is a part of the process, and how it is.
type healthPart struct {
	Name string
	status.Part
}

// Level returns how good or bad the state is: ok, warn, bad or neutral.
func (p healthPart) Level() string {
	switch p.State {
	case "up", "empty", "subscribed":
		return "ok"
	case "down", "full", "failing", "stopping":
		return "bad"
	case "holding", "paused":
		return "warn"
	}
	return "neutral"
}

// sentence says what the state is and what to do about it.
func (p healthPart) sentence() string {
	if name, ok := strings.CutPrefix(p.Name, subscriptionPrefix); ok && p.State == "failing" {
		return "CXone does not accept the subscription " + name + ", so it may send no such events. The log has its answer. It is tried again."
	}
	name := "the " + p.Name
	switch p.Name {
	case "crm":
		name = "the CRM"
	case "process":
		name = "this process"
	}
	text := sentence(name + " is " + p.State)
	switch p.State {
	case "failing":
		text = sentence(name + " does not work")
	case "holding":
		text = sentence(name + " is holding events")
	case "paused":
		if p.Until.IsZero() {
			return sentence(name + " asks again and again to be left alone: " + p.Detail)
		}
		return sentence(name + " is left alone until " + p.Until.UTC().Format("15:04:05 UTC") + ": " + p.Detail)
	}
	if p.Detail != "" {
		text += " " + sentence(p.Detail)
	}
	return text
}

// partsOf returns the parts by name.
func partsOf(byName map[string]status.Part) []healthPart {
	var parts []healthPart
	for name, p := range byName {
		parts = append(parts, healthPart{name, p})
	}
	slices.SortFunc(parts, func(a, b healthPart) int { return cmp.Compare(a.Name, b.Name) })
	return parts
}

// alarmText describes the alarm about a slow carrier, with the figures that raised or cleared it.
func alarmText(a store.Alarm) string {
	share, after, window := figure(a.Detail, "share"), length(a.Detail, "after"), length(a.Detail, "window")
	if share < 0 || after == 0 {
		return "its messages take long."
	}
	within := ""
	if window > 0 {
		within = " within " + formatDuration(window)
	}
	return fmt.Sprintf("%.3g %% of its messages%s took longer than %s.", 100*share, within, formatDuration(after))
}

// figure returns a number of a detail, or -1 when there is none.
func figure(d audit.Detail, name string) float64 {
	switch v := d[name].(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	}
	return -1
}

// length returns a duration of a detail, or 0.
func length(d audit.Detail, name string) time.Duration {
	text, _ := d[name].(string)
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return parsed
}

// plural writes a count that goes no further than maxCount, with what was counted.
func plural(n int, one, many string) string {
	if n >= maxCount {
		return atMost(n) + " " + many
	}
	return plainPlural(n, one, many)
}

// plainPlural writes a number that is exact, with what was counted.
func plainPlural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}
