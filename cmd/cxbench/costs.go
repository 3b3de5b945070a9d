package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// costSettings are the flags of `cxbench costs`.
type costSettings struct {
	Duration    time.Duration `json:"duration_ns"` // of the counting and of the profile
	Traced      time.Duration `json:"traced_ns"`   // of the load while system calls are counted
	Connections int           `json:"connections"`
	Only        words         `json:"only"`
}

func (s *costSettings) flags(flags *flag.FlagSet) {
	flags.DurationVar(&s.Duration, "duration", 10*time.Second, "length of the load while work is counted, and of each profile")
	flags.DurationVar(&s.Traced, "traced", 5*time.Second, "length of the load while system calls are counted")
	flags.IntVar(&s.Connections, "connections", 64, "connections of the load generator")
	s.Only = words{"a", "b", "c", "d"}
	flags.Var(&s.Only, "only", "the servers: a bare net/http, b naive, c cxbridge on PostgreSQL, d cxbridge on SQLite")
}

func (s *costSettings) shorten() {
	s.Duration, s.Traced, s.Connections = 500*time.Millisecond, 500*time.Millisecond, 8
}

func (s *costSettings) check() error {
	if !isLength(s.Duration) || !isLength(s.Traced) || s.Connections < 1 || s.Connections > maxConnections {
		return errors.New("a flag is out of its bounds; see -h")
	}
	return onlyLetters(s.Only)
}

// costCourse breaks down what a receipt costs. Each way of measuring has its own load, because each slows
// the server down in its own way, and none of these loads is the one that the ratios come from.
type costCourse struct {
	settings *costSettings
	w        *workspace
	results  string // the folder for the profiles
	profiled string // the binary with profiles
}

func (s *costSettings) measure(ctx context.Context, o *options) (_ findings, err error) {
	w, err := newWorkspace(o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.startPostgres(ctx, countingStatements...); err != nil {
		return nil, err
	}
	targets, err := w.standard(s.Only, w.cluster.URL, naivePool)
	if err != nil {
		return nil, err
	}
	r := &costReport{Settings: s}
	if r.Machine, err = describeMachine(w.dir); err != nil {
		return nil, err
	}
	if _, err := w.makeSchemas(ctx, targets); err != nil {
		return nil, err
	}
	if err := w.postgres(w.cluster.URL).execute(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"); err != nil {
		return nil, err
	}
	c := &costCourse{settings: s, w: w, results: o.results}
	if slices.ContainsFunc(targets, func(t *target) bool { return t.isOurs }) {
		if c.profiled, err = buildProfiled(ctx, w.dir); err != nil {
			return nil, err
		}
	}
	for _, t := range targets {
		one, err := c.server(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", label(t.key), err)
		}
		r.Servers = append(r.Servers, *one)
	}
	r.Databases = w.systems
	return r, nil
}

// server measures one server in every way.
func (c *costCourse) server(ctx context.Context, t *target) (*serverCosts, error) {
	one := &serverCosts{Target: t.key}
	fmt.Fprintf(os.Stderr, "%s: counted", label(t.key))
	if err := c.counted(ctx, t, one); err != nil {
		return nil, fmt.Errorf("counting: %w", err)
	}
	fmt.Fprint(os.Stderr, ", traced")
	if err := c.traced(ctx, t, &one.Syscalls); err != nil {
		return nil, fmt.Errorf("counting system calls: %w", err)
	}
	if t.isOurs {
		fmt.Fprint(os.Stderr, ", profiled")
		if err := c.profile(ctx, t, one); err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
	}
	fmt.Fprintln(os.Stderr)
	return one, nil
}

func (c *costCourse) load(server *serverProcess, length time.Duration) load.Config {
	cfg := c.w.load()
	cfg.Addr, cfg.Connections, cfg.Duration = server.addr, c.settings.Connections, length
	return cfg
}

// counted puts a load on a server and reads what the kernel and the database count anyway.
func (c *costCourse) counted(ctx context.Context, t *target, into *serverCosts) error {
	d, _ := t.database.(*postgresDatabase)
	if d != nil {
		if err := errors.Join(d.settle(ctx), d.execute(ctx, "SELECT pg_stat_statements_reset()")); err != nil {
			return err
		}
		before, err := d.work(ctx)
		if err != nil {
			return err
		}
		defer func() { into.Database = into.Database.since(before) }()
	}
	err := c.withServer(ctx, t, func(server *serverProcess) error {
		before, err := c.busy(server)
		if err != nil {
			return err
		}
		result, err := load.Run(ctx, c.load(server, c.settings.Duration))
		if err != nil {
			return err
		}
		into.Receipts, into.PerSecond = result.Ledger.Receipts, result.PerSecond
		if into.Written, err = bytesWritten(server.cmd.Process.Pid); err != nil {
			return err
		}
		after, err := c.busy(server)
		into.CPU = cpuSince(after, before)
		return err
	})
	if err != nil || d == nil {
		return err
	}
	// The counters of PostgreSQL's processes are complete once their connections have ended.
	if into.Database, err = d.work(ctx); err == nil {
		into.Statements, err = d.statementList(ctx)
	}
	return err
}

// withServer starts a server, uses it, and stops it.
func (c *costCourse) withServer(ctx context.Context, t *target, use func(*serverProcess) error) error {
	server, err := startServer(ctx, c.w.dir, t.argv, t.env)
	if err != nil {
		return err
	}
	if err = use(server); err != nil && ctx.Err() == nil {
		err = server.explain(err)
	}
	return errors.Join(err, server.stop())
}

// Whose CPU time is reported.
const (
	ofGenerator = "load generator"
	ofServer    = "server"
	ofBackends  = "PostgreSQL, connections"
	ofWALWriter = "PostgreSQL, walwriter"
	ofOthers    = "PostgreSQL, all else"
)

var cpuRoles = []string{ofGenerator, ofServer, ofBackends, ofWALWriter, ofOthers}

// busy returns how much CPU time each role has used so far.
func (c *costCourse) busy(server *serverProcess) (map[string]proof.CPUTimes, error) {
	roles, err := familyCPUTimes(c.w.cluster.PID(), postgresRole)
	if err != nil {
		return nil, err
	}
	for role, pid := range map[string]int{ofGenerator: os.Getpid(), ofServer: server.cmd.Process.Pid} {
		stat, err := proof.ReadStat(pid)
		if err != nil {
			return nil, err
		}
		roles[role] = stat.Own
	}
	return roles, nil
}

func cpuSince(after, before map[string]proof.CPUTimes) []cpuShare {
	var shares []cpuShare
	for _, role := range cpuRoles {
		shares = append(shares, cpuShare{Role: role, CPUTimes: after[role].Since(before[role])})
	}
	return slices.DeleteFunc(shares, func(s cpuShare) bool { return s.Sum() <= 0 })
}
