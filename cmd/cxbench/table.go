package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// table is a Markdown table; the first row is its head.
type table [][]string

func (t table) print(w io.Writer) { proof.Table(t).Print(w) }

// spread shows the median of a figure over the runs and, when there are several, the least and the
// most. The format is one of fmt for a number, or "count" for a whole one.
func spread(runs []run, figure func(run) float64, format string) string {
	values := make([]float64, len(runs))
	for i, one := range runs {
		values[i] = figure(one)
	}
	slices.Sort(values)
	show := func(v float64) string {
		if format == "count" {
			return humanize.Comma(int64(v))
		}
		return fmt.Sprintf(format, v)
	}
	if len(values) == 1 {
		return show(values[0])
	}
	return fmt.Sprintf("%s [%s–%s]", show(median(values)), show(values[0]), show(values[len(values)-1]))
}

// median of sorted values; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
