package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func every(step time.Duration, n int) []time.Time {
	times := make([]time.Time, n)
	for i := range times {
		times[i] = start.Add(time.Duration(i) * step)
	}
	return times
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// element is a start tag, with the text that follows it.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// parse reads an SVG, and fails unless it is XML that a strict policy lets be seen.
func parse(t interface{ Fatalf(string, ...any) }, svg string) []element {
	var all []element
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attrs: make(map[string]string)}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			if !slices.Contains([]string{"svg", "path", "text", "circle", "g", "rect", "title"}, e.name) {
				t.Fatalf("an element %s", e.name)
			}
			for name, value := range e.attrs {
				if name == "style" || name == "class" || name == "href" || strings.HasPrefix(name, "on") {
					t.Fatalf("an attribute %s=%q", name, value)
				}
				if (name == "fill" || name == "stroke") && value != "none" && value != "transparent" && !strings.HasPrefix(value, "var(--") {
					t.Fatalf("a colour of its own: %s=%q", name, value)
				}
			}
			all = append(all, e)
		case xml.CharData:
			if len(all) > 0 {
				all[len(all)-1].text += string(token)
			}
		}
	}
}

func texts(all []element, name string) []string {
	var found []string
	for _, e := range all {
		if e.name == name {
			found = append(found, e.text)
		}
	}
	return found
}

func TestLines(t *testing.T) {
	l := Lines{
		Title: `Rates & "more"`, Times: every(time.Minute, 4), Format: plain,
		Series: []Series{
			{Name: "<up>", Color: "--chart-1", Values: []float64{1, 2, 3, 7}},
			{Name: "down", Color: "--chart-2", Values: []float64{4, math.NaN(), math.Inf(1), 1}},
		},
	}
	svg, err := l.SVG()
	if err != nil {
		t.Fatal(err)
	}
	all := parse(t, string(svg))
	if got := all[0].attrs; got["role"] != "img" || got["aria-label"] != l.Title || got["viewBox"] == "" {
		t.Errorf("the root has %v", got)
	}
	for _, variable := range []string{"var(--chart-1)", "var(--chart-2)", "var(--muted)", "var(--line)"} {
		if !slices.ContainsFunc(all, func(e element) bool { return e.attrs["stroke"] == variable || e.attrs["fill"] == variable }) {
			t.Errorf("nothing is in %s", variable)
		}
	}
	labels := texts(all, "text")
	for _, want := range []string{"08:00", "08:03", "0", "8"} {
		if !slices.Contains(labels, want) {
			t.Errorf("no label %s in %q", want, labels)
		}
	}
	hints := texts(all, "title")
	if len(hints) != 4 || hints[1] != "22 Nov 08:01 UTC\n<up>: 2" || hints[3] != "22 Nov 08:03 UTC\n<up>: 7\ndown: 1" {
		t.Errorf("hints %q", hints)
	}
	for _, e := range all {
		if e.name == "text" && strings.Contains(e.text, ":") && e.attrs["data-time"] == "" {
			t.Errorf("the label %s does not name its time", e.text)
		}
	}
}

func TestLinesOfDaysNameDays(t *testing.T) {
	l := Lines{Title: "x", Times: every(24*time.Hour, 30), Format: plain, Series: []Series{{Name: "a", Color: "--chart-1", Values: make([]float64, 30)}}}
	svg, err := l.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if labels := texts(parse(t, string(svg)), "text"); !slices.Contains(labels, "22 Nov") || !slices.Contains(labels, "21 Dec") {
		t.Errorf("labels %q", labels)
	}
}

func TestBars(t *testing.T) {
	b := Bars{
		Title: "Failure rate", Names: []string{"VODAFONE", `<script>alert("1")</script>`, "", strings.Repeat("long ", 20)}, Format: plain,
		Series: []Series{{Name: "p50", Color: "--chart-1", Values: []float64{31, 2, 0, math.NaN()}}},
	}
	svg, err := b.SVG()
	if err != nil {
		t.Fatal(err)
	}
	labels := texts(parse(t, string(svg)), "text")
	for _, want := range []string{"VODAFONE", `<script>alert("1")</script>`[:25] + "…", "–"} {
		if !slices.Contains(labels, want) {
			t.Errorf("no label %q in %q", want, labels)
		}
	}
	first, last := slices.Index(labels, "VODAFONE"), slices.Index(labels, "–")
	if first < 0 || last < 0 {
		t.Fatal("a bar has no name")
	}
}

func TestShape(t *testing.T) {
	one := []Series{{Values: []float64{1}}}
	for name, draw := range map[string]func() (any, error){
		"no point":  func() (any, error) { l := Lines{Format: plain, Series: one}; return l.SVG() },
		"no series": func() (any, error) { l := Lines{Format: plain, Times: every(time.Minute, 1)}; return l.SVG() },
		"too few values": func() (any, error) {
			l := Lines{Format: plain, Times: every(time.Minute, 2), Series: one}
			return l.SVG()
		},
		"no bar":        func() (any, error) { b := Bars{Format: plain, Series: one}; return b.SVG() },
		"too many bars": func() (any, error) { b := Bars{Format: plain, Names: make([]string, 2), Series: one}; return b.SVG() },
	} {
		if _, err := draw(); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Names come from outside: whatever they hold, the SVG is sound, and they are in it.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringN(1, 20, -1), 1, 6).Draw(t, "names")
		b := Bars{Title: names[0], Names: names, Format: plain, Series: []Series{{Name: names[0], Color: "--chart-1", Values: make([]float64, len(names))}}}
		for i := range names {
			b.Series[0].Values[i] = rapid.Float64Range(0, 1e9).Draw(t, "value")
		}
		svg, err := b.SVG()
		if err != nil {
			t.Fatal(err)
		}
		labels := texts(parse(t, string(svg)), "text")
		for _, name := range names {
			var shown strings.Builder
			_ = xml.EscapeText(&shown, []byte(name))
			want := texts(parse(t, "<text>"+shown.String()+"</text>"), "text")[0]
			if !slices.ContainsFunc(labels, func(l string) bool {
				return strings.Join(strings.Fields(l), "") == strings.Join(strings.Fields(want), "")
			}) {
				t.Fatalf("%q is not in %q", want, labels)
			}
		}
	})
}

// Whatever the values are, the chart is drawn.
func TestAnyValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 130).Draw(t, "points")
		l := Lines{
			Title: rapid.String().Draw(t, "title"), Times: every(time.Duration(rapid.IntRange(1, 86400).Draw(t, "step"))*time.Second, n),
			Format: func(v float64) string {
				return plain(v) + rapid.SampledFrom([]string{"", " ms", "#0001", "<b>"}).Draw(t, "unit")
			}, Stacked: rapid.Bool().Draw(t, "stacked"),
		}
		value := rapid.OneOf(rapid.Float64Range(0, 1e12), rapid.Just(0.0), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))
		for range rapid.IntRange(1, 4).Draw(t, "series") {
			l.Series = append(l.Series, Series{Name: rapid.String().Draw(t, "name"), Color: "--chart-1", Values: rapid.SliceOfN(value, n, n).Draw(t, "values")})
		}
		svg, err := l.SVG()
		if err != nil {
			t.Fatal(err)
		}
		parse(t, string(svg))
	})
}

func TestNiceCeiling(t *testing.T) {
	for most, want := range map[float64]float64{
		0: 4, -1: 4, 0.003: 0.0032, 1: 1, 4: 4, 4.1: 8, 31.4: 32, 33: 40, 128: 160, 999: 1000, 1001: 1200, 3.9e9: 4e9,
	} {
		if got := niceCeiling(most); math.Abs(got-want) > want*1e-9 {
			t.Errorf("the axis of %v ends at %v, want %v", most, got, want)
		}
	}
}
