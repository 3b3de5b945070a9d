// Package syncer brings threads to the CRM. It is level-triggered: the row of a thread says that the
// CRM lacks something, a worker claims the row, reads what is lacking, pushes that, and records what
// the CRM then has. The rows themselves are the only queue.
//
//	syncer.go     New, Run and Wake
//	turn.go       the turns of the dispatcher: claim what is due, and let pushes begin
//	record.go     the other half of a turn: record what has ended
//	flight.go     pushes in flight, and the leases under them
//	push.go       the push of one thread: the requests to the CRM and what follows from its answers
//	outcome.go    what is recorded of a push
//	screen.go     items that the schema refuses
//	breaker.go    when the CRM is left alone
//	condition.go  what is known of how the CRM does
//	wait.go       waiting until the CRM has a thread
//	report.go     what the log, the metrics and the audit log say about a push
//	trace.go      what OpenTelemetry shows of it
//	metrics.go    metrics and figures
package syncer

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Config is what a Syncer works with.
type Config struct {
	Queue   Queue
	Sink    crm.Sink
	Schema  Schema
	Workers int // threads that are pushed at a time; 0 is 16
	Metrics *Metrics
	Log     *slog.Logger
	Traces  trace.TracerProvider // nil traces nothing
}

// Queue is the part of store.Queue that a Syncer needs. See there.
type Queue interface {
	ReleaseLeases(ctx context.Context) error
	Claim(ctx context.Context, r store.ClaimRequest) (store.Claimed, error)
	Extend(ctx context.Context, claims []store.Claim, lease time.Duration) (lost []store.Claim, err error)
	Record(ctx context.Context, pushes []store.Push, now time.Time) (held []bool, err error)
	Pause(ctx context.Context, d time.Duration) error
	WakeParked(ctx context.Context, statuses []int, now time.Time) (int64, error)
	DoneRev(ctx context.Context, threadID string) (done, aside int64, err error)
}

// Schema says what a CRM accepts.
type Schema interface {
	// Check returns the items of a delta that the CRM would not accept, with the reasons. The error
	// says what else is wrong with the delta, as it would be pushed under a version. Neither holds
	// text of a message.
	Check(d *thread.Delta, version int64) (bad map[*thread.Item]string, err error)
}

const (
	defaultWorkers = 16

	// lease is how long a worker that has died keeps a thread from others.
	lease = 15 * time.Second

	// chunk is how many items go to the CRM at once, of chunkBytes together or of more if there is only
	// one. Web servers refuse a body that is too long with 413, nginx by default one of 1 MiB: half of
	// that leaves room for the ids of removed messages.
	chunk      = 500
	chunkBytes = 512 << 10

	// pace is the time between the cause of a turn and its start, so that what happens meanwhile
	// shares its statements.
	pace = 4 * time.Millisecond

	// poll is how long an idle dispatcher waits before it looks for work that other replicas took in.
	poll = time.Second

	// queueTimeout is how long the database may take for one call.
	queueTimeout = 5 * time.Second

	// stopGrace is how long pushes in flight may take to end when Run is to return.
	stopGrace = 5 * time.Second

	// The wait before a database that failed is asked again is between these.
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// Syncer pushes threads. Its methods are safe for concurrent use.
type Syncer struct {
	queue   Queue
	sink    crm.Sink
	schema  Schema
	workers int
	metrics *Metrics
	log     *slog.Logger
	tracer  trace.Tracer

	wake      chan struct{} // one token: there may be something to claim
	landed    chan *landing // pushes that have ended; room for all
	flights   flights
	breaker   breaker
	condition condition
	waiters   waiters
	figures   figures
	stopped   chan struct{} // closed when Run has returned
}

// New returns a Syncer; Run sets it to work.
func New(c Config) *Syncer {
	workers := c.Workers
	if workers <= 0 {
		workers = defaultWorkers
	}
	s := &Syncer{
		queue: c.Queue, sink: c.Sink, schema: c.Schema, workers: workers, metrics: c.Metrics, log: c.Log,
		tracer: newTracer(c.Traces),
		wake:   make(chan struct{}, 1), landed: make(chan *landing, workers), stopped: make(chan struct{}),
	}
	s.breaker = newBreaker(func(state string) {
		s.metrics.breakerIs(state)
		s.log.Warn("the circuit breaker of the CRM has changed", "state", state)
	})
	return s
}

// Wake signals that a thread may have become due. It never blocks.
func (s *Syncer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run pushes threads until ctx ends. Then it claims nothing more, lets the pushes in flight end for
// up to stopGrace before it aborts them, and records them. It waits for a database that is away. It
// is called once.
func (s *Syncer) Run(ctx context.Context) {
	defer close(s.stopped)
	if !s.begin(ctx) {
		return
	}
	beating, stopBeat := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.heartbeat(beating)
	}()
	d := &dispatcher{Syncer: s}
	d.dispatch(ctx)
	d.finish()
	stopBeat()
	<-ended
}

// wokenAtStart are the statuses of threads that a start wakes: credentials and the address of the
// CRM may have been corrected.
var wokenAtStart = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}

// begin prepares the queue, and reports whether it could before ctx ended.
func (s *Syncer) begin(ctx context.Context) bool {
	for attempt := 1; ; attempt++ {
		err := s.prepare(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.log.Warn("the syncer cannot begin yet", "attempt", attempt, "error", err)
		if !backoff.Sleep(ctx, backoff.Jitter(attempt, retryFirst, retryMost)) {
			return false
		}
	}
}

func (s *Syncer) prepare(ctx context.Context) error {
	releasing, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	if err := s.queue.ReleaseLeases(releasing); err != nil {
		return err
	}
	// There may be so many that this takes long; WakeParked bounds the time of each of its steps.
	woken, err := s.queue.WakeParked(ctx, wokenAtStart, now())
	if woken > 0 {
		s.log.Info("parked threads are tried again, as credentials may have changed", "threads", woken)
	}
	return err
}

// now is the time as the store keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
