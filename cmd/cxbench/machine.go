package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// machine describes the hardware and software that the figures depend on.
type machine struct {
	CPU    string        `json:"cpu"`
	Cores  int           `json:"cores"`
	Memory uint64        `json:"memory_bytes"`
	OS     string        `json:"os"`
	Kernel string        `json:"kernel"`
	Go     string        `json:"go"`
	Fsync  time.Duration `json:"fsync_ns"` // median of a write of 8 KiB and fsync, in the data folder
	P99    time.Duration `json:"fsync_p99_ns"`
}

func describeMachine(dir string) (machine, error) {
	m := machine{
		CPU: procField("/proc/cpuinfo", "model name", "unknown CPU"), Cores: runtime.NumCPU(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = string(bytes.TrimSpace(kernel))
	}
	kib, _, _ := strings.Cut(procField("/proc/meminfo", "MemTotal", ""), " ")
	if n, err := strconv.ParseUint(kib, 10, 64); err == nil {
		m.Memory = n << 10
	}
	var err error
	m.Fsync, m.P99, err = fsyncLatency(dir)
	return m, err
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores of %s, %s of memory, %s, kernel %s, %s; write of 8 KiB and fsync: median %s, p99 %s",
		m.Cores, m.CPU, humanize.IBytes(m.Memory), m.OS, m.Kernel, m.Go, m.Fsync.Round(time.Microsecond), m.P99.Round(time.Microsecond))
}

// procField returns the first value of a name in a file of lines "name: value".
func procField(path, name, unknown string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// strain says how busy the machine was, and so how far to trust the figures.
type strain struct {
	LoadBefore string  `json:"load_before"` // averages of 1, 5 and 15 minutes
	LoadAfter  string  `json:"load_after"`
	Stolen     float64 `json:"stolen"` // share of its CPU time that the host gave to others, from 0 to 1
	Busy       float64 `json:"busy"`   // share that was not idle, all processes together
}

func (s strain) String() string {
	return fmt.Sprintf("load average before %s, after %s; CPU time stolen by the host %.1f %%, busy %.0f %%",
		s.LoadBefore, s.LoadAfter, 100*s.Stolen, 100*s.Busy)
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// ticks are the CPU times of the machine so far, in hundredths of a second.
type ticks struct{ all, idle, stolen int64 }

func readTicks() ticks {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return parseTicks(first)
}

// parseTicks reads the line of all cores, see proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
func parseTicks(line string) (t ticks) {
	fields := strings.Fields(line)
	for i, field := range fields[min(1, len(fields)):min(9, len(fields))] {
		n, _ := strconv.ParseInt(field, 10, 64) // the kernel writes nothing else
		t.all += n
		switch i {
		case 3, 4:
			t.idle += n
		case 7:
			t.stolen += n
		}
	}
	return t
}

// since returns the shares of the time since then that were stolen and busy.
func (t ticks) since(before ticks) (stolen, busy float64) {
	all := float64(max(1, t.all-before.all))
	return float64(t.stolen-before.stolen) / all, 1 - float64(t.idle-before.idle)/all
}

// fsyncLatency writes as a database's log does: it overwrites a file of constant size, a page at a time.
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
