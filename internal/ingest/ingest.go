// Package ingest makes events durable: it gathers the requests that are in flight, commits them
// together, and answers each after its own commit. While the database is away it writes them to
// the spool, a file on the local disk, and brings them to the database when that is back.
//
//	reader.go    what a raw event means
//	ingest.go    Submit, Start and Stop
//	queue.go     what waits for a commit, its bounds, and when a commit begins
//	commit.go    group commit, and what happens to an event that the database refuses
//	database.go  whether the database is there, and the way back from the spool
//	spool.go     the spool
//	reserve.go   room on the disk for emptying the spool
//	replay.go    dead letters that an operator replays
//	latency.go   how long receipts take, for analytics
//	figures.go   sums of what was answered since the start
//	metrics.go   metrics
package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Store is what an Ingest needs of a store.Store.
type Store interface {
	Commit(ctx context.Context, b store.Batch) ([]store.Outcome, error)
	Ping(ctx context.Context) error
	Migrate(ctx context.Context) error
}

// Config is what an Ingest works with.
type Config struct {
	Store  Store
	Reader *Reader

	// Spool takes events while the database is away. Without one such events are not accepted.
	Spool *Spool

	// Writers is how many group commits may run at a time; 0 is one. A second one works on its
	// transaction while the first waits for the disk; a store with a single writer gains nothing.
	Writers int

	// SLA is how long a receipt may take from its arrival until it is durable.
	SLA time.Duration

	// Wake is called after a commit that gave some thread a new revision. It must return at once.
	// Nil: nothing is called.
	Wake func()

	Metrics *Metrics
	Log     *slog.Logger
}

// commitTimeout is how long the database may take for a transaction before it counts as away. One
// that writes many items of threads gets more: see itemTimeout.
const commitTimeout = 3 * time.Second

// Ingest accepts events. Its methods are safe for concurrent use.
type Ingest struct {
	store    Store
	judge    *sms.Judge
	reader   *Reader
	spool    *Spool
	wake     func()
	metrics  *Metrics
	log      *slog.Logger
	database database

	queue          queue
	background     sync.WaitGroup // what watches the database, and what commits the observed latencies
	stopBackground context.CancelFunc
	latency        latency
	figures        figures
}

// request is one Submit on its way through the queue. The commit fills answers or err, then closes
// done.
type request struct {
	readings []Reading
	bytes    int       // of the raw texts
	queued   time.Time // when it began to wait for a commit
	answers  []Answer
	err      error
	done     chan struct{}
}

func newRequest(readings []Reading) *request {
	r := &request{readings: readings, answers: make([]Answer, len(readings)), done: make(chan struct{})}
	for i := range readings {
		r.bytes += len(readings[i].source().Raw)
	}
	return r
}

// New returns an Ingest. Start starts it.
func New(c Config) *Ingest {
	if c.Wake == nil {
		c.Wake = func() {}
	}
	return &Ingest{
		store: c.Store, judge: c.Reader.Judge, reader: c.Reader, spool: c.Spool, wake: c.Wake,
		metrics: c.Metrics, log: c.Log,
		queue:    queue{writers: max(c.Writers, 1)},
		latency:  latency{sla: c.SLA, metrics: c.Metrics},
		database: database{wakeUp: make(chan struct{}, 1)},
	}
}

// Start connects to the database, migrates it, and begins to accept events. With a spool a database
// that is away, or that takes long to migrate, is no error: Start returns, events go to the spool, and
// connecting goes on. Without one it waits for the migration, and a database that is away is an error.
func (in *Ingest) Start(ctx context.Context) error {
	if in.spool == nil {
		if err := in.connect(ctx); err != nil {
			return err
		}
	}
	background, stop := context.WithCancel(context.Background())
	in.stopBackground = stop
	if in.spool == nil {
		in.background.Go(func() { in.keepLooking(background) })
	} else {
		tried := make(chan struct{})
		in.background.Go(func() { in.keepConnected(background, tried) })
		in.awaitDatabase(ctx, tried)
	}
	in.background.Go(func() { in.keepObserved(background) })
	return nil
}

// startPatience is how long Start waits for the database before events are accepted without it.
const startPatience = 5 * time.Second

func (in *Ingest) awaitDatabase(ctx context.Context, tried <-chan struct{}) {
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-tried:
	case <-ctx.Done():
	case <-patience.C:
		in.log.Warn("the database is not ready yet; events go to the spool until it is", "waited", startPatience.String())
	}
}

// Stop accepts nothing more, commits what it has accepted, and returns when that is done.
func (in *Ingest) Stop() {
	in.queue.close()
	if in.stopBackground != nil {
		in.stopBackground()
	}
	in.background.Wait()
	in.CommitObserved(context.Background())
}

// Submit returns once every reading is durable, in the database or in the spool, with an answer
// for each. When ctx has ended before the call, it returns the error of ctx and keeps nothing. Otherwise
// the error is a *BusyError, and not every reading is durable. A context that ends later changes nothing:
// the readings take up memory until they are committed, and whoever counts that memory learns by the
// return when it is free.
func (in *Ingest) Submit(ctx context.Context, readings []Reading) ([]Answer, error) {
	if err := ctx.Err(); err != nil || len(readings) == 0 {
		return nil, err
	}
	start := time.Now()
	r := newRequest(readings)
	due, err := in.queue.add(r)
	if err != nil {
		in.metrics.busy.Inc()
		r.err = err
		in.figures.add(r, time.Since(start))
		return nil, err
	}
	if due {
		go in.commitAll()
	}
	<-r.done
	in.figures.add(r, time.Since(start))
	return r.answers, r.err
}

// ReadSMS reads one receipt; see Reader.ReadSMS.
func (in *Ingest) ReadSMS(raw []byte, received time.Time) Reading {
	return in.reader.ReadSMS(raw, received)
}

// ReadThread reads one event of a thread; see Reader.ReadThread.
func (in *Ingest) ReadThread(raw []byte, received time.Time) Reading {
	return in.reader.ReadThread(raw, received)
}

// Reader returns the Reader of the Config.
func (in *Ingest) Reader() *Reader { return in.reader }
