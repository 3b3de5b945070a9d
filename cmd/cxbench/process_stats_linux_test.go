package main

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// The name of the program is chosen to mislead.
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 150 50 30 20 20 0 1 0 900 1000 10 18446744073709551615 1 1 0"
	got, err := parseStat(42, []byte(line))
	want := processStat{pid: 42, parent: 7, own: cpuTimes{1500 * time.Millisecond, 500 * time.Millisecond}, children: cpuTimes{300 * time.Millisecond, 200 * time.Millisecond}}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194560 100 200 0 0 150 50 30 20 20"} {
		if got, err := parseStat(42, []byte(bad)); err == nil {
			t.Errorf("%q: got %+v", bad, got)
		}
	}
}

func TestParseMemory(t *testing.T) {
	got, err := parseMemory("Name:\tcxbridge\nVmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
	if want := (memory{Resident: 1 << 20, Peak: 2 << 20}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "VmRSS:\t1 kB\n", "VmRSS:\tmuch\nVmHWM:\t1 kB\n"} {
		if got, err := parseMemory(bad); err == nil {
			t.Errorf("%q: got %+v", bad, got)
		}
	}
}
