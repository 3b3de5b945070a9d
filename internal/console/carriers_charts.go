package console

import (
	"cmp"
	"slices"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/chart"
)

// maxBars is how many carriers a chart shows: those with the most messages.
const maxBars = 10

// carrierCharts draws the failure rates and the delivery times by carrier and region. It draws nothing when
// there are no messages.
func carrierCharts(report *analytics.Report) ([]*drawing, error) {
	routes := routesOf(report)
	slices.SortStableFunc(routes, func(a, b *route) int { return cmp.Compare(b.Messages.Total, a.Messages.Total) })
	routes = routes[:min(len(routes), maxBars)]
	if len(routes) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(routes, func(a, b *route) int { return cmp.Compare(b.failureRate(), a.failureRate()) })
	var names []string
	var rates, p50, p95 []float64
	for _, r := range routes {
		name := r.Carrier
		if r.Region != "" {
			name += " · " + r.Region
		}
		names = append(names, name)
		rates = append(rates, r.failureRate())
		// Quantiles of several currencies cannot be merged: those of the row with most messages are shown.
		most := slices.MaxFunc(r.rows, func(a, b *analytics.Carrier) int { return cmp.Compare(a.Total, b.Total) })
		p50 = append(p50, orNone(most.DeliveryTime.P50, most.DeliveryTime.Messages))
		p95 = append(p95, orNone(most.DeliveryTime.P95, most.DeliveryTime.Messages))
	}
	failing, err := byName("chart-failure-rate", "Failure rate", "failed messages of all messages", chart.Bars{
		Names: names, Format: func(v float64) string { return trimmed(v) + " %" },
		Series: []chart.Series{{Name: "Failed", Color: "--chart-bad", Values: rates}},
	})
	if err != nil {
		return nil, err
	}
	times, err := byName("chart-delivery-time", "Delivery time", "from submission to the final receipt", chart.Bars{
		Names: names, Format: seconds,
		Series: []chart.Series{
			{Name: "p50", Color: "--chart-3", Values: p50}, {Name: "p95", Color: "--chart-1", Values: p95},
		},
	})
	return []*drawing{failing, times}, err
}

// byName draws bars, one group for each name.
func byName(id, title, note string, b chart.Bars) (*drawing, error) {
	b.Title = title + ", by carrier and region"
	svg, err := b.SVG()
	return &drawing{ID: id, Title: title, Note: note, SVG: svg, Series: b.Series, Names: b.Names, format: b.Format}, err
}
