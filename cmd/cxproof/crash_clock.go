package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// clockSteps are the times by which the clock of the process is ahead of the machine's, one after the other.
// That of PostgreSQL stays as it is. Four minutes are less than the longest wait that a store believes in (see
// store.MaxWait), so only a clock that goes on evenly helps against them.
var clockSteps = []time.Duration{time.Hour, 0, -time.Hour, 4 * time.Minute, 0}

// ownClock gives the service a clock that can be set.
func ownClock(st *stage, s proof.Settings) (err error) {
	if st.program, err = st.crash.withClock(); err != nil {
		return err
	}
	if st.clock, err = proof.NewClock(st.dir); err != nil {
		return err
	}
	st.cleanup.add(st.clock.Close)
	for name, text := range st.clock.Settings() {
		s[name] = text
	}
	return nil
}

// setClock sets the clock forwards and back, each time while the CRM wants to be left alone for two
// seconds. The service has recovered when the CRM has what it lacked before, and a post is acknowledged.
// setClock returns the longest time that this took.
func setClock(ctx context.Context, st *stage) (longest time.Duration, err error) {
	for _, ahead := range clockSteps {
		behind, err := st.awaitPause(ctx)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if err := st.setClock(ahead); err != nil {
			return 0, err
		}
		if err := st.awaitAll(ctx, behind); err != nil {
			return 0, err
		}
		longest = max(longest, time.Since(began))
	}
	return longest, nil
}

// setClockAndKill starts the process with a clock that is ahead, then with one that is two hours behind the
// times in the database, and then with one that is right.
func setClockAndKill(ctx context.Context, st *stage) (longest time.Duration, err error) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour, 0} {
		behind, err := st.awaitPause(ctx)
		if err != nil {
			return 0, err
		}
		if err := st.service.Kill(); err != nil {
			return 0, err
		}
		began := time.Now()
		err = errors.Join(st.clock.Set(ahead), st.service.Start(ctx))
		if err != nil {
			return 0, err
		}
		if err := errors.Join(st.clock.Check(st.service), st.awaitAll(ctx, behind)); err != nil {
			return 0, err
		}
		longest = max(longest, time.Since(began))
	}
	return longest, nil
}

// setClockWhileAway sets the clock while events go to the spool. The service has recovered when that is
// drained, counted from when PostgreSQL answers again.
func setClockWhileAway(ctx context.Context, st *stage) (time.Duration, error) {
	if err := st.store.Cluster.Stop(); err != nil {
		return 0, err
	}
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		if err := st.setClock(ahead); err != nil {
			return 0, err
		}
		if err := st.traffic.AwaitMore(ctx, 50+st.rng.IntN(100)); err != nil {
			return 0, err
		}
	}
	took, err := st.resumePostgres(ctx)
	if err != nil {
		return 0, err
	}
	return took, st.setClock(0)
}

func (st *stage) setClock(ahead time.Duration) error {
	if err := st.clock.Set(ahead); err != nil {
		return err
	}
	return st.clock.Check(st.service)
}

// awaitPause lets the CRM ask to be left alone, and returns the threads that are behind once it is. All of
// them wait then, and the one that got that answer is put off besides.
func (st *stage) awaitPause(ctx context.Context) (proof.Behind, error) {
	if err := st.traffic.AwaitMore(ctx, 20+st.rng.IntN(50)); err != nil {
		return nil, err
	}
	err := st.store.AwaitPause(ctx, func() {
		st.crm.Fail(sim.CRMFault{Status: http.StatusTooManyRequests, RetryAfter: "2"})
	})
	if err != nil {
		return nil, err
	}
	return st.store.Behind(ctx)
}

// awaitAll waits until the CRM has what it lacked, and another event is acknowledged.
func (st *stage) awaitAll(ctx context.Context, behind proof.Behind) error {
	if err := st.service.AwaitPushed(ctx, behind); err != nil {
		return err
	}
	return st.traffic.AwaitMore(ctx, 1)
}
