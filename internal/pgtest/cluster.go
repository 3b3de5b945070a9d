// Package pgtest runs throwaway PostgreSQL clusters for tests and benchmarks. They are real servers, started
// from the binaries of the machine, and end with the process.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxbridge/cxbridge/internal/freeport"
)

// Cluster is a PostgreSQL server on a loopback port, with a data folder of its own.
type Cluster struct {
	// URL connects to the database "postgres" as superuser.
	URL string

	dir      string
	port     int
	bin      string
	settings []string
	server   *exec.Cmd
	exited   chan struct{}
}

// startTimeout bounds how long a server may take to answer its first query.
const startTimeout = time.Minute

// Start makes a cluster in a new folder under dir (the system's temporary folder when empty) and
// starts it. Each setting is a line of postgresql.conf, such as "fsync=off".
//
// PostgreSQL refuses to run as root, so for root the server runs as the user "postgres".
func Start(ctx context.Context, dir string, settings ...string) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	root, owner, err := newFolder(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: root, bin: bin, settings: settings}
	if err := c.create(ctx, owner); err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	if err := c.Resume(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(root))
	}
	return c, nil
}

// binaries finds the folder of initdb and postgres: Debian keeps them off the PATH.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("pgtest: PostgreSQL is not installed: try apt-get install postgresql")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// newFolder makes a folder for a cluster, and returns the user that runs its server: nil for that of this
// process.
func newFolder(under string) (dir string, owner *syscall.Credential, err error) {
	if owner, err = serverUser(); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(under, "cxbridge-postgres-"); err != nil || owner == nil {
		return dir, owner, err
	}
	if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, owner, nil
}

func (c *Cluster) create(ctx context.Context, owner *syscall.Credential) error {
	initdb := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"),
		"--pgdata", c.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = c.dir, &syscall.SysProcAttr{Credential: owner}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w\n%s", err, out)
	}
	return c.choosePort()
}

// choosePort chooses where the server listens.
func (c *Cluster) choosePort() (err error) {
	if c.port, err = freeport.Find(); err != nil {
		return err
	}
	address := url.URL{
		Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), RawQuery: "sslmode=disable",
	}
	c.URL = address.String()
	return nil
}

// Resume starts the server on its port again, after Stop, Kill or Crash, and waits until it answers.
func (c *Cluster) Resume(ctx context.Context) error {
	owner, err := serverUser()
	if err != nil {
		return err
	}
	logFile, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer logFile.Close()
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port), "-h", "127.0.0.1", "-k", c.dir}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	server := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	server.Dir, server.Stdout, server.Stderr = c.dir, logFile, logFile
	server.SysProcAttr = processAttributes(owner)
	if err := server.Start(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		// The exit status says nothing new: Stop and Kill are the reason.
		_ = server.Wait()
	}()
	c.server, c.exited = server, exited
	if err := c.awaitAnswer(ctx); err != nil {
		return errors.Join(err, c.Kill())
	}
	return nil
}

func (c *Cluster) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-retry.C:
		case <-c.exited:
			out, _ := os.ReadFile(c.log())
			return fmt.Errorf("pgtest: the server ended at its start:\n%s", out)
		case <-ctx.Done():
			return fmt.Errorf("pgtest: the server does not answer: %w", err)
		}
	}
}

// Stop shuts the server down, and closes the connections of its clients. The data stays: Resume starts the
// server again.
func (c *Cluster) Stop() error { return c.end(syscall.SIGINT) }

// Kill ends the server at once, as a crash would. The data stays.
func (c *Cluster) Kill() error { return c.end(syscall.SIGQUIT) }

func (c *Cluster) end(sig os.Signal) error {
	select {
	case <-c.exited:
		return nil
	default:
	}
	if err := c.server.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := c.Continue(); err != nil { // one that is paused would never see the signal
		return err
	}
	<-c.exited
	return nil
}

// Pause freezes the server's main process and every backend, like a machine that hangs: connections stay open,
// and nothing is answered. Continue lets them run again.
func (c *Cluster) Pause() error { return c.signalAll(syscall.SIGSTOP) }

// Continue ends a Pause.
func (c *Cluster) Continue() error { return c.signalAll(syscall.SIGCONT) }

// PID returns the process id of the server's main process.
func (c *Cluster) PID() int { return c.server.Process.Pid }

// Close ends the server and removes its data.
func (c *Cluster) Close() error {
	return errors.Join(c.Stop(), os.RemoveAll(c.dir))
}

// CreateDatabase makes an empty database and returns the URL of it.
func (c *Cluster) CreateDatabase(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, c.URL)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	address, err := url.Parse(c.URL)
	if err != nil {
		return "", err
	}
	address.Path = "/" + name
	return address.String(), nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }
func (c *Cluster) log() string  { return filepath.Join(c.dir, "server.log") }
