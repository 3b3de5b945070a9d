package ingest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/store"
)

// database remembers whether the database takes commits, so that with a spool no event waits for a
// database that is away.
type database struct {
	connected atomic.Bool
	mu        sync.Mutex    // held while connected and its metric change, so that they agree
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

	// lookEvery is how often the database is asked whether it takes commits.
	lookEvery = 10 * time.Second

	// drainTimeout is how long the database may take for a batch of the spool: nobody waits for it.
	drainTimeout = 30 * time.Second
)

// DatabaseUp reports whether the last commit, or the last look at the database, succeeded.
func (in *Ingest) DatabaseUp() bool { return in.database.up() }

// noteDatabase notes whether the database takes commits, and reports whether that is news.
func (in *Ingest) noteDatabase(up bool) (isNews bool) {
	in.database.mu.Lock()
	defer in.database.mu.Unlock()
	in.metrics.databaseUp.Set(float64(count(up)))
	return in.database.connected.Swap(up) != up
}

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
	in.noteDatabase(true)
	return nil
}

// lostDatabase notes that the database does not take commits. With a spool, new events go there from
// now on, and keepConnected wakes up.
func (in *Ingest) lostDatabase(cause error) {
	message := "the database is away; events go to the spool"
	if in.spool == nil {
		message = "the database does not commit; events are answered 503"
	}
	if in.noteDatabase(false) {
		in.log.Error(message, "error", cause)
	}
	in.database.wake()
}

// keptByDatabase notes that the database takes commits. With a spool it does nothing: keepConnected
// alone brings a lost database back.
func (in *Ingest) keptByDatabase() {
	if in.spool == nil && in.noteDatabase(true) {
		in.log.Info("the database is back")
	}
}

func (d *database) wake() {
	select {
	case d.wakeUp <- struct{}{}:
	default:
	}
}

// look asks the database whether it takes commits, which nothing else shows while no event comes.
func (in *Ingest) look(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	switch err := in.store.Ping(looking); {
	case err == nil:
		in.keptByDatabase()
	case ctx.Err() == nil: // not cut off by Stop
		if !in.database.up() { // the cause may be another by now
			in.log.Warn("the database still does not commit", "error", err)
		}
		in.lostDatabase(err)
	}
}

// keepLooking looks at a database without a spool. After a commit has failed, no other may come for
// long to show that the database is back.
func (in *Ingest) keepLooking(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			in.look(ctx)
		}
	}
}

// keepConnected connects to the database, closes tried, and from then on brings the database back
// whenever it is lost, and the events of the spool to it.
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
			if in.database.up() {
				in.look(ctx)
			}
		case <-in.database.wakeUp:
			in.keepRecovering(ctx)
		}
	}
}

// keepRecovering tries to recover until it succeeds or ctx ends.
func (in *Ingest) keepRecovering(ctx context.Context) {
	for attempt := 1; ; attempt++ {
		err := in.reconnect(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		wait := backoff.Jitter(attempt, reconnectFirst, reconnectMost)
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

// reconnect connects if need be and drains the spool.
func (in *Ingest) reconnect(ctx context.Context) error {
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
		in.log.Warn("the file of the spool could not be shrunk", "error", err)
	}
	return nil
}

// drainBatch commits the oldest events of the spool, then removes them from it: a crash in between
// commits them twice, which changes nothing.
//
// A spool that fails says nothing about the database, and neither does a batch that takes too long:
// other transactions may have been in its way. New events keep going to the database then.
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
		return e.refused(errors.New("this version does not know events of the kind " + string(e.Kind)))
	}
	return reading
}

// refused returns the reading of an event that cannot be read.
func (e SpoolEvent) refused(err error) Reading {
	return Reading{Refused: err, Entry: e.deadLetter("", err.Error())}
}
