package console

import (
	"fmt"
	"html/template"
	"math"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/chart"
)

// drawing is a chart in a page, with its numbers as a table.
type drawing struct {
	ID     string
	Title  string
	Note   string
	SVG    template.HTML
	Series []chart.Series
	Times  []time.Time // heads of the rows of the table, or
	Names  []string
	format func(float64) string
}

// Rows returns the table: for each point the values of all series.
func (d *drawing) Rows() [][]string {
	rows := make([][]string, max(len(d.Times), len(d.Names)))
	for i := range rows {
		for _, s := range d.Series {
			text := unknown
			if !math.IsNaN(s.Values[i]) {
				text = d.format(s.Values[i])
			}
			rows[i] = append(rows[i], text)
		}
	}
	return rows
}

// overTime draws values over time.
func overTime(id, title, note string, l chart.Lines) (*drawing, error) {
	l.Title = title + ", over time"
	svg, err := l.SVG()
	return &drawing{ID: id, Title: title, Note: note, SVG: svg, Series: l.Series, Times: l.Times, format: l.Format}, err
}

// overviewCharts draws the series of a report: none when it has too few points.
func overviewCharts(report *analytics.Report, w window) ([]*drawing, error) {
	s := newSeries(report, w.step)
	if len(s.times) < 2 {
		return nil, nil
	}
	perMinute := func(v float64) string { return trimmed(v) + "/min" }
	throughput, err := overTime("chart-throughput", "Receipts per second", "durable receipts", chart.Lines{
		Times: s.times, Format: func(v float64) string { return trimmed(v) + "/s" },
		Series: []chart.Series{{Name: "Receipts", Color: "--chart-1", Values: s.receipts}},
	})
	if err != nil {
		return nil, err
	}
	latency, err := overTime("chart-latency", "Latency", "from arrival until durable", chart.Lines{
		Times: s.times, Format: orZero(millis),
		Series: []chart.Series{
			{Name: "p95", Color: "--chart-1", Values: s.p95}, {Name: "p50", Color: "--chart-3", Values: s.p50},
		},
	})
	if err != nil {
		return nil, err
	}
	outcome, err := overTime("chart-outcome", "Outcome of messages", "by when they were first seen", chart.Lines{
		Times: s.times, Format: perMinute, Stacked: true,
		Series: []chart.Series{
			{Name: "Delivered", Color: "--chart-ok", Values: s.delivered}, {Name: "Failed", Color: "--chart-bad", Values: s.failed},
			{Name: "Pending or unknown", Color: "--chart-6", Values: s.open},
		},
	})
	if err != nil {
		return nil, err
	}
	failing, err := overTime("chart-failing", "Failure rate", "of the messages first seen then", chart.Lines{
		Times: s.times, Format: func(v float64) string { return trimmed(v) + " %" },
		Series: []chart.Series{{Name: "Failed", Color: "--chart-bad", Values: s.rate}},
	})
	return []*drawing{throughput, latency, outcome, failing}, err
}

// series holds the series of a report as they are drawn: as a pace, so that a point that has just begun does
// not look like a drop.
type series struct {
	times                                             []time.Time
	receipts, p50, p95, delivered, failed, open, rate []float64
}

func newSeries(report *analytics.Report, step time.Duration) *series {
	s := new(series)
	for i := range report.Series {
		p := &report.Series[i]
		end := report.To
		if i+1 < len(report.Series) {
			end = report.Series[i+1].From
		}
		length := end.Sub(p.From)
		if length < step/2 {
			continue // too short for a pace
		}
		perMinute := func(n int64) float64 { return float64(n) / length.Minutes() }
		s.times = append(s.times, p.From)
		s.receipts = append(s.receipts, float64(p.Receipts)/length.Seconds())
		s.p50 = append(s.p50, orNone(p.P50LatencyMs, p.Receipts))
		s.p95 = append(s.p95, orNone(p.P95LatencyMs, p.Receipts))
		s.delivered = append(s.delivered, perMinute(p.Delivered))
		s.failed = append(s.failed, perMinute(p.Failed))
		s.open = append(s.open, perMinute(p.Pending+p.Unknown))
		rate := math.NaN()
		if p.FailureRate != nil {
			rate = *p.FailureRate
		}
		s.rate = append(s.rate, rate)
	}
	return s
}

// orNone returns a figure drawn from a number of things, or NaN if that number is 0.
func orNone(v float64, of int64) float64 {
	if of == 0 {
		return math.NaN()
	}
	return v
}

// orZero writes 0 as "0", where the format writes it as unknown: on an axis it is known.
func orZero(format func(float64) string) func(float64) string {
	return func(v float64) string {
		if v == 0 {
			return "0"
		}
		return format(v)
	}
}

// trimmed writes a number with three significant digits, or, from 100 on, as a whole one with separators.
func trimmed(v float64) string {
	if v >= 100 {
		return number(int64(math.Round(v)))
	}
	return fmt.Sprintf("%.3g", v)
}
