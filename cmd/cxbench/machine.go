package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine is what the figures depend on.
type machine struct {
	CPU   string        `json:"cpu"`
	Cores int           `json:"cores"`
	OS    string        `json:"os"`
	Go    string        `json:"go"`
	Fsync time.Duration `json:"fsync_ns"` // median of a write of 8 KiB and fsync, in the data folder
	P99   time.Duration `json:"fsync_p99_ns"`
}

func describeMachine(dir string) (machine, error) {
	m := machine{CPU: cpuModel(), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	var err error
	m.Fsync, m.P99, err = fsyncLatency(dir)
	return m, err
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores of %s, %s, %s; write of 8 KiB and fsync: median %s, p99 %s",
		m.Cores, m.CPU, m.OS, m.Go, m.Fsync.Round(time.Microsecond), m.P99.Round(time.Microsecond))
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// fsyncLatency measures as a database's log does: it overwrites a file that has its size already,
// a page at a time.
func fsyncLatency(dir string) (median, p99 time.Duration, err error) {
	const pages, writes, limit = 128, 400, 3 * time.Second
	page := make([]byte, 8192)
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for range pages {
		if _, err := f.Write(page); err != nil {
			return 0, 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, 0, err
	}
	var took []time.Duration
	for began := time.Now(); len(took) < writes && time.Since(began) < limit; {
		start := time.Now()
		if _, err := f.WriteAt(page, int64(len(took)%pages)*int64(len(page))); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}
