// Package chart draws charts as SVG to be put into a page: without a script or a style of its own, so
// that a strict Content-Security-Policy allows it, and in colours that are variables of the page's
// style sheet, so that it follows light and dark.
//
//	chart.go  what can be drawn
//	theme.go  variables for colours
//	svg.go    from the library's SVG to ours
//
// The charts are drawn by go-analyze/charts.
package chart

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/go-analyze/charts"
)

// Series is one thing that is drawn, at every point.
type Series struct {
	Name   string
	Color  string    // variable of the style sheet, as --chart-1
	Values []float64 // one for each point; NaN where there is none
}

// Lines is values over time.
type Lines struct {
	Title   string // what is drawn, in words
	Times   []time.Time
	Series  []Series
	Stacked bool                   // the series are parts of a whole
	Format  func(v float64) string // writes a value, with its unit
}

// Bars is values of things that have names.
type Bars struct {
	Title  string
	Names  []string
	Series []Series
	Format func(v float64) string
}

// The size of a chart, in units of its own: it is as wide as the page lets it be.
const (
	width       = 600
	linesHeight = 220
	barHeight   = 20 // of one bar with its margin
	barsFrame   = 54 // above and below all bars
)

// fontSize is in points: 12 units.
const fontSize = 9.4

// ErrShape says that the series do not have a value for each point, or that there is nothing to draw.
var ErrShape = errors.New("chart: every series must have one value for each point, and there must be some")

func check(points int, series []Series) error {
	if points == 0 || len(series) == 0 {
		return ErrShape
	}
	for _, s := range series {
		if len(s.Values) != points {
			return fmt.Errorf("%w: %q has %d of %d", ErrShape, s.Name, len(s.Values), points)
		}
	}
	return nil
}

// SVG draws the chart. The error is ErrShape, or a fault of the library.
func (l *Lines) SVG() (template.HTML, error) {
	if err := check(len(l.Times), l.Series); err != nil {
		return "", err
	}
	palette := newPalette(l.Series)
	opt := charts.NewLineChartOptionWithData(values(l.Series))
	opt.Theme = palette.theme()
	opt.Padding = charts.Box{Top: 10, Right: 14, Bottom: 2, Left: 2, IsSet: true}
	opt.XAxis = charts.XAxisOption{
		Labels: labelTokens(len(l.Times)), LabelCount: min(6, len(l.Times)), BoundaryGap: charts.Ptr(false),
		LabelFontStyle: charts.FontStyle{FontSize: fontSize},
	}
	ceiling := niceCeiling(highest(l.Series, l.Stacked))
	opt.YAxis = []charts.YAxisOption{{
		Min: charts.Ptr(0.0), Max: &ceiling, LabelCount: gridLines + 1, RangeValuePaddingScale: charts.Ptr(0.0),
		LabelFontStyle: charts.FontStyle{FontSize: fontSize}, ValueFormatter: l.formatAxis,
	}}
	opt.Legend.Show = charts.Ptr(false)
	opt.Symbol = charts.SymbolNone
	for i, s := range l.Series {
		if !isWhole(s) {
			opt.SeriesList[i].Symbol = charts.SymbolDot // a point between two gaps has no line
		}
	}
	opt.LineStrokeWidth = 2
	if l.Stacked {
		opt.StackSeries, opt.FillOpacity = charts.Ptr(true), 190
	} else if len(l.Series) == 1 && isWhole(l.Series[0]) {
		opt.FillArea, opt.FillOpacity = charts.Ptr(true), 30
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: linesHeight})
	if err := p.LineChart(opt); err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	drawn, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	return page{title: l.Title, palette: palette, times: l.Times, hints: l.hints()}.from(drawn), nil
}

// hints returns the text that is shown to whoever points at a point, for each of them.
func (l *Lines) hints() []string {
	hints := make([]string, len(l.Times))
	for i := range l.Times {
		for _, s := range l.Series {
			if !isNone(s.Values[i]) {
				hints[i] += "\n" + s.Name + ": " + l.Format(s.Values[i])
			}
		}
	}
	return hints
}

func (l *Lines) formatAxis(v float64) string { return escape(l.Format(v)) }

// SVG draws the chart. The error is ErrShape, or a fault of the library.
func (b *Bars) SVG() (template.HTML, error) {
	if err := check(len(b.Names), b.Series); err != nil {
		return "", err
	}
	palette := newPalette(b.Series)
	// The library draws from below.
	names := make([]string, len(b.Names))
	data := values(b.Series)
	for i := range b.Names {
		names[len(names)-1-i] = escape(shorten(b.Names[i]))
	}
	for _, row := range data {
		slices.Reverse(row)
	}
	opt := charts.NewHorizontalBarChartOptionWithData(data)
	opt.Theme = palette.theme()
	opt.Padding = charts.Box{Top: 6, Right: 22, Bottom: 2, Left: 2, IsSet: true}
	opt.YAxis = charts.YAxisOption{Labels: names, LabelFontStyle: charts.FontStyle{FontSize: fontSize}}
	opt.XAxis = charts.XAxisOption{
		LabelFontStyle: charts.FontStyle{FontSize: fontSize}, LabelCount: gridLines + 1,
		ValueFormatter: func(v float64) string { return escape(b.Format(v)) },
	}
	opt.Legend.Show = charts.Ptr(false)
	height := barsFrame + len(b.Names)*(len(b.Series)*barHeight+8)
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height})
	if err := p.HorizontalBarChart(opt); err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	drawn, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	return page{title: b.Title, palette: palette}.from(drawn), nil
}

// isWhole reports whether a series has a value at every point. Below one with gaps the library fills
// the area in a wrong shape.
func isWhole(s Series) bool {
	return !slices.ContainsFunc(s.Values, isNone)
}

// isNone reports whether a value cannot be drawn.
func isNone(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// values returns the values as the library takes them: it has a value of its own for none.
func values(series []Series) [][]float64 {
	all := make([][]float64, len(series))
	for i, s := range series {
		all[i] = make([]float64, len(s.Values))
		for j, v := range s.Values {
			if isNone(v) {
				v = charts.GetNullValue()
			}
			all[i][j] = v
		}
	}
	return all
}

// gridLines is how many lines there are above that of zero.
const gridLines = 4

// niceCeiling returns the end of an axis that begins at 0: one whose grid lines are at round numbers.
func niceCeiling(most float64) float64 {
	if most <= 0 {
		return gridLines
	}
	step := most / gridLines
	scale := math.Pow(10, math.Floor(math.Log10(step)))
	for _, nice := range []float64{1, 2, 2.5, 3, 4, 5, 6, 8} {
		if step <= nice*scale {
			return nice * scale * gridLines
		}
	}
	return 10 * scale * gridLines
}

// highest returns the highest value, or the highest sum of values.
func highest(series []Series, stacked bool) (most float64) {
	for i := range series[0].Values {
		sum := 0.0
		for _, s := range series {
			v := s.Values[i]
			if isNone(v) {
				continue
			}
			sum += v
			most = max(most, v)
		}
		if stacked {
			most = max(most, sum)
		}
	}
	return most
}

// shorten keeps a name from taking the space of the bars.
func shorten(name string) string {
	const most = 26
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return cmp.Or(name, "–")
}
