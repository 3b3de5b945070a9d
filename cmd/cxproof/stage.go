package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// stageSettings say how a stage is set.
type stageSettings struct {
	program, dir string // the cxbridge binary, and the folder for that of the stage
	store        string
	sync         bool // PostgreSQL writes through to the disk
	seed         uint64
	load         proof.Load

	// prepare may change the stage and the settings before the service is made. Nil is allowed.
	prepare func(*stage, proof.Settings) error
}

// stage is what the proofs of a single cxbridge take place on: the cxbridge, its store, its CRM with another
// writer, and traffic.
type stage struct {
	store   *proof.Store
	crm     *proof.CRM
	service *proof.Service
	traffic *proof.Traffic
	rng     *rand.Rand
	program string
	dir     string
	cleanup cleanup

	// For `cxproof crash` alone.
	crash *crashSettings
	clock *proof.Clock // nil where none is set
	notes []string     // what is printed beside the table
}

// otherWriter is how often the other writer of a CRM does something.
const otherWriter = 100 * time.Millisecond

// note adds to what is printed beside the table.
func (st *stage) note(format string, args ...any) {
	st.notes = append(st.notes, fmt.Sprintf(format, args...))
}

// newStage sets a stage, and starts its cxbridge.
func newStage(ctx context.Context, s *stageSettings) (st *stage, err error) {
	st = &stage{program: s.program, rng: rand.New(rand.NewPCG(s.seed, 1))}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.cleanup.run())
		}
	}()
	if st.dir, err = proof.NewFolder(s.dir, "stage-"); err != nil {
		return st, err
	}
	if st.store, err = openStore(ctx, s.store, st.dir, s.sync); err != nil {
		return st, err
	}
	st.cleanup.add(st.store.Close)
	if st.crm, err = proof.StartCRM(s.seed, proof.Trouble); err != nil {
		return st, err
	}
	st.cleanup.add(st.crm.Close)
	st.crm.Meddle(rand.New(rand.NewPCG(s.seed, 2)), otherWriter)
	settings := st.crm.Settings.With(nil)
	if s.prepare != nil {
		if err := s.prepare(st, settings); err != nil {
			return st, err
		}
	}
	if st.service, err = proof.NewService(st.program, st.dir, st.store, settings); err != nil {
		return st, err
	}
	st.cleanup.add(st.service.Close)
	st.traffic = proof.NewTraffic(s.seed, st.service.URL(), s.load)
	st.cleanup.add(func() error { st.traffic.Close(); return nil })
	return st, st.service.Start(ctx)
}

// openStore returns a store without data; a PostgreSQL is started for it.
func openStore(ctx context.Context, name, dir string, sync bool) (*proof.Store, error) {
	switch {
	case name == onSQLite:
		return proof.SQLite(dir), nil
	case sync:
		return proof.Postgres(ctx, dir)
	}
	return proof.Postgres(ctx, dir, "fsync=off") // it keeps what it has committed as long as the machine runs
}

// finish ends the traffic: it posts what is left until all of it is acknowledged, and waits until the
// database has it. The other writer of the CRM rests from then on: what it does to a thread after that was
// compared is not known.
func (st *stage) finish(ctx context.Context) error {
	if err := st.traffic.Finish(ctx); err != nil {
		return err
	}
	if err := st.awaitDrained(ctx); err != nil {
		return err
	}
	st.crm.Rest()
	return nil
}

// awaitDrained waits until the spool is empty, if there is one.
func (st *stage) awaitDrained(ctx context.Context) error {
	if st.store.Cluster == nil {
		return nil
	}
	return st.service.AwaitDrained(ctx)
}

// cleanup is what ends things when they are no longer needed.
type cleanup []func() error

func (c *cleanup) add(end func() error) { *c = append(*c, end) }

// run ends everything, the last one first.
func (c cleanup) run() (err error) {
	for _, end := range slices.Backward(c) {
		err = errors.Join(err, end())
	}
	return err
}
