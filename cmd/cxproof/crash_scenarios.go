package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// scenario is a kind of harm.
type scenario struct {
	name    string
	stores  []string
	prepare func(*stage, proof.Settings) error // before the service is made; it may change the settings
	times   func(*crashSettings) int

	// strike does the harm once and returns how long it took to recover. When it returns, the service
	// accepts events.
	strike func(context.Context, *stage) (time.Duration, error)
}

var postgresAlone = []string{onPostgres}

var scenarios = []*scenario{
	{name: "process killed", stores: allStores, times: func(s *crashSettings) int { return s.kills }, strike: killProcess},
	{name: "PostgreSQL killed", stores: postgresAlone, times: aFifth, strike: killPostgres},
	{name: "PostgreSQL stopped", stores: postgresAlone, times: once, strike: stopPostgres},
	{name: "process killed, PostgreSQL away", stores: postgresAlone, times: aFifth, strike: killWhileAway},
	{name: "process killed while the spool drains", stores: postgresAlone, times: aFifth, strike: killDraining},
	{name: "disk of the spool full", stores: postgresAlone, times: aFifth, prepare: smallDisk, strike: fillSpool},
	{name: "clock set", stores: allStores, times: aFifth, prepare: ownClock, strike: setClock},
	{name: "clock set, process killed", stores: allStores, times: aFifth, prepare: ownClock, strike: setClockAndKill},
	{name: "clock set, PostgreSQL away", stores: postgresAlone, times: aFifth, prepare: ownClock, strike: setClockWhileAway},
}

func aFifth(s *crashSettings) int { return max(1, s.kills/5) }

func once(*crashSettings) int { return 1 }

// killProcess kills the process. It has recovered when a post is acknowledged.
func killProcess(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.service.Kill(); err != nil {
		return 0, err
	}
	return st.restart(ctx)
}

// restart starts the process that was killed, and returns when it has acknowledged something.
func (st *stage) restart(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := st.service.Start(ctx); err != nil {
		return 0, err
	}
	err := proof.Await(ctx, "a post is acknowledged", func() bool { return st.traffic.Promises.Last().After(began) })
	return time.Since(began), err
}

// killPostgres kills PostgreSQL. The service has recovered when the spool is drained, counted from when
// PostgreSQL answers again.
func killPostgres(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.store.Cluster.Crash(); err != nil {
		return 0, err
	}
	if err := st.traffic.AwaitMore(ctx, 50+st.rng.IntN(100)); err != nil {
		return 0, err
	}
	return st.resumePostgres(ctx)
}

func (st *stage) resumePostgres(ctx context.Context) (time.Duration, error) {
	if err := st.store.Cluster.Resume(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	err := st.service.AwaitDrained(ctx)
	return time.Since(began), err
}

// stopPostgres takes PostgreSQL away for a while.
func stopPostgres(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.store.Cluster.Stop(); err != nil {
		return 0, err
	}
	select {
	case <-time.After(st.crash.away):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if err := st.traffic.AwaitMore(ctx, 50); err != nil { // also on a machine that was busy with other things
		return 0, err
	}
	return st.resumePostgres(ctx)
}

// killWhileAway kills the process twice while PostgreSQL is away: it starts without it.
func killWhileAway(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.store.Cluster.Stop(); err != nil {
		return 0, err
	}
	for range 2 {
		if err := st.traffic.AwaitMore(ctx, 50+st.rng.IntN(100)); err != nil {
			return 0, err
		}
		if err := st.service.Kill(); err != nil {
			return 0, err
		}
		if _, err := st.restart(ctx); err != nil {
			return 0, err
		}
	}
	return st.resumePostgres(ctx)
}

// killDraining kills the process when its spool begins to drain, or soon after.
func killDraining(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.store.Cluster.Stop(); err != nil {
		return 0, err
	}
	want := st.traffic.Promises.Events() + 1500
	st.traffic.Burst(ctx, func() bool { return st.traffic.Promises.Events() >= want })
	most, err := st.service.Metric(ctx, "cxbridge_spool_events")
	if err != nil {
		return 0, err
	}
	if err := st.store.Cluster.Resume(ctx); err != nil {
		return 0, err
	}
	err = proof.Await(ctx, "the spool drains", func() bool {
		held, err := st.service.Metric(ctx, "cxbridge_spool_events")
		most = max(most, held)
		return err == nil && held < most
	})
	if err != nil {
		return 0, err
	}
	if err := st.service.Kill(); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := st.service.Start(ctx); err != nil {
		return 0, err
	}
	if err := st.service.AwaitDrained(ctx); err != nil {
		return 0, err
	}
	took := time.Since(began)
	left, err := st.service.Metric(ctx, "cxbridge_spool_drained_events_total")
	st.note("the kill found %.0f events in the spool", left)
	return took, err
}

// smallDisk puts the spool on a disk that gets full. Where nothing may be mounted, the spool's own limit
// stands in for the disk, which proves less: no write fails then.
func smallDisk(st *stage, s proof.Settings) error {
	dir := filepath.Join(st.dir, "disk")
	switch err := mountDisk(dir, st.crash.tmpfs); {
	case err == nil:
		st.cleanup.add(func() error { return unmountDisk(dir) })
		s["SPOOL_DIR"] = filepath.Join(dir, "spool")
	case errors.Is(err, errNotAllowed):
		st.note("no disk may be mounted here, so SPOOL_MAX_BYTES stands in for a full one: %v", err)
		s["SPOOL_MAX_BYTES"] = fmt.Sprintf("%dMiB", st.crash.tmpfs)
	default:
		return err
	}
	return nil
}

// fillSpool takes PostgreSQL away until events are refused, and a while longer. The service has recovered
// when the spool is drained.
func fillSpool(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.store.Cluster.Stop(); err != nil {
		return 0, err
	}
	p := st.traffic.Promises
	full := p.Busy() + 20
	st.traffic.Burst(ctx, func() bool { return p.Busy() >= full })
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return st.resumePostgres(ctx)
}
