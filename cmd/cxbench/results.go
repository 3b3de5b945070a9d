package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// summaryFile is the file with all figures in the folder of a run; table.md shows them.
const summaryFile = "figures.json"

// summary is what is reported of all parts together.
type summary struct {
	Version   string        `json:"version"` // of the source
	Date      time.Time     `json:"date"`
	Took      time.Duration `json:"took_ns"`
	Short     bool          `json:"short,omitempty"` // so that the figures mean nothing
	Parts     []string      `json:"parts"`
	Machine   machine       `json:"machine"`
	Strain    strain        `json:"strain"`
	Databases []string      `json:"databases"`
	Figures   []figure      `json:"figures"`

	before ticks
}

func newSummary(ctx context.Context) *summary {
	return &summary{Version: sourceVersion(ctx), Date: time.Now().UTC(), before: readTicks(), Strain: strain{LoadBefore: loadAverage()}}
}

// sourceVersion is what git calls the source that is measured.
func sourceVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "development"
	}
	return strings.TrimSpace(string(out))
}

// folder returns where the results are kept if no folder is given.
func (s *summary) folder() string {
	return filepath.Join("bench-results", s.Date.Format("2006-01-02T1504")+"-"+s.Version)
}

func (s *summary) add(part string, found findings) {
	s.Parts = append(s.Parts, part)
	s.Figures = append(s.Figures, found.figures()...)
	for _, line := range found.databases() {
		if !slices.Contains(s.Databases, line) {
			s.Databases = append(s.Databases, line)
		}
	}
}

// end prints the table, and keeps it.
func (s *summary) end(o *options, out io.Writer) error {
	s.Took, s.Short = time.Since(s.Date), o.short
	s.Strain.LoadAfter = loadAverage()
	s.Strain.Stolen, s.Strain.Busy = readTicks().since(s.before)
	var text strings.Builder
	s.print(&text)
	fmt.Fprintf(out, "\n## All figures\n\n%s", text.String())
	if err := os.WriteFile(filepath.Join(o.results, "table.md"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the raw results are in %s\n", o.results)
	return keep(o.results, strings.TrimSuffix(summaryFile, ".json"), s)
}

func (s *summary) print(w io.Writer) {
	fmt.Fprintf(w, "- version %s, %s; the parts %s took %s\n", s.Version, s.Date.Format("2 January 2006 15:04 MST"),
		strings.Join(s.Parts, ", "), s.Took.Round(time.Second))
	fmt.Fprintf(w, "- %s\n- %s\n", s.Machine, s.Strain)
	for _, line := range s.Databases {
		fmt.Fprintf(w, "- %s\n", line)
	}
	if s.Short {
		fmt.Fprint(w, "- a short run: THESE FIGURES MEAN NOTHING\n")
	}
	fmt.Fprint(w, "- reached: median [least–most] over the rounds, where there are several\n\n")
	figureTable(s.Figures).print(w)
}

// keep writes results to a JSON file in a folder.
func keep(folder, name string, what any) error {
	text, err := json.MarshalIndent(what, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644)
}
