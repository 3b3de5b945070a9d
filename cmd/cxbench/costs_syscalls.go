package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

// syscallCounts are the system calls of a server under load. Counting slows the server down, which changes
// how many receipts share a commit; the calls of a request stay the same.
type syscallCounts struct {
	Missing   string        `json:"missing,omitempty"` // why they were not counted
	Receipts  int64         `json:"receipts"`
	PerSecond float64       `json:"receipts_per_second"`
	Calls     []syscallLine `json:"calls"`
}

type syscallLine struct {
	Name  string `json:"name"`
	Calls int64  `json:"calls"`
}

// traceTimeout bounds how long strace may take to begin and to end.
const traceTimeout = 10 * time.Second

// traced puts a load on a server while strace counts its system calls. If strace is missing, or may not look
// at other processes, that is noted.
func (c *costCourse) traced(ctx context.Context, t *target, into *syscallCounts) error {
	return c.withServer(ctx, t, func(server *serverProcess) error {
		tracer, err := startTracer(c.w.dir, server.cmd.Process.Pid)
		if err != nil {
			into.Missing = err.Error()
			return nil
		}
		result, err := load.Run(ctx, c.load(server, c.settings.Traced))
		into.Receipts, into.PerSecond = result.Ledger.Receipts, result.PerSecond
		summary, endErr := tracer.end()
		if err = errors.Join(err, endErr); err != nil {
			return err
		}
		into.Calls, err = parseSyscalls(summary)
		return err
	})
}

// tracer is an strace that is attached to a process.
type tracer struct {
	cmd    *exec.Cmd
	file   string // of its summary
	exited chan struct{}
}

// startTracer returns when strace is attached to all threads of a process.
func startTracer(dir string, pid int) (*tracer, error) {
	program, err := exec.LookPath("strace")
	if err != nil {
		return nil, errors.New("strace is not installed")
	}
	tr := &tracer{file: filepath.Join(dir, fmt.Sprintf("strace-%d", pid)), exited: make(chan struct{})}
	tr.cmd = exec.Command(program, "-f", "-c", "-o", tr.file, "-p", strconv.Itoa(pid))
	tr.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	said, err := tr.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := tr.cmd.Start(); err != nil {
		return nil, err
	}
	first := make(chan string, 1)
	go func() {
		defer close(tr.exited)
		line, _ := bufio.NewReader(said).ReadString('\n')
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, said)
		_ = tr.cmd.Wait() // its first line says why it failed
	}()
	select {
	case line := <-first:
		if strings.Contains(line, "attached") {
			return tr, nil
		}
		_, _ = tr.end()
		return nil, fmt.Errorf("strace does not work here: %s", line)
	case <-time.After(traceTimeout):
		_, _ = tr.end()
		return nil, fmt.Errorf("strace did not begin within %s", traceTimeout)
	}
}

// end detaches from the process, and returns the summary of what was counted.
func (tr *tracer) end() (summary string, err error) {
	if err := tr.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return "", err
	}
	select {
	case <-tr.exited:
	case <-time.After(traceTimeout):
		_ = tr.cmd.Process.Kill()
		<-tr.exited
		return "", fmt.Errorf("strace did not end within %s", traceTimeout)
	}
	text, err := os.ReadFile(tr.file)
	return string(text), err
}

// parseSyscalls reads the summary of strace -c: share of time, seconds, microseconds per call, calls,
// errors if any, and the name; most calls first.
func parseSyscalls(summary string) (calls []syscallLine, err error) {
	for line := range strings.Lines(summary) {
		fields := strings.Fields(line)
		if len(fields) < 5 || strings.HasPrefix(fields[0], "%") || strings.HasPrefix(fields[0], "-") {
			continue
		}
		name := fields[len(fields)-1]
		if name == "total" {
			continue
		}
		n, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("strace: %q: %w", strings.TrimSpace(line), err)
		}
		calls = append(calls, syscallLine{Name: name, Calls: n})
	}
	if len(calls) == 0 {
		return nil, errors.New("strace has counted nothing")
	}
	slices.SortFunc(calls, func(a, b syscallLine) int { return int(b.Calls - a.Calls) })
	return calls, nil
}

// perReceipt returns how many calls of these names a receipt took; of all names when none is given.
func (s *syscallCounts) perReceipt(names ...string) float64 {
	var n int64
	for _, line := range s.Calls {
		if len(names) == 0 || slices.Contains(names, line.Name) {
			n += line.Calls
		}
	}
	return float64(n) / float64(max(1, s.Receipts))
}
