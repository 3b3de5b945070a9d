package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/api"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// finding is something that needs attention, in plain words.
type finding struct {
	Level string // bad, warn or info
	Badge string
	Text  string
	URL   string // of the page that tells more; "" for none
	Link  string // its text
}

// What is worth telling.
const (
	slaGoal    = 99.0            // per cent of receipts within the SLA
	staleAfter = 5 * time.Minute // that a thread waits for the CRM
)

// attention lists what needs it, the worst first.
func (c *Console) attention(o *overview) []finding {
	var all []finding
	add := func(level, badge, text, url, link string) { all = append(all, finding{level, badge, text, url, link}) }
	for _, p := range o.Parts {
		switch p.Level() {
		case "bad":
			add("bad", "Down", p.sentence(), "/system", "System")
		case "warn":
			add("warn", "Trouble", p.sentence(), "/system", "System")
		}
	}
	for _, a := range o.Alarms { // there is no other alarm than that about slow carriers
		add("bad", "Slow", a.Subject+" is slow: "+alarmText(a), "/carriers?"+url.Values{"carrier": {a.Subject}}.Encode(), "Carriers")
	}
	if o.Report != nil {
		all = append(all, c.carrierFindings(o)...)
	}
	if o.Backlog != nil {
		all = append(all, backlogFindings(o)...)
	}
	if o.Letters > 0 {
		f := finding{Level: "warn", Badge: "Refused", Text: plural(o.Letters, "dead letter waits", "dead letters wait") +
			", of events and pushes that were refused: mend the cause and replay, or delete."}
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

func (c *Console) carrierFindings(o *overview) []finding {
	var all []finding
	for bad := range byCarrier(routesToLeave(o.Report)) {
		query := url.Values{"window": {o.Window.Text}, "carrier": {bad[0].Carrier}}
		all = append(all, finding{"bad", "Reroute", rerouteText(bad), "/carriers?" + query.Encode(), "Why"})
	}
	if sla := o.Report.SLACompliance; sla != nil && *sla < slaGoal {
		all = append(all, finding{"warn", "SLA", fmt.Sprintf("Only %s of the receipts were durable within %s.", percent(sla), formatDuration(c.SLA)), "/system", "System"})
	}
	if n := o.Report.Unpriced; n > 0 {
		all = append(all, finding{"info", "Prices", number(n) + " of the messages have no price, so costs are higher than shown: name their carriers in the rate card.",
			"/carriers?window=" + url.QueryEscape(o.Window.Text), "Carriers"})
	}
	return all
}

func backlogFindings(o *overview) []finding {
	var all []finding
	if n := o.Backlog.Parked; n > 0 {
		f := finding{"bad", "Parked", plural(n, "thread is parked: the CRM refused it. It waits", "threads are parked: the CRM refused them. They wait") + " for a replay.", "/threads?state=parked", "Threads"}
		if o.MayReplay {
			f.URL, f.Link = withQuery(deadLettersPath, map[string]string{"kind": string(store.KindThreadPush)}), "Dead letters"
		}
		all = append(all, f)
	}
	if n := o.Backlog.Retrying; o.HasCRM && n > 0 {
		all = append(all, finding{"warn", "Retrying", plural(n, "thread is", "threads are") + " tried again: the last attempt at the CRM failed.", "/threads?state=retrying", "Threads"})
	}
	if oldest := o.Backlog.Oldest; o.HasCRM && !oldest.IsZero() && o.now.Sub(oldest) > staleAfter {
		all = append(all, finding{"warn", "Behind", "The CRM is behind: a thread has waited for " + age(o.now, oldest) + ".", "/threads?state=pending", "Threads"})
	}
	return all
}

// healthPart is a part of the process, and how it is.
type healthPart struct {
	Name string
	api.Part
}

// Level tells how good or bad the state is.
func (p healthPart) Level() string {
	switch p.State {
	case "up", "empty", "subscribed":
		return "ok"
	case "down", "full", "failing", "stopping":
		return "bad"
	case "holding":
		return "warn"
	}
	return "neutral"
}

// sentence tells the state with what to do about it.
func (p healthPart) sentence() string {
	name := p.Name
	switch name {
	case "crm":
		name = "the CRM"
	case "process":
		name = "this process"
	default:
		name = "the " + name
	}
	text := sentence(name + " is " + p.State)
	if p.State == "failing" {
		text = sentence(name + " does not work")
	}
	if p.Detail != "" {
		text += " " + sentence(p.Detail)
	}
	return text
}

// partsOf returns the parts by name.
func partsOf(byName map[string]api.Part) []healthPart {
	var parts []healthPart
	for name, p := range byName {
		parts = append(parts, healthPart{name, p})
	}
	slices.SortFunc(parts, func(a, b healthPart) int { return cmp.Compare(a.Name, b.Name) })
	return parts
}

// alarmText tells of the alarm about a slow carrier, with the figures that raised it.
func alarmText(a store.Alarm) string {
	share, after, window := figure(a.Detail, "share"), length(a.Detail, "after"), length(a.Detail, "window")
	if share < 0 || after == 0 {
		return "its messages take long."
	}
	text := fmt.Sprintf("%.3g %% of its messages took longer than %s", 100*share, formatDuration(after))
	if window > 0 {
		text += " within " + formatDuration(window)
	}
	return text + "."
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

// plural writes a number, which was counted up to maxCount, with what there are so many of.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return atMost(n) + " " + many
}
