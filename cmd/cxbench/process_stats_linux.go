package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// familyCPUTime returns the CPU time of a process and all its children, including those that have ended.
func familyCPUTime(pid int) (time.Duration, error) {
	var total time.Duration
	roles, err := familyCPUTimes(pid, func(string) string { return "" })
	for _, times := range roles {
		total += times.Sum()
	}
	return total, err
}

// familyCPUTimes is the same by roles, which role derives from the command lines. The process itself and
// the children that have ended count to the role of its own command line.
func familyCPUTimes(pid int, role func(commandLine string) string) (map[string]proof.CPUTimes, error) {
	parent, err := proof.ReadStat(pid)
	if err != nil {
		return nil, err
	}
	roles := map[string]proof.CPUTimes{role(commandLine(pid)): parent.Own.Plus(parent.Children)}
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
		if s, err := proof.ReadStat(child); err == nil && s.Parent == pid {
			name := role(commandLine(child))
			roles[name] = roles[name].Plus(s.Own)
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

// bytesWritten returns how many bytes a process has had written to disks so far; see proc(5).
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
	resident, err := proof.Memory(pid)
	peak, peakErr := proof.PeakMemory(pid)
	return memory{Resident: resident, Peak: peak}, errors.Join(err, peakErr)
}
