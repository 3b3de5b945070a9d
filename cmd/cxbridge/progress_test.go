package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Where the output is no terminal, there is no bar.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, 2, "threads")
	p.step()
	p.extend()
	p.clear()
	s := newSpinner(&out, "migrating")
	s.clear()
	if p != nil || s != nil || out.Len() > 0 {
		t.Errorf("drew %q", &out)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := drawProgress(&out, 1, "posts")
	p.extend()
	p.add(2)
	if !strings.Contains(out.String(), "2/2") {
		t.Errorf("drew %q", &out)
	}
	p.clear()
	if drawn := out.String(); !strings.HasSuffix(drawn, "\r") {
		t.Errorf("is not cleared: %q", drawn)
	}
}

// A bar is cleared whether its total is right, wrong or missing.
func TestProgressBeyondItsTotal(t *testing.T) {
	t.Parallel()
	for _, total := range []int{-7, 0, 1} {
		var out bytes.Buffer
		p := drawProgress(&out, total, "entries")
		p.add(1000)
		p.clear()
		if drawn := out.String(); !strings.HasSuffix(drawn, "\r") {
			t.Errorf("of %d: is not cleared: %q", total, drawn)
		}
	}
}

// A spinner turns by itself, and a bar without a total draws nothing more once it is cleared.
func TestEndlessProgress(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(io.Writer) *progress{
		"[3s]":    func(out io.Writer) *progress { return drawSpinner(out, "migrating") },
		"chains/": func(out io.Writer) *progress { return drawProgress(out, endless, "chains") },
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := draw(&out)
			time.Sleep(3050 * time.Millisecond) // in the bubble, where it takes no time
			p.add(1000)
			p.clear()
			drawn := out.String()
			if !strings.Contains(drawn, name) || !strings.HasSuffix(drawn, "\r") {
				t.Errorf("drew %q", drawn)
			}
			time.Sleep(time.Second)
			if out.String() != drawn {
				t.Errorf("drew %q after it was cleared", strings.TrimPrefix(out.String(), drawn))
			}
		})
	}
}
