package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// serverProcess is a server under test, running as a process of its own.
type serverProcess struct {
	addr  string
	ready time.Duration // from the start of the process to the first 200 of /readyz

	cmd    *exec.Cmd
	log    *os.File
	exited chan struct{}
	err    error // of the process; set when exited is closed
}

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
	readyPoll    = 500 * time.Microsecond
)

// startServer starts a server on a free loopback port, which it gets as the setting ADDR, and waits until
// it is ready. Of this process's environment the server gets only what programs need to run.
func startServer(ctx context.Context, dir string, argv, env []string) (*serverProcess, error) {
	addr, err := proof.FreeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(dir, "server-*.log")
	if err != nil {
		return nil, err
	}
	s := &serverProcess{addr: addr, log: log, exited: make(chan struct{}), cmd: exec.Command(argv[0], argv[1:]...)}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, log, log
	s.cmd.Env = append([]string{"ADDR=" + addr, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.Getenv("TMPDIR")}, env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.awaitReady(ctx); err != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
		return nil, errors.Join(s.explain(err), log.Close())
	}
	s.ready = time.Since(started)
	return s, nil
}

func (s *serverProcess) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if isReady(ctx, client, s.addr) {
			return nil
		}
		select {
		case <-poll.C:
		case <-s.exited:
			return fmt.Errorf("the server ended before it was ready: %s", s.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("the server did not get ready: %w", ctx.Err())
		}
	}
}

func isReady(ctx context.Context, client *http.Client, addr string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := client.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop asks the server to stop, and kills it when it does not. It is an error if the server does not shut
// down gracefully. The log is removed too: that of a busy minute is large.
func (s *serverProcess) stop() error {
	defer os.Remove(s.log.Name())
	defer s.log.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.NewTimer(stopTimeout)
	defer late.Stop()
	select {
	case <-s.exited:
	case <-late.C:
		_ = s.cmd.Process.Kill()
		<-s.exited
		return s.explain(fmt.Errorf("the server did not stop within %s", stopTimeout))
	}
	if s.err != nil {
		return s.explain(fmt.Errorf("the server ended: %w", s.err))
	}
	return nil
}

// explain adds the end of the server's log to an error.
func (s *serverProcess) explain(err error) error {
	const size = 2000
	info, statErr := s.log.Stat()
	if statErr != nil {
		return err
	}
	tail, readErr := io.ReadAll(io.NewSectionReader(s.log, max(0, info.Size()-size), size))
	if readErr != nil || len(tail) == 0 {
		return err
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, tail)
}
