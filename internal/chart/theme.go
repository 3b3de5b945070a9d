package chart

import (
	"strconv"

	"github.com/go-analyze/charts"
)

// palette is the variables of a chart. The library draws each in a stand-in for it: a colour that
// nothing else has.
type palette []string

// The variables that every chart has, in front of those of its series.
const (
	textVar = iota
	gridVar
	axisVar
	fixedVars
)

func newPalette(series []Series) palette {
	p := palette{textVar: "--muted", gridVar: "--line", axisVar: "--border"}
	for _, s := range series {
		p = append(p, s.Color)
	}
	return p
}

// standIn returns the colour that stands for a variable, and its name in SVG.
func standIn(i int) (color charts.Color, name string) {
	return charts.Color{R: 1, G: uint8(i >> 8), B: uint8(i), A: 255},
		"1," + strconv.Itoa(i>>8) + "," + strconv.Itoa(i&0xff)
}

func (p palette) theme() charts.ColorPalette {
	color := func(i int) charts.Color { c, _ := standIn(i); return c }
	series := make([]charts.Color, 0, len(p))
	for i := fixedVars; i < len(p); i++ {
		series = append(series, color(i))
	}
	return charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: color(axisVar), AxisSplitLineColor: color(gridVar), TextColor: color(textVar),
		BackgroundColor: charts.ColorTransparent, SeriesColors: series,
	})
}

// variable returns the variable that a colour of the library's SVG stands for, as rgb(1,0,3), and how
// opaque it is, "" for fully.
func (p palette) variable(rgb, alpha string) (name, opacity string, ok bool) {
	for i, v := range p {
		if _, standsFor := standIn(i); standsFor == rgb {
			return v, alpha, true
		}
	}
	return "", "", false
}
