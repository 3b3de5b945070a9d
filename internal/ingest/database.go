package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// database remembers whether the database is there, so that a writer does not wait for one that
// is away.
type database struct {
	connected atomic.Bool
	wakeUp    chan struct{} // one token for keepConnected: the connection was lost, or something was spooled
}

func (d *database) up() bool { return d.connected.Load() }

const (
	reconnectFirst = 250 * time.Millisecond
	reconnectMost  = 30 * time.Second
	connectTimeout = 30 * time.Second

	// migrateTimeout is for migrations that go through a large table: half an hour is some hundred
	// million rows.
	migrateTimeout = 30 * time.Minute

	// lookEvery is how often the database is asked whether it is there.
	lookEvery = 10 * time.Second

	// drainTimeout is how long the database may take for a batch of the spool: nobody waits for it.
	drainTimeout = 30 * time.Second
)

// DatabaseUp reports whether the last commit, or the last attempt to connect, succeeded.
func (in *Ingest) DatabaseUp() bool { return in.database.up() }

// connect brings the schema up to date, which also shows that the database answers.
func (in *Ingest) connect(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, connectTimeout)
	err := in.store.Ping(looking)
	cancel()
	if errors.Is(err, store.ErrSchema) {
		in.log.Info("the schema of the database is older than this program: migrating")
		migrating, cancel := context.WithTimeout(ctx, migrateTimeout)
		err = in.store.Migrate(migrating)
		cancel()
	}
	if err != nil {
		return err
	}
	in.database.connected.Store(true)
	in.metrics.databaseUp.Set(1)
	return nil
}

// lostDatabase sends what comes from now on to the spool and wakes keepConnected.
func (in *Ingest) lostDatabase(cause error) {
	in.metrics.databaseUp.Set(0)
	if in.spool == nil {
		in.log.Error("the database did not commit", "error", cause)
		return
	}
	if in.database.connected.Swap(false) {
		in.log.Error("the database is away; events go to the spool", "error", cause)
	}
	in.database.wake()
}

// keptByDatabase notes that the database took a commit. With a spool keepConnected finds out, as no
// commit is tried before.
func (in *Ingest) keptByDatabase() {
	if in.spool == nil {
		in.metrics.databaseUp.Set(1)
	}
}

func (d *database) wake() {
	select {
	case d.wakeUp <- struct{}{}:
	default:
	}
}

// look asks whether the database is still there, which commits do not tell while no event comes.
func (in *Ingest) look(ctx context.Context) {
	if !in.database.up() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := in.store.Ping(ctx); err != nil && !errors.Is(err, context.Canceled) {
		in.lostDatabase(err)
	}
}

// keepConnected connects to the database, closes tried, and from then on brings the database back
// after it was lost, and the events of the spool to it.
func (in *Ingest) keepConnected(ctx context.Context, tried chan<- struct{}) {
	if err := in.connect(ctx); err != nil {
		in.lostDatabase(err)
	}
	close(tried)
	in.database.wake() // the spool may hold events of an earlier run
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			in.look(ctx)
			continue
		case <-in.database.wakeUp:
		}
		for attempt := 1; ; attempt++ {
			err := in.recover(ctx)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			wait := fullJitter(attempt, reconnectFirst, reconnectMost)
			message := "the database is still away"
			switch {
			case in.database.up():
				message = "the spool cannot be drained yet"
			case errors.Is(err, store.ErrLocked):
				message = "the database is not migrated yet"
			}
			in.log.Warn(message, "attempt", attempt, "next_in", wait.String(),
				"spooled_events", in.spool.Events(), "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}
}

// recover connects if need be and drains the spool.
func (in *Ingest) recover(ctx context.Context) error {
	if !in.database.up() {
		if err := in.connect(ctx); err != nil {
			return err
		}
		in.log.Info("the database is back", "spooled_events", in.spool.Events())
	}
	drained := 0
	for {
		n, err := in.drainBatch(ctx)
		drained += n
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if drained == 0 {
		return nil
	}
	in.log.Info("the spool is drained", "events", drained)
	if err := in.spool.Shrink(); err != nil {
		in.log.Warn("the file of the spool keeps its size", "error", err)
	}
	return nil
}

// drainBatch commits the oldest events of the spool, then removes them from it: a crash in between
// commits them twice, which changes nothing.
//
// A spool that fails says nothing about the database, and neither does a batch that takes too long,
// with which others may have been in the way: new events go on to the database then.
func (in *Ingest) drainBatch(ctx context.Context) (int, error) {
	events, err := in.spool.Oldest(batchReadings, batchBytes)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	readings := make([]Reading, len(events))
	for i, e := range events {
		readings[i] = in.read(e)
	}
	r := newRequest(readings)
	batch := make([]pending, len(events))
	for i := range batch {
		batch[i] = pending{r, i}
	}
	if _, isLate, err := in.commitParts(ctx, drainTimeout, batch); err != nil {
		if !isLate {
			in.lostDatabase(err)
		}
		return 0, err
	}
	in.metrics.drained.Add(float64(len(events)))
	return len(events), in.spool.Remove(events)
}

// read reads an event of the spool again. One of a kind that is not known was written by a newer
// version, and is kept for it.
func (in *Ingest) read(e SpoolEvent) Reading {
	reading, known := in.reader.read(e)
	if !known {
		err := errors.New("this version does not know events of the kind " + string(e.Kind))
		reading = Reading{Refused: err, Entry: e.deadLetter("", err.Error())}
	}
	return reading
}

// fullJitter returns how long to wait before an attempt, counted from 1: a random time up to a
// bound that doubles with each. Replicas that lost one database so do not come back in step.
func fullJitter(attempt int, first, most time.Duration) time.Duration {
	bound := most
	if shift := attempt - 1; shift < 30 && first<<shift < most {
		bound = first << shift
	}
	return rand.N(bound) + time.Millisecond
}
