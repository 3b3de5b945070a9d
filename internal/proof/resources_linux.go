package proof

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// PeakMemory returns the most of the machine's memory that a process ever held, in bytes.
func PeakMemory(pid int) (int64, error) { return memory(pid, "VmHWM:") }

// Memory returns how much of the machine's memory a process holds, in bytes.
func Memory(pid int) (int64, error) { return memory(pid, "VmRSS:") }

func memory(pid int, which string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	bytes, err := parseMemory(string(status), which)
	if err != nil {
		return 0, fmt.Errorf("the status of process %d: %w", pid, err)
	}
	return bytes, nil
}

func parseMemory(status, which string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, which); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("there is no %s", which)
}

// OpenFiles returns how many file handles a process has, including sockets.
func OpenFiles(pid int) (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries), err
}

// CPUTimes say how long a process has kept cores busy.
type CPUTimes struct {
	User   time.Duration `json:"user_ns"`
	System time.Duration `json:"system_ns"` // in the kernel, on behalf of the process
}

// Sum returns the time in user and in system mode together.
func (c CPUTimes) Sum() time.Duration { return c.User + c.System }

// Plus adds the times of another process.
func (c CPUTimes) Plus(other CPUTimes) CPUTimes {
	return CPUTimes{User: c.User + other.User, System: c.System + other.System}
}

// Since returns what was used since an earlier reading.
func (c CPUTimes) Since(before CPUTimes) CPUTimes {
	return CPUTimes{User: c.User - before.User, System: c.System - before.System}
}

// ProcessStat is what /proc/PID/stat says about a process.
type ProcessStat struct {
	Parent   int      // process id
	Own      CPUTimes // of the process itself
	Children CPUTimes // of the children that it has waited for
}

// CPU returns how long a process has kept cores busy so far, in user and in system mode together.
func CPU(pid int) (time.Duration, error) {
	s, err := ReadStat(pid)
	return s.Own.Sum(), err
}

// ReadStat reads the state of a process that exists.
func ReadStat(pid int) (ProcessStat, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ProcessStat{}, err
	}
	s, err := parseStat(line)
	if err != nil {
		return ProcessStat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return s, nil
}

// cpuTick is the unit of the times in /proc. Linux shows them in hundredths of a second on every
// architecture that Go runs on (USER_HZ).
const cpuTick = 10 * time.Millisecond

// parseStat reads the fields that proc(5) describes. The name of the program may hold blanks and brackets,
// so the fields are counted from its last bracket.
func parseStat(line []byte) (ProcessStat, error) {
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) < 15 {
		return ProcessStat{}, fmt.Errorf("%d fields", len(fields))
	}
	// Fields 4 (parent), 14 and 15 (user, system), 16 and 17 (the same of children), counted from 1; the
	// first two are cut off.
	var n [5]int64
	for i, field := range []int{4, 14, 15, 16, 17} {
		var err error
		if n[i], err = strconv.ParseInt(fields[field-3], 10, 64); err != nil {
			return ProcessStat{}, err
		}
	}
	return ProcessStat{
		Parent:   int(n[0]),
		Own:      CPUTimes{User: time.Duration(n[1]) * cpuTick, System: time.Duration(n[2]) * cpuTick},
		Children: CPUTimes{User: time.Duration(n[3]) * cpuTick, System: time.Duration(n[4]) * cpuTick},
	}, nil
}

// LoadAverage returns the load of the machine over the last minute.
func LoadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}
