package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serverUser returns the user that runs the server: nil for that of this process.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("pgtest: PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(postgres.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(postgres.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// processAttributes makes the server end with this process, even if this one is killed.
func processAttributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT}
}

// signalAll signals the main process first, so that it starts no backend meanwhile.
func (c *Cluster) signalAll(sig syscall.Signal) error {
	parent := c.PID()
	if err := signalEach([]int{parent}, sig); err != nil {
		return err
	}
	children, err := childrenOf(parent)
	if err != nil {
		return err
	}
	return signalEach(children, sig)
}

// Crash ends all processes of the server by SIGKILL, in the middle of whatever they do: none of them has time
// to write anything more. The data stays.
func (c *Cluster) Crash() error {
	// No process may start another one, or clean up after one that died before it.
	if err := c.Pause(); err != nil {
		return err
	}
	children, err := childrenOf(c.PID())
	if err != nil {
		return err
	}
	if err := signalEach(append(children, c.PID()), syscall.SIGKILL); err != nil {
		return err
	}
	<-c.exited
	// The server does not start again as long as a process holds its shared memory.
	gone := time.NewTicker(time.Millisecond)
	defer gone.Stop()
	for _, child := range children {
		for holdsMemory(child) {
			<-gone.C
		}
	}
	return nil
}

// signalEach signals processes. It is no error if some of them have ended.
func signalEach(pids []int, sig syscall.Signal) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// childrenOf lists the processes that a process has started, and that run.
func childrenOf(parent int) (children []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		if _, its, ok := stateOf(pid); ok && its == parent {
			children = append(children, pid)
		}
	}
	return children, nil
}

// holdsMemory reports whether a process exists and is not a zombie.
func holdsMemory(pid int) bool {
	state, _, ok := stateOf(pid)
	return ok && state != "Z" && state != "X"
}

// stateOf reads the state of a process and the id of its parent; false when it has ended.
func stateOf(pid int) (state string, parent int, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, false
	}
	// The fields after the name, which is in brackets: state, parent's id, …
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err == nil
}
