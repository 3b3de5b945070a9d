package console

import (
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	variable = regexp.MustCompile(`(--[a-z0-9-]+):\s*(#[0-9a-f]{6});`)
	used     = regexp.MustCompile(`var\((--[a-z0-9-]+)`)
	colorIn  = regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(`)
)

// palettes returns the colours of the style sheet, light and dark.
func palettes(t *testing.T) map[string]map[string]string {
	t.Helper()
	css, err := staticFiles.ReadFile("static/console.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, _, isClosed := strings.Cut(rest, "/* What everything has in common */")
	if !ok || !isClosed {
		t.Fatal("the colours are not where they are expected")
	}
	all := map[string]map[string]string{"light": {}, "dark": {}}
	for name, text := range map[string]string{"light": light, "dark": dark} {
		for _, m := range variable.FindAllStringSubmatch(text, -1) {
			all[name][m[1]] = m[2]
		}
	}
	return all
}

// luminance and contrast are as WCAG 2.2 defines them.
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil || len(color) != 7 {
		t.Fatalf("%q is no colour", color)
	}
	linear := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func TestContrast(t *testing.T) {
	const text, graphic = 4.5, 3.0 // WCAG 2.2 AA: 1.4.3 and 1.4.11
	type pair struct {
		front, back string
		least       float64
	}
	var pairs []pair
	for _, back := range []string{"--bg", "--surface", "--sunken"} {
		for _, front := range []string{"--text", "--muted", "--accent", "--accent-strong"} {
			pairs = append(pairs, pair{front, back, text})
		}
		pairs = append(pairs, pair{"--border", back, graphic}, pair{"--accent", back, graphic})
	}
	for _, level := range []string{"--ok", "--warn", "--bad", "--info", "--neutral"} {
		pairs = append(pairs, pair{level, level + "-bg", text}, pair{level, "--surface", text}, pair{level, "--sunken", text})
	}
	pairs = append(pairs, pair{"--on-accent", "--accent", text}, pair{"--on-accent", "--accent-strong", text},
		pair{"--muted", "--bad-bg", text}, pair{"--bad", "--bg", text})
	for _, color := range []string{"1", "2", "3", "4", "5", "6", "ok", "bad"} {
		pairs = append(pairs, pair{"--chart-" + color, "--surface", graphic})
	}
	for scheme, colors := range palettes(t) {
		for _, p := range pairs {
			if got := contrast(t, colors[p.front], colors[p.back]); got < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, which is less than %v", scheme, p.front, p.back, got, p.least)
			}
		}
	}
	if got := contrast(t, "#000000", "#ffffff"); math.Abs(got-21) > 1e-9 {
		t.Errorf("black on white is %v", got)
	}
}

// Every style sheet takes its colours from variables that are there, in light and in dark.
func TestColorsAreVariables(t *testing.T) {
	colors := palettes(t)
	for name := range colors["light"] {
		if colors["dark"][name] == "" {
			t.Errorf("%s is not there in the dark", name)
		}
	}
	files, err := fs.Glob(staticFiles, "static/*.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := staticFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		css := string(content)
		for _, m := range used.FindAllStringSubmatch(css, -1) {
			if !strings.Contains(css, m[1]+":") && colors["light"][m[1]] == "" && !isLength(m[1]) {
				t.Errorf("%s: there is no %s", file, m[1])
			}
		}
		_, rules, isMain := strings.Cut(css, "/* What everything has in common */")
		if !isMain {
			rules = css
		}
		rules, _, _ = strings.Cut(rules, "@media print")
		if found := colorIn.FindString(rules); found != "" {
			t.Errorf("%s: a colour of its own, %s", file, found)
		}
	}
}

// isLength reports whether a variable is none of the colours.
func isLength(name string) bool {
	return strings.Contains("--radius --gap --shadow --sans --mono", name)
}

// No template has a style or a script of its own, which the policy would not let through.
func TestTemplatesObeyThePolicy(t *testing.T) {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := templateFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.FindString(string(content)); found != "" {
			t.Errorf("%s has %q", file, found)
		}
	}
}

// What stands in an element that changes is a block, and each of them is in its page once.
func TestLiveBlocksAreInTheirPages(t *testing.T) {
	c := newConsole(t)
	for _, p := range c.pages {
		content, err := templateFiles.ReadFile("templates/" + p.Name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range p.live {
			if templates[p.Name].Lookup(block) == nil {
				t.Errorf("%s has no block %s", p.Name, block)
			}
			if n := strings.Count(string(content), fmt.Sprintf("id=%q", block)); n != 1 {
				t.Errorf("%s has %d elements with the id %s", p.Name, n, block)
			}
		}
	}
}
