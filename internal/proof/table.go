package proof

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Table is a Markdown table; the first row is its header.
type Table [][]string

// Print pads the cells, so that the table is readable without being rendered.
func (t Table) Print(w io.Writer) {
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

// Times are measured times, of which a table shows the median and the maximum.
type Times []time.Duration

// Median returns the median; 0 of none.
func (t Times) Median() time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// P99 returns the time that 99 of 100 do not exceed; 0 of none.
func (t Times) P99() time.Duration {
	if len(t) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(t))[(len(t)*99+99)/100-1]
}

// Max returns the longest; 0 of none.
func (t Times) Max() time.Duration {
	if len(t) == 0 {
		return 0
	}
	return slices.Max(t)
}

// Millis writes a time in milliseconds, with one decimal.
func Millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// Seconds writes a time in seconds, with two decimals.
func Seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
