package chart

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// BenchmarkLines draws what stands four times in the overview.
func BenchmarkLines(b *testing.B) {
	const points = 60
	l := &Lines{
		Title: "Messages", Format: func(v float64) string { return fmt.Sprintf("%.3g/min", v) }, Stacked: true,
		Series: []Series{{Name: "Delivered", Color: "--chart-ok"}, {Name: "Failed", Color: "--chart-bad"}, {Name: "Pending", Color: "--chart-6"}},
	}
	for i := range points {
		l.Times = append(l.Times, time.Date(2026, 11, 22, 8, i, 0, 0, time.UTC))
		for j := range l.Series {
			l.Series[j].Values = append(l.Series[j].Values, float64(5000/(j+1))*(2+math.Sin(float64(i)/7)))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.SVG(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBars draws what stands twice in the page of carriers.
func BenchmarkBars(b *testing.B) {
	bars := &Bars{
		Title: "Delivery time", Format: func(v float64) string { return fmt.Sprintf("%.3g s", v) },
		Series: []Series{{Name: "p50", Color: "--chart-3"}, {Name: "p95", Color: "--chart-1"}},
	}
	for i := range 10 {
		bars.Names = append(bars.Names, fmt.Sprintf("CARRIER %d · GB", i))
		for j := range bars.Series {
			bars.Series[j].Values = append(bars.Series[j].Values, float64(1+i*(j+1)))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bars.SVG(); err != nil {
			b.Fatal(err)
		}
	}
}
