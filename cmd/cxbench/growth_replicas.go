package main

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/load"
)

// replicas puts the load on several servers on one database, which share the connections. The receipts per
// second are those of all servers, the latencies are those of the slowest.
func (c *growthCourse) replicas(ctx context.Context, n int) (*run, error) {
	d := c.w.postgres(c.w.cluster.URL)
	if err := d.settle(ctx); err != nil {
		return nil, err
	}
	before, err := d.counters(ctx)
	if err != nil {
		return nil, err
	}
	parts, prefixes := make([]run, n), make([]string, n)
	if err := c.loadReplicas(ctx, d, parts, prefixes); err != nil {
		return nil, err
	}
	after, err := d.counters(ctx)
	if err != nil {
		return nil, err
	}
	sum := &run{Target: "c"}
	for i := range parts {
		if err := parts[i].verify(ctx, d, prefixes[i]); err != nil {
			return nil, err
		}
		sum.add(&parts[i])
	}
	sum.Cost.Database = after.since(before)
	return sum, nil
}

// loadReplicas starts a server for each part, loads all of them at once, and stops them.
func (c *growthCourse) loadReplicas(ctx context.Context, d database, parts []run, prefixes []string) (err error) {
	servers := make([]*serverProcess, len(parts))
	for i := range servers {
		t := c.w.onPostgres(c.w.cluster.URL)
		if servers[i], err = startServer(ctx, c.w.dir, t.argv, t.env); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers[i].stop()) }()
	}
	g, gctx := errgroup.WithContext(ctx)
	for i, server := range servers {
		cfg := c.load(max(1, growthConnections/len(servers)), 1)
		cfg.Addr, prefixes[i] = server.addr, cfg.Prefix
		g.Go(func() error { return parts[i].putLoad(gctx, server, d, cfg) })
	}
	return g.Wait()
}

// add joins the run of another server at the same time. The CPU time of the generator is that of the
// process, so it is in every part.
func (r *run) add(part *run) {
	r.Result.PerSecond += part.Result.PerSecond
	r.Result.Ledger.Receipts += part.Result.Ledger.Receipts
	r.Result.Ledger.Messages += part.Result.Ledger.Messages
	r.Result.Latency = slowest(r.Result.Latency, part.Result.Latency)
	r.Ready = max(r.Ready, part.Ready)
	r.Memory = memory{Resident: max(r.Memory.Resident, part.Memory.Resident), Peak: max(r.Memory.Peak, part.Memory.Peak)}
	r.Cost.Server += part.Cost.Server
	r.Cost.Generator = max(r.Cost.Generator, part.Cost.Generator)
	if r.Verified == "" {
		r.Verified = part.Verified
	}
}

func slowest(a, b load.Latency) load.Latency {
	return load.Latency{
		Requests: a.Requests + b.Requests, P50: max(a.P50, b.P50), P90: max(a.P90, b.P90), P99: max(a.P99, b.P99),
		P999: max(a.P999, b.P999), Max: max(a.Max, b.Max),
	}
}
