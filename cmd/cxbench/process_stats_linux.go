package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the CPU times in /proc. Linux shows them in hundredths of a second on every
// architecture that Go runs on (USER_HZ).
const tick = 10 * time.Millisecond

// cpuTimes are how long a process has kept cores busy.
type cpuTimes struct {
	User   time.Duration `json:"user_ns"`
	System time.Duration `json:"system_ns"` // in the kernel, for it
}

func (c cpuTimes) sum() time.Duration { return c.User + c.System }

func (c cpuTimes) plus(other cpuTimes) cpuTimes {
	return cpuTimes{User: c.User + other.User, System: c.System + other.System}
}

func (c cpuTimes) since(before cpuTimes) cpuTimes {
	return cpuTimes{User: c.User - before.User, System: c.System - before.System}
}

// processStat is a line of /proc/PID/stat, as far as we need it.
type processStat struct {
	pid, parent int
	own         cpuTimes // of the process itself
	children    cpuTimes // of the children that it has waited for
}

func readStat(pid int) (processStat, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processStat{}, err
	}
	return parseStat(pid, line)
}

// parseStat reads the fields by proc(5). The name of the program may hold blanks and brackets, so
// they are counted from its last bracket.
func parseStat(pid int, line []byte) (processStat, error) {
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) < 15 {
		return processStat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	// Fields 4 (parent), 14 and 15 (user, system), 16 and 17 (the same of children), from 1; the
	// first two are cut off.
	var n [5]int64
	for i, field := range []int{4, 14, 15, 16, 17} {
		var err error
		if n[i], err = strconv.ParseInt(fields[field-3], 10, 64); err != nil {
			return processStat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return processStat{
		pid: pid, parent: int(n[0]),
		own:      cpuTimes{User: time.Duration(n[1]) * tick, System: time.Duration(n[2]) * tick},
		children: cpuTimes{User: time.Duration(n[3]) * tick, System: time.Duration(n[4]) * tick},
	}, nil
}

// cpuTime returns the CPU time that a process has used so far.
func cpuTime(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.own.sum(), err
}

// familyCPUTime returns the CPU time of a process and all its children, those that have ended
// included.
func familyCPUTime(pid int) (time.Duration, error) {
	var total time.Duration
	roles, err := familyCPUTimes(pid, func(string) string { return "" })
	for _, times := range roles {
		total += times.sum()
	}
	return total, err
}

// familyCPUTimes is the same by roles, which are told from the command lines. The process itself and
// the children that have ended count to the role of its own command line.
func familyCPUTimes(pid int, role func(commandLine string) string) (map[string]cpuTimes, error) {
	parent, err := readStat(pid)
	if err != nil {
		return nil, err
	}
	roles := map[string]cpuTimes{role(commandLine(pid)): parent.own.plus(parent.children)}
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		// A process that ends meanwhile is counted by its parent.
		if s, err := readStat(child); err == nil && s.parent == pid {
			name := role(commandLine(child))
			roles[name] = roles[name].plus(s.own)
		}
	}
	return roles, nil
}

// commandLine returns how a process is shown; "" when it has ended.
func commandLine(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " ")
}

// bytesWritten returns how many bytes a process has had written to disks so far, by proc(5).
func bytesWritten(pid int) (int64, error) {
	const name = "write_bytes"
	path := fmt.Sprintf("/proc/%d/io", pid)
	n, err := strconv.ParseInt(procField(path, name, "none"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", path, name, err)
	}
	return n, nil
}

// memory is what a process holds of the machine's memory, in bytes.
type memory struct {
	Resident int64 `json:"resident_bytes"` // now
	Peak     int64 `json:"peak_bytes"`     // the most it ever held
}

func processMemory(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	return parseMemory(string(status))
}

func parseMemory(status string) (memory, error) {
	var m memory
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		var to *int64
		switch name {
		case "VmRSS":
			to = &m.Resident
		case "VmHWM":
			to = &m.Peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m, fmt.Errorf("%s: %w", name, err)
		}
		*to = kib << 10
	}
	if m.Resident == 0 || m.Peak == 0 {
		return m, fmt.Errorf("no VmRSS and VmHWM in the status of the process")
	}
	return m, nil
}
