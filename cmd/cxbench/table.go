package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// table is a Markdown table; the first row is its head.
type table [][]string

// print pads the cells, so that the table reads well without being rendered.
func (t table) print(w io.Writer) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range t {
		for j, cell := range row {
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if j > 0 {
				cell, pad = pad+cell, ""
			}
			fmt.Fprint(w, "| ", cell, pad, " ")
		}
		fmt.Fprintln(w, "|")
		if i > 0 {
			continue
		}
		for j, width := range widths {
			colon := "-"
			if j > 0 {
				colon = ":"
			}
			fmt.Fprint(w, "| ", strings.Repeat("-", width-1), colon, " ")
		}
		fmt.Fprintln(w, "|")
	}
}

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

// median of sorted values.
func median(values []float64) float64 {
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
