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

// processStat is a line of /proc/PID/stat, as far as we need it.
type processStat struct {
	pid, parent int
	own         time.Duration // CPU time of the process itself
	children    time.Duration // of the children that it has waited for
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
		own: time.Duration(n[1]+n[2]) * tick, children: time.Duration(n[3]+n[4]) * tick,
	}, nil
}

// cpuTime returns the CPU time that a process has used so far.
func cpuTime(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.own, err
}

// familyCPUTime returns the CPU time of a process and all its children, those that have ended
// included.
func familyCPUTime(pid int) (time.Duration, error) {
	parent, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	total := parent.own + parent.children
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		// A process that ends meanwhile is counted by its parent.
		if s, err := readStat(child); err == nil && s.parent == pid {
			total += s.own
		}
	}
	return total, nil
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
