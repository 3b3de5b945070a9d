package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// run is one measurement of one server under one load.
type run struct {
	Round    int           `json:"round"` // from 1
	Target   string        `json:"target"`
	Workload string        `json:"workload"`
	Rate     float64       `json:"rate,omitempty"` // requests per second of an open loop
	Ready    time.Duration `json:"ready_ns"`       // from the start of the process to the first 200 of /readyz
	Result   load.Result   `json:"result"`
	Rows     load.Rows     `json:"rows"`
	Verified string        `json:"verified"` // "" or what is wrong
	Memory   memory        `json:"memory"`   // of the server, at the end of the load
	Cost     cost          `json:"cost"`
}

// cost is what a whole run took, including the warm-up.
type cost struct {
	Generator time.Duration `json:"generator_cpu_ns"`
	Server    time.Duration `json:"server_cpu_ns"`
	Database  counters      `json:"database"`
}

// measure starts the server, puts the load on it, stops it, and counts the rows. An error means that there
// is no measurement; wrong rows are noted in the run.
func (w *workspace) measure(ctx context.Context, t *target, cfg load.Config) (*run, error) {
	one := &run{Target: t.key, Rate: cfg.Rate}
	var before counters
	var err error
	if t.database != nil {
		if err := t.database.settle(ctx); err != nil {
			return nil, err
		}
		if before, err = t.database.counters(ctx); err != nil {
			return nil, err
		}
	}
	server, err := startServer(ctx, w.dir, t.argv, t.env)
	if err != nil {
		return nil, err
	}
	one.Ready, cfg.Addr = server.ready, server.addr
	err = one.putLoad(ctx, server, t.database, cfg)
	if err = errors.Join(err, server.stop()); err != nil || t.database == nil {
		return one, err
	}
	after, err := t.database.counters(ctx)
	if err != nil {
		return nil, err
	}
	one.Cost.Database = after.since(before)
	return one, one.verify(ctx, t.database, cfg.Prefix)
}

// putLoad puts a load on a server. What the server has put into its spool is in its database, which may be
// nil, when putLoad returns.
func (r *run) putLoad(ctx context.Context, server *serverProcess, db database, cfg load.Config) error {
	self, pid := os.Getpid(), server.cmd.Process.Pid
	generator, err := proof.CPU(self)
	if err != nil {
		return err
	}
	if r.Result, err = load.Run(ctx, cfg); err != nil {
		if ctx.Err() == nil {
			err = server.explain(err)
		}
		return err
	}
	if r.Memory, err = processMemory(pid); err != nil {
		return err
	}
	if r.Cost.Server, err = proof.CPU(pid); err != nil {
		return err
	}
	after, err := proof.CPU(self)
	r.Cost.Generator = after - generator
	if err != nil || db == nil || r.Result.Ledger.Spooled == 0 {
		return err
	}
	return awaitSpool(ctx, db, cfg.Prefix, &r.Result.Ledger)
}

func (r *run) verify(ctx context.Context, db database, prefix string) error {
	var err error
	if r.Rows, err = db.rows(ctx, prefix); err != nil {
		return err
	}
	if err := r.Result.Ledger.Verify(r.Rows); err != nil {
		r.Verified = err.Error()
	}
	return nil
}

// awaitSpool gives the receipts that were acknowledged from the spool the time to reach the database. It is
// verified later whether they did.
func awaitSpool(ctx context.Context, db database, prefix string, ledger *load.Ledger) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for {
		rows, err := db.rows(ctx, prefix)
		if err == nil && ledger.Verify(rows) == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// verify reports which runs broke the promise of a 2xx.
func verify(runs []run) error {
	var errs []error
	for _, one := range runs {
		if one.Verified != "" {
			errs = append(errs, fmt.Errorf("%s, load %q, round %d: %s", one.Target, one.Workload, one.Round, one.Verified))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the rows do not match the 2xx answers:\n%w", err)
	}
	return nil
}

// progress is the line that is printed as soon as a run is done.
func (r *run) progress(rounds int) string {
	line := fmt.Sprintf("round %d/%d  %-6s  %-28s %9s receipts/s  p50 %s  p99 %s", r.Round, rounds, r.Workload, label(r.Target),
		humanize.Comma(int64(r.Result.PerSecond)), r.Result.Latency.P50, r.Result.Latency.P99)
	if f := failures([]run{*r}); f != "0" {
		line += "  not acknowledged: " + f
	}
	if r.Verified != "" {
		line += "  " + r.Verified
	}
	return line
}
