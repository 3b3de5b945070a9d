package proof

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// The name of the program is chosen to mislead.
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 150 50 30 20 20 0 1 0 900 1000 10 18446744073709551615 1 1 0"
	got, err := parseStat([]byte(line))
	want := ProcessStat{Parent: 7, Own: CPUTimes{1500 * time.Millisecond, 500 * time.Millisecond}, Children: CPUTimes{300 * time.Millisecond, 200 * time.Millisecond}}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194560 100 200 0 0 150 50 30 20 20"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: got %+v", bad, got)
		}
	}
}

func TestParseMemory(t *testing.T) {
	const status = "Name:\tcxbridge\nVmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
	for which, want := range map[string]int64{"VmRSS:": 1 << 20, "VmHWM:": 2 << 20} {
		if got, err := parseMemory(status, which); err != nil || got != want {
			t.Errorf("%s %d, %v, want %d", which, got, err, want)
		}
	}
	for _, bad := range []string{"", "VmHWM:\t1 kB\n", "VmRSS:\tmuch\n"} {
		if got, err := parseMemory(bad, "VmRSS:"); err == nil {
			t.Errorf("%q: got %+v", bad, got)
		}
	}
}
