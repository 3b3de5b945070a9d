package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
)

// The sections of the table of all figures, in their order.
const (
	inRatios   = "Ratios"
	inReceipts = "Receipts"
	inThreads  = "Threads on their way to the CRM"
	inAnswers  = "Answers from large databases"
	inCosts    = "What a receipt costs"
	inGrowth   = "How it grows"
)

var sections = []string{inRatios, inReceipts, inThreads, inAnswers, inCosts, inGrowth}

// figure is a line of the table of all figures.
type figure struct {
	Section string    `json:"section"`
	Name    string    `json:"name"`
	Unit    string    `json:"unit,omitempty"`
	Values  []float64 `json:"values"` // one for each round
	Aim     *aim      `json:"aim,omitempty"`
}

// aim is what a figure should reach.
type aim struct {
	Bound   float64 `json:"bound"`
	AtLeast bool    `json:"at_least"` // else it is to stay below
}

func (f figure) atLeast(bound float64) figure {
	f.Aim = &aim{Bound: bound, AtLeast: true}
	return f
}

func (f figure) below(bound float64) figure {
	f.Aim = &aim{Bound: bound}
	return f
}

// measuredOnce returns a figure that was measured once.
func measuredOnce(section, name, unit string, value float64) figure {
	return figure{Section: section, Name: name, Unit: unit, Values: []float64{value}}
}

// overRounds returns a figure with a value from each run.
func overRounds(section, name, unit string, runs []run, value func(run) float64) figure {
	f := figure{Section: section, Name: name, Unit: unit}
	for _, one := range runs {
		f.Values = append(f.Values, value(one))
	}
	return f
}

// typical returns the median over the rounds.
func (f figure) typical() float64 { return median(slices.Sorted(slices.Values(f.Values))) }

// reached shows the median and, of several rounds, the least and the most.
func (f figure) reached() string {
	text := number(f.typical())
	if len(f.Values) > 1 {
		text += " [" + number(slices.Min(f.Values)) + "–" + number(slices.Max(f.Values)) + "]"
	}
	return text + f.unit()
}

func (f figure) unit() string {
	if f.Unit == "" {
		return ""
	}
	return " " + f.Unit
}

func (f figure) aimed() string {
	switch {
	case f.Aim == nil:
		return ""
	case f.Aim.AtLeast:
		return "≥ " + number(f.Aim.Bound) + f.unit()
	}
	return "< " + number(f.Aim.Bound) + f.unit()
}

// isMet says whether the median meets the aim; "" when there is none.
func (f figure) isMet() string {
	if f.Aim == nil {
		return ""
	}
	if f.Aim.AtLeast == (f.typical() >= f.Aim.Bound) {
		return "yes"
	}
	return "no"
}

// number shows three digits of a small number, and all whole ones of a large one.
func number(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) || size >= 1000:
		return humanize.Comma(int64(math.Round(v)))
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	case size >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// figureTable is the table of all figures, by sections.
func figureTable(all []figure) table {
	t := table{{"figure", "reached", "aim", "met"}}
	for _, section := range sections {
		before := len(t)
		t = append(t, []string{"**" + section + "**", "", "", ""})
		for _, f := range all {
			if f.Section == section && len(f.Values) > 0 {
				t = append(t, []string{f.Name, f.reached(), f.aimed(), f.isMet()})
			}
		}
		if len(t) == before+1 {
			t = t[:before]
		}
	}
	return t
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

func micros(d time.Duration) float64 { return d.Seconds() * 1e6 }
