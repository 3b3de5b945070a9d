package console

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/analytics"
)

// route is a carrier in a region, with its messages of all currencies: what a recommendation is about.
type route struct {
	Carrier, Region string
	Messages        analytics.Messages
	Action          analytics.Action
	rows            []*analytics.Carrier
}

// routesOf groups the rows of a report into routes, in their order.
func routesOf(report *analytics.Report) []*route {
	var routes []*route
	for i := range report.Carriers {
		row := &report.Carriers[i]
		last := len(routes) - 1
		if last < 0 || routes[last].Carrier != row.Carrier || routes[last].Region != row.Region {
			routes = append(routes, &route{Carrier: row.Carrier, Region: row.Region, Action: row.Action})
			last++
		}
		r := routes[last]
		r.rows = append(r.rows, row)
		r.Messages.Total += row.Total
		r.Messages.Delivered += row.Delivered
		r.Messages.Failed += row.Failed
		r.Messages.Pending += row.Pending
		r.Messages.Unknown += row.Unknown
	}
	return routes
}

// failureRate returns the share of messages that failed, in per cent.
func (r *route) failureRate() float64 {
	return 100 * float64(r.Messages.Failed) / float64(max(r.Messages.Total, 1))
}

// where returns the region as in " in GB", or "" when it is not known.
func (r *route) where() string {
	if r.Region == "" {
		return ""
	}
	return " in " + r.Region
}

// routesToLeave returns the routes whose carrier should be left.
func routesToLeave(report *analytics.Report) []*route {
	return slices.DeleteFunc(routesOf(report), func(r *route) bool { return r.Action != analytics.Reroute })
}

// byCarrier yields runs of routes of the same carrier.
func byCarrier(routes []*route) iter.Seq[[]*route] {
	return func(yield func([]*route) bool) {
		for len(routes) > 0 {
			n := 1
			for n < len(routes) && routes[n].Carrier == routes[0].Carrier {
				n++
			}
			if !yield(routes[:n]) {
				return
			}
			routes = routes[n:]
		}
	}
}

// rerouteText says where to send the messages of one carrier instead, and why. All of its routes given
// should be left.
func rerouteText(routes []*route) string {
	first := routes[0]
	if len(routes) == 1 {
		text := fmt.Sprintf("%s has a failure rate of %.3g %%%s", first.Carrier, first.failureRate(), first.where())
		if first.rows[0].RouteTo == "" {
			return text + ", and no other carrier there is clearly better."
		}
		return text + ": route to " + first.rows[0].RouteTo + ". " + gains(first)
	}
	var whole route
	var to []string                // the better carriers, in the order of their regions
	where := map[string][]string{} // their regions
	for _, r := range routes {
		whole.Messages.Total += r.Messages.Total
		whole.Messages.Failed += r.Messages.Failed
		whole.rows = append(whole.rows, r.rows...)
		better := r.rows[0].RouteTo
		if where[better] == nil {
			to = append(to, better)
		}
		where[better] = append(where[better], cmp.Or(r.Region, "unknown regions"))
	}
	var parts []string
	for _, better := range to {
		if better != "" {
			parts = append(parts, "to "+better+" in "+list(where[better]))
		}
	}
	text := fmt.Sprintf("%s has a failure rate of %.3g %% in %d regions", first.Carrier, whole.failureRate(), len(routes))
	if len(parts) > 0 {
		text += ": route " + strings.Join(parts, ", ")
	}
	text += "."
	if fewer := fewerFailures(&whole); fewer > 0 {
		text += " About " + number(fewer) + " fewer messages would have failed there."
	}
	if alone := where[""]; alone != nil {
		text += " No other carrier is clearly better in " + list(alone) + "."
	}
	return text
}

// list writes words as in "BR, DE and FR".
func list(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// advice says in plain words what to do about a carrier in a region, and why.
func advice(r *route, policy analytics.Policy) string {
	row := r.rows[0] // what is used here is the same in all rows
	limit := 100 * policy.FailureThreshold
	between := fmt.Sprintf("%.3g to %.3g %%", row.FailureRateLow, row.FailureRateHigh)
	switch r.Action {
	case analytics.Keep:
		return fmt.Sprintf("The failure rate of %.3g %% is not above the limit of %.3g %%.", r.failureRate(), limit)
	case analytics.InsufficientData:
		if r.Carrier == analytics.OtherCarriers {
			return "These are many carriers together, and no judgement of one of them."
		}
		if decided := r.Messages.Delivered + r.Messages.Failed; decided < policy.MinSample {
			return fmt.Sprintf("Only %s a final status; %s are needed to judge.", plainPlural(int(decided), "message has", "messages have"), number(policy.MinSample))
		}
		return fmt.Sprintf("The failure rate of %.3g %% is above the limit of %.3g %%, but of so few messages that this may be chance: the interval is %s.",
			r.failureRate(), limit, between)
	}
	text := fmt.Sprintf("The failure rate of %.3g %% is above the limit of %.3g %%", r.failureRate(), limit)
	if row.Confidence != nil {
		text += fmt.Sprintf(", with %.4g %% confidence", *row.Confidence)
	}
	if row.RouteTo == "" {
		return text + ". No other carrier in this region is clearly better."
	}
	return text + ". " + gains(r)
}

// gains says what one would gain with the other carrier.
func gains(r *route) string {
	text := fmt.Sprintf("About %s fewer messages would have failed with %s.", number(fewerFailures(r)), r.rows[0].RouteTo)
	if money := savings(r); money != "" {
		text += " Rerouting " + money + "."
	}
	return text
}

func fewerFailures(r *route) (fewer int64) {
	for _, row := range r.rows {
		if row.FewerFailures != nil {
			fewer += *row.FewerFailures
		}
	}
	return fewer
}

// savings says what the other carrier saves or costs in each currency. It is "" when there are no prices.
func savings(r *route) string {
	var parts []string
	for _, row := range r.rows {
		switch {
		case row.SavingPerMonth == nil:
		case *row.SavingPerMonth >= 0:
			parts = append(parts, fmt.Sprintf("saves %s %s a month", amount(*row.SavingPerMonth), row.Currency))
		default:
			parts = append(parts, fmt.Sprintf("costs %s %s a month more", amount(-*row.SavingPerMonth), row.Currency))
		}
	}
	return strings.Join(parts, " and ")
}
