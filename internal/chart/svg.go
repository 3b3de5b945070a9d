package chart

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// page is what the library does not know about a chart.
type page struct {
	title   string
	palette palette
	times   []time.Time // of the points; nil: they have none
	hints   []string    // of the points
}

// What the library writes. Texts are escaped before it gets them, so nothing in them looks like this.
var (
	svgStart  = regexp.MustCompile(`^<svg [^>]*viewBox="([^"]*)">`)
	colorName = regexp.MustCompile(`^rgba?\((\d+,\d+,\d+)(?:,([\d.]+))?\)$`)
	timeLabel = regexp.MustCompile(`<text ([^>]*)>` + labelMark + `(\d{4,})</text>`)
	ground    = regexp.MustCompile(`(?s)<path  d="M 0 0\n[^"]*" style="stroke:none;fill:[^"]*"/>`)
)

// from turns the library's SVG into ours.
func (c page) from(drawn []byte) template.HTML {
	text := ground.ReplaceAllString(string(drawn), "")
	text = c.restyle(text)
	if c.times != nil {
		text = timeLabel.ReplaceAllStringFunc(text, c.timeLabel)
		text = strings.TrimSuffix(text, "</svg>") + c.points(text) + "</svg>"
	}
	title := escape(c.title)
	text = svgStart.ReplaceAllString(text,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="$1" role="img" aria-label="`+strings.ReplaceAll(title, "$", "$$")+`">`)
	return template.HTML(text)
}

// restyle replaces every style by attributes. There are many styles, of which few differ.
func (c page) restyle(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	known := make(map[string]string)
	for {
		before, rest, found := strings.Cut(text, `style="`)
		if !found {
			b.WriteString(text)
			return b.String()
		}
		style, after, _ := strings.Cut(rest, `"`)
		attributes, again := known[style]
		if !again {
			attributes = c.attributes(style)
			known[style] = attributes
		}
		b.WriteString(strings.TrimSuffix(before, " "))
		b.WriteString(attributes)
		text = after
	}
}

// attributes turns a style into the attributes that say the same. The font is that of the page.
func (c page) attributes(style string) string {
	var b strings.Builder
	for property := range strings.SplitSeq(style, ";") {
		name, value, _ := strings.Cut(property, ":")
		switch name {
		case "stroke", "fill":
			b.WriteString(c.paint(name, value))
		case "stroke-width":
			fmt.Fprintf(&b, ` stroke-width="%s"`, value)
		case "font-size":
			fmt.Fprintf(&b, ` font-size="%s"`, strings.TrimSuffix(value, "px"))
		}
	}
	return b.String()
}

func (c page) paint(name, value string) string {
	m := colorName.FindStringSubmatch(value)
	if m == nil {
		return fmt.Sprintf(` %s="none"`, name) // all that is seen has one of our colours
	}
	variable, opacity, ok := c.palette.variable(m[1], m[2])
	if !ok {
		return fmt.Sprintf(` %s="none"`, name)
	}
	attr := fmt.Sprintf(` %s="var(%s)"`, name, variable)
	if opacity != "" {
		attr += fmt.Sprintf(` %s-opacity="%s"`, name, opacity)
	}
	return attr
}

// labelMark begins the label of a point that has a time. The library gets a stand-in about as wide as
// the time, so that the time may be told in another zone by the page.
const labelMark = "#"

func labelTokens(n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s%04d", labelMark, i)
	}
	return tokens
}

func (c page) timeLabel(element string) string {
	m := timeLabel.FindStringSubmatch(element)
	i, err := strconv.Atoi(m[2])
	if err != nil || i >= len(c.times) {
		return element
	}
	at := c.times[i].UTC()
	layout, show := "15:04", "time"
	if c.times[len(c.times)-1].Sub(c.times[0]) > 48*time.Hour {
		layout, show = "2 Jan", "date"
	}
	return fmt.Sprintf(`<text %s data-time="%s" data-show="%s">%s</text>`, m[1], at.Format(time.RFC3339), show, at.Format(layout))
}

// axisLine is the line of the axis of time, as it stands after the colours are ours.
var axisLine = regexp.MustCompile(`<path  d="M (\d+) (\d+)\nL (\d+) (\d+)"[^>]*stroke="var\(--border\)"`)

// points returns invisible fields, one over each point, that show its values to whoever points at it.
func (c page) points(text string) string {
	left, right, bottom := 0, 0, 0
	for _, m := range axisLine.FindAllStringSubmatch(text, -1) {
		x1, _ := strconv.Atoi(m[1]) // digits
		y1, _ := strconv.Atoi(m[2])
		x2, _ := strconv.Atoi(m[3])
		y2, _ := strconv.Atoi(m[4])
		if y1 == y2 && x2-x1 > right-left {
			left, right, bottom = x1, x2, y1
		}
	}
	if right == left || len(c.times) < 2 {
		return ""
	}
	step := float64(right-left) / float64(len(c.times)-1)
	var b strings.Builder
	b.WriteString(`<g fill="transparent">`)
	for i, at := range c.times {
		from := max(float64(left), float64(left)+(float64(i)-0.5)*step)
		to := min(float64(right), float64(left)+(float64(i)+0.5)*step)
		fmt.Fprintf(&b, `<rect x="%.1f" y="0" width="%.1f" height="%d" data-time="%s"><title>%s%s</title></rect>`,
			from, to-from, bottom, at.UTC().Format(time.RFC3339), at.UTC().Format("2 Jan 15:04 UTC"), escape(c.hints[i]))
	}
	b.WriteString(`</g>`)
	return b.String()
}

// escape returns a text as it may stand in XML, between tags and in an attribute.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
