package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Settings are the environment variables of a cxbridge. It gets no others.
type Settings map[string]string

// With returns the settings with some of them changed; "" removes one.
func (s Settings) With(changes Settings) Settings {
	merged := make(Settings)
	for _, from := range []Settings{s, changes} {
		for name, text := range from {
			merged[name] = text
		}
	}
	return merged
}

func (s Settings) environment() []string {
	list := []string{} // not nil, which would be this process's environment
	for name, text := range s {
		if text != "" {
			list = append(list, name+"="+text)
		}
	}
	return list
}

// Process is a cxbridge that runs, or ran. It does not outlive the process that started it.
type Process struct {
	Log *Log

	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended and its log is complete
}

// Patience bounds every wait. It is far more than anything takes, because a slow machine is no error.
const Patience = 2 * time.Minute

// Start starts the binary in a folder.
func Start(program, dir string, s Settings, args ...string) (*Process, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, s.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &Process{Log: newLog(), cmd: cmd, exited: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		p.Log.record(stderr)
		_ = cmd.Wait() // Code returns the exit status
	}()
	return p, nil
}

// Ready waits until `serve` says that it is ready, and returns its address: http://host:port.
func (p *Process) Ready(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	select {
	case address := <-p.Log.ready:
		return address, nil
	case <-p.exited:
		return "", fmt.Errorf("cxbridge ended with %d before it was ready; the end of its log:\n%s", p.Code(), p.Log.Tail(20))
	case <-ctx.Done():
		return "", fmt.Errorf("cxbridge is not ready: %w; the end of its log:\n%s", ctx.Err(), p.Log.Tail(20))
	}
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Code returns the exit code of a process that has ended: -1 when a signal ended it.
func (p *Process) Code() int { return p.cmd.ProcessState.ExitCode() }

// Signal sends a signal. It is no error if the process has ended.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Kill ends the process as a crash would, and returns when it is gone.
func (p *Process) Kill() error {
	err := p.Signal(syscall.SIGKILL)
	if err == nil {
		<-p.exited
	}
	return err
}

// Pause freezes the process, and Continue lets it go on.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (p *Process) Continue() error { return p.Signal(syscall.SIGCONT) }

// Stop asks the process to stop, and waits until it has. It is an error if it does not shut down gracefully.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.NewTimer(Patience)
	defer late.Stop()
	select {
	case <-p.exited:
	case <-late.C:
		return errors.Join(errors.New("cxbridge does not stop"), p.Kill())
	}
	if code := p.Code(); code != 0 {
		return fmt.Errorf("cxbridge stopped with %d; the end of its log:\n%s", code, p.Log.Tail(20))
	}
	return nil
}
