package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sampleSettings are those of a part that finds out one figure, or fails.
type sampleSettings struct {
	value   float64
	fails   error
	verdict error
	made    *string // the folder that it was given
}

func (*sampleSettings) flags(*flag.FlagSet) {}
func (*sampleSettings) shorten()            {}
func (*sampleSettings) check() error        { return nil }

func (s *sampleSettings) measure(_ context.Context, o *options) (findings, error) {
	if s.made != nil {
		*s.made = o.dir
	}
	return sampleFindings{Value: s.value, broken: s.verdict}, s.fails
}

type sampleFindings struct {
	Value  float64 `json:"value"`
	broken error
}

func (f sampleFindings) print(w io.Writer)   { fmt.Fprintf(w, "details of %v\n", f.Value) }
func (f sampleFindings) databases() []string { return []string{"a database"} }
func (f sampleFindings) verdict() error      { return f.broken }

func (f sampleFindings) figures() []figure {
	return []figure{measuredOnce(inReceipts, "a figure", "ms", f.Value).below(5)}
}

// What each part finds out is printed and kept, also when another one fails or a promise was broken.
func TestCourse(t *testing.T) {
	var made string
	o := &options{dir: t.TempDir(), results: filepath.Join(t.TempDir(), "new"), cxbridge: "none", short: true}
	broken, fails := errors.New("a receipt is lost"), errors.New("no disk")
	chosen := []part{
		{"fails", &sampleSettings{fails: fails}}, {"works", &sampleSettings{value: 2, made: &made}}, {"broken", &sampleSettings{value: 7, verdict: broken}},
	}
	var out strings.Builder
	err := course(t.Context(), o, chosen, &out)
	if !errors.Is(err, broken) || !errors.Is(err, fails) || !strings.Contains(err.Error(), "fails: no disk") {
		t.Errorf("the course ends with %v", err)
	}
	text := out.String()
	for _, part := range []string{"## works", "details of 2", "## All figures", "the parts works, broken took", "- a database\n", "MEAN NOTHING", "2 ms | < 5 ms | yes", "7 ms | < 5 ms |  no"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in what is printed:\n%s", part, text)
		}
	}
	kept, err := os.ReadFile(filepath.Join(o.results, "table.md"))
	if err != nil || !strings.HasSuffix(text, string(kept)) {
		t.Errorf("the table is kept as %q, %v", kept, err)
	}
	if raw, err := os.ReadFile(filepath.Join(o.results, "works.json")); err != nil || !strings.Contains(string(raw), `"value": 2`) {
		t.Errorf("the findings are kept as %q, %v", raw, err)
	}
	if _, err := os.Stat(made); made == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %q is left behind: %v", made, err)
	}
}

func TestCourseThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := &options{dir: t.TempDir(), results: t.TempDir(), cxbridge: "none"}
	var out strings.Builder
	if err := course(ctx, o, []part{{"works", &sampleSettings{}}}, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCompare(t *testing.T) {
	run := func(value float64) string {
		t.Helper()
		o := &options{dir: t.TempDir(), results: t.TempDir(), cxbridge: "none"}
		if err := course(t.Context(), o, []part{{"works", &sampleSettings{value: value}}}, io.Discard); err != nil {
			t.Fatal(err)
		}
		return o.results
	}
	first, second := run(2), run(3)
	var out strings.Builder
	if err := compare([]string{first, second}, &out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "| receipts: a figure | 2 ms | 3 ms |           1.50 |") {
		t.Errorf("compared as\n%s", text)
	}
	for _, wrong := range [][]string{nil, {first}, {first, t.TempDir()}} {
		if err := compare(wrong, io.Discard); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
