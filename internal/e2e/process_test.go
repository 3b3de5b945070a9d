package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// settings are environment variables of a cxbridge, which gets no other.
type settings map[string]string

// The secrets of every process whose settings name no others.
const (
	webhookSecret = "d1c2b3a4-webhook-0e9f8a7b"
	adminToken    = "d1c2b3a4-operator-0e9f8a7b"
	viewerToken   = "d1c2b3a4-viewer-0e9f8a7b"
)

// with returns the settings with some of them changed; "" takes one away.
func (s settings) with(changes settings) settings {
	merged := make(settings)
	for _, from := range []settings{s, changes} {
		for name, text := range from {
			merged[name] = text
		}
	}
	return merged
}

func (s settings) environment() []string {
	var list []string
	for name, text := range s {
		if text != "" {
			list = append(list, name+"="+text)
		}
	}
	return list
}

// process is a cxbridge that runs, or ran.
type process struct {
	cmd     *exec.Cmd
	stdout  bytes.Buffer // to be read when it has ended; empty when the command writes elsewhere
	log     journal
	address string // http://127.0.0.1:port, once it serves
	client  *http.Client
	exited  chan struct{} // closed when it has ended and all that it wrote is there
}

// serve starts `cxbridge serve` and waits until it is ready and has its database.
func serve(t testing.TB, s settings) *process {
	t.Helper()
	p := serveWithout(t, s)
	p.awaitDatabase(t)
	return p
}

// serveWithout starts `cxbridge serve`, whose database is away, and waits until it is ready.
func serveWithout(t testing.TB, s settings) *process {
	t.Helper()
	p := start(t, s)
	p.awaitReady(t)
	return p
}

// start starts `cxbridge serve`.
func start(t testing.TB, s settings) *process {
	t.Helper()
	return launch(t, settings{
		"ADDR": "127.0.0.1:0", "WEBHOOK_SECRET": webhookSecret, "ADMIN_TOKEN": adminToken, "VIEWER_TOKEN": viewerToken,
	}.with(s), "serve")
}

// awaitReady waits until the process says where it listens.
func (p *process) awaitReady(t testing.TB) {
	t.Helper()
	select {
	case p.address = <-p.log.ready:
	case <-p.exited:
		t.Fatalf("serve ended with %d before it was ready", p.code())
	case <-time.After(patience):
		t.Fatal("serve is not ready")
	}
}

// awaitDatabase waits until the process has its database, and nothing in the spool. It does without for its
// first five seconds, if the machine is slow or another replica migrates the schema.
func (p *process) awaitDatabase(t testing.TB) {
	t.Helper()
	eventually(t, "the process has its database", func() bool {
		_, parts := p.ready(t)
		return parts["database"] == "up" && parts["spool"] != "holding"
	})
}

// launch starts the binary with these settings and no others.
func launch(t testing.TB, s settings, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = t.TempDir(), s.environment()
	// It must not outlive a test that panics.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return launchCommand(t, cmd)
}

// launchCommand starts a command that is a cxbridge. It ends with the test at the latest, which shows the end
// of its log when it has failed.
func launchCommand(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{
		cmd: cmd, exited: make(chan struct{}), log: journal{ready: make(chan string, 1)},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	if p.cmd.Stdout == nil {
		p.cmd.Stdout = &p.stdout
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		p.log.record(stderr)
		// code() returns the exit status.
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill(t)
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the log of %v ends with\n%s", cmd.Args, p.log.tail(40))
		}
	})
	return p
}

// kill ends the process as a crash would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	p.await(t)
}

// terminate asks the process to stop and returns its exit code.
func (p *process) terminate(t testing.TB) int {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	p.await(t)
	return p.code()
}

func (p *process) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal the process: %v", err)
	}
}

// await waits for the end of the process.
func (p *process) await(t testing.TB) {
	t.Helper()
	p.awaitWithin(t, patience)
}

func (p *process) awaitWithin(t testing.TB, limit time.Duration) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(limit):
		t.Errorf("the process does not end")
	}
}

// code returns the exit code of a process that has ended: -1 when a signal ended it.
func (p *process) code() int { return p.cmd.ProcessState.ExitCode() }

// finish runs a command to its end.
func finish(t testing.TB, s settings, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := launch(t, s, args...)
	p.await(t)
	return p.code(), p.stdout.String(), p.log.String()
}

// journal is what a process writes to its standard error.
type journal struct {
	ready chan string // the address, when the process says that it is ready

	mu    sync.Mutex
	lines []string
}

// record reads until the process closes its end.
func (j *journal) record(from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			j.add(line)
		}
		if err != nil {
			return
		}
	}
}

// readyLine finds the address in the line that says that the service is ready, in either format.
var readyLine = regexp.MustCompile(`msg"?[:=]"?ready"?.*address"?[:=]"?(https?://[0-9.:]+)`)

func (j *journal) add(line string) {
	j.mu.Lock()
	j.lines = append(j.lines, line)
	j.mu.Unlock()
	if found := readyLine.FindStringSubmatch(line); found != nil {
		select {
		case j.ready <- found[1]:
		default:
		}
	}
}

// String returns all that was written so far.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "")
}

// tail returns the last n lines.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "")
}
