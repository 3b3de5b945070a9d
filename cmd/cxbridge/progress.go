package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a progress bar. A nil *progress, for an output that is no terminal, draws nothing.
type progress struct{ bar *progressbar.ProgressBar }

// endless is the total of a bar when nobody knows how much there is.
const endless = -1

// newProgress returns a bar of a total of steps, or of endless ones; unit is what a step is called. It
// returns nil when out is no terminal.
func newProgress(out io.Writer, total int, unit string) *progress {
	if !isTerminal(out) {
		return nil
	}
	return drawProgress(out, total, unit)
}

// drawProgress draws no more often than a terminal can be read. A bar of no steps has nothing to fill, so
// it is drawn as one without an end.
func drawProgress(out io.Writer, total int, unit string) *progress {
	if total < 1 {
		total = endless
	}
	return &progress{progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetRenderBlankState(true))}
}

// step goes one step on.
func (p *progress) step() { p.add(1) }

// add goes several steps on. An error is one of drawing, and there is no better place to report it.
func (p *progress) add(steps int) {
	if p != nil {
		_ = p.bar.Add(steps)
	}
}

// newSpinner returns a bar for work that does not report how far it is: it says what is done, and for how
// long, and turns by itself. It returns nil when out is no terminal.
func newSpinner(out io.Writer, what string) *progress {
	if !isTerminal(out) {
		return nil
	}
	return drawSpinner(out, what)
}

func drawSpinner(out io.Writer, what string) *progress {
	return &progress{progressbar.NewOptions(endless, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
		progressbar.OptionSetRenderBlankState(true))}
}

// describe says in front of the bar what is going on.
func (p *progress) describe(what string) {
	if p != nil {
		p.bar.Describe(what)
	}
}

// extend makes room for a step that was not planned.
func (p *progress) extend() {
	if p != nil {
		p.bar.AddMax(1)
	}
}

// clear ends the bar and makes room for what is printed next. Otherwise, a bar without a total would go
// on drawing itself there.
func (p *progress) clear() {
	if p != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
}
