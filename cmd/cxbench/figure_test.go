package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFigure(t *testing.T) {
	three := figure{Section: inRatios, Name: "a ratio", Values: []float64{0.5, 0.41, 0.62}}
	for _, tt := range []struct {
		figure               figure
		reached, aimed, isOK string
	}{
		{three, "0.50 [0.41–0.62]", "", ""},
		{three.atLeast(0.5), "0.50 [0.41–0.62]", "≥ 0.50", "yes"},
		{three.atLeast(0.51), "0.50 [0.41–0.62]", "≥ 0.51", "no"},
		{measuredOnce(inReceipts, "a time", "ms", 12.34).below(20), "12.3 ms", "< 20 ms", "yes"},
		{measuredOnce(inReceipts, "a time", "ms", 20).below(20), "20 ms", "< 20 ms", "no"},
		{figure{Values: []float64{1, 2}}, "1.50 [1–2]", "", ""},
	} {
		got := []string{tt.figure.reached(), tt.figure.aimed(), tt.figure.isMet()}
		if diff := cmp.Diff([]string{tt.reached, tt.aimed, tt.isOK}, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.figure, diff)
		}
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 7: "7", 0.00423: "0.0042", 0.123: "0.12", 9.876: "9.88", 98.76: "98.8", 987.6: "988", 9876.5: "9,877", 1_234_567: "1,234,567", -12.34: "-12.3",
	} {
		if got := number(value); got != want {
			t.Errorf("%v is shown as %s, want %s", value, got, want)
		}
	}
}

// Sections have their order, whatever that of the parts is; those without a figure are left out, and so
// are figures that were not measured.
func TestFigureTable(t *testing.T) {
	all := []figure{
		measuredOnce(inGrowth, "grown", "/s", 3), measuredOnce(inRatios, "a ratio", "", 2).atLeast(1), {Section: inReceipts, Name: "not measured"},
	}
	want := table{
		{"figure", "reached", "aim", "met"},
		{"**Ratios**", "", "", ""}, {"a ratio", "2", "≥ 1", "yes"},
		{"**How it grows**", "", "", ""}, {"grown", "3 /s", "", ""},
	}
	if diff := cmp.Diff(want, figureTable(all)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
