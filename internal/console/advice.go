package console

import (
	"fmt"
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

// routesOf gathers the rows of a report, in their order.
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

// failureRate is in per cent.
func (r *route) failureRate() float64 {
	return 100 * float64(r.Messages.Failed) / float64(max(r.Messages.Total, 1))
}

// where names the region, or nothing when it is not known.
func (r *route) where() string {
	if r.Region == "" {
		return ""
	}
	return " in " + r.Region
}

// advice says in plain words what to do about a carrier in a region, and why.
func advice(r *route, policy analytics.Policy) string {
	row := r.rows[0] // what is said here is the same in all rows
	limit := 100 * policy.FailureThreshold
	between := fmt.Sprintf("%.3g to %.3g %%", row.FailureRateLow, row.FailureRateHigh)
	switch r.Action {
	case analytics.Keep:
		return fmt.Sprintf("Fails in %.3g %% of the messages, which is not above %.3g %%.", r.failureRate(), limit)
	case analytics.InsufficientData:
		if decided := r.Messages.Delivered + r.Messages.Failed; decided < policy.MinSample {
			return fmt.Sprintf("Only %s messages are in a final state; %s are needed to judge.", number(decided), number(policy.MinSample))
		}
		return fmt.Sprintf("Fails in %.3g %%, but of so few messages that this may be chance: it is %s.", r.failureRate(), between)
	}
	text := fmt.Sprintf("Fails in %.3g %% of the messages, above %.3g %%", r.failureRate(), limit)
	if row.Confidence != nil {
		text += fmt.Sprintf(" with %.4g %% confidence", *row.Confidence)
	}
	if row.RouteTo == "" {
		return text + ". No other carrier of this region surely fails less."
	}
	return text + ". " + gains(r)
}

// gains says what the other carrier is better at.
func gains(r *route) string {
	var fewer int64
	for _, row := range r.rows {
		if row.FewerFailures != nil {
			fewer += *row.FewerFailures
		}
	}
	text := fmt.Sprintf("About %s fewer would have failed at %s", number(fewer), r.rows[0].RouteTo)
	if money := savings(r); money != "" {
		text += ", and it " + money
	}
	return text + "."
}

// savings says what the other carrier saves or costs in each currency, or "" when no price tells.
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
