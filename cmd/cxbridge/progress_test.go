package main

import (
	"bytes"
	"strings"
	"testing"
)

// What is no terminal gets no bar.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out, 2, "threads")
	p.step()
	p.extend()
	p.clear()
	if p != nil || out.Len() > 0 {
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
