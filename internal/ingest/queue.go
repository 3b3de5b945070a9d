package ingest

import (
	"slices"
	"sync"
	"time"
)

const (
	// batchReadings is how many events a group commit takes at most, unless a single request
	// brings more. Beyond some hundreds, the cost of a commit per event no longer falls while the
	// wait for it grows.
	batchReadings = 512

	// batchBytes is how much text it takes at most, with the same exception, so that even large
	// events are written within commitTimeout.
	batchBytes = 4 << 20

	// queueRequests bounds the requests that wait for a commit.
	queueRequests = 4096

	// queueTime is how long the first request in the queue may wait for its commit to begin before no more
	// are taken. It is more than commitTimeout, so that a database that goes away costs nobody a 503, and
	// no more than senders commonly wait for an answer: an event that is answered later is sent again, and
	// was work for nothing. A bound on the number alone would hold requests longer the slower the database is.
	queueTime = 5 * time.Second

	// busyRetry is when a sender should come back after a BusyError: about the time that a full queue
	// takes to empty, and not so soon that it makes the trouble worse.
	busyRetry = 2 * time.Second
)

// queue holds the requests that wait for a commit, and decides when one begins.
//
// Nobody waits for a batch to fill: as long as no commit runs, one begins with what is there.
// While it runs, what arrives gathers for the next, so batches grow with the load by themselves.
// Another commit begins beside the first once as much waits as the first one holds: a commit has a
// price of its own, so two small ones at a time would cost more than they gain.
//
// A commit takes its batch when it comes to run, not when it falls due, and includes whatever has
// arrived by then. Under load that is a few hundred microseconds, in which many requests come.
type queue struct {
	mu       sync.Mutex
	closed   bool
	waiting  []*request
	readings int            // in waiting
	running  int            // commits, with the one that is due
	commits  sync.WaitGroup // of those that are running; counted under mu, so that close misses none
	due      bool           // a commit has not taken its batch yet
	latest   int            // readings in the batch that was taken last
	writers  int            // commits that may run at a time
}

// add queues a request. It reports whether a commit falls due, which the caller must begin.
func (q *queue) add(r *request) (due bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return false, &BusyError{RetryAfter: busyRetry, Reason: "cxbridge is stopping"}
	case len(q.waiting) >= queueRequests:
		return false, &BusyError{RetryAfter: busyRetry, Reason: "too many requests are waiting"}
	case len(q.waiting) > 0 && time.Since(q.waiting[0].queued) > queueTime:
		return false, &BusyError{RetryAfter: busyRetry, Reason: "the requests that are waiting have waited too long"}
	}
	r.queued = time.Now()
	q.waiting = append(q.waiting, r)
	q.readings += len(r.readings)
	return q.fallDue(), nil
}

// done ends a commit. It reports whether the next one falls due, which the caller must begin.
func (q *queue) done() (due bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.commits.Done()
	q.running--
	return q.fallDue()
}

func (q *queue) fallDue() bool {
	if q.due || q.readings == 0 || q.running > 0 && (q.running == q.writers || q.readings < min(q.latest, batchReadings)) {
		return false
	}
	q.due = true
	q.running++
	q.commits.Add(1)
	return true
}

// take returns the batch of the commit that is due. It is never empty. It reports whether enough is left
// for another commit to fall due, which the caller must begin.
func (q *queue) take() (batch []*request, due bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, readings, bytes := 0, 0, 0
	for n < len(q.waiting) && readings < batchReadings && bytes < batchBytes {
		readings += len(q.waiting[n].readings)
		bytes += q.waiting[n].bytes
		n++
	}
	batch = slices.Clone(q.waiting[:n])
	clear(q.waiting[:n]) // the array lives on while the queue does not empty, and must not hold what is answered
	q.waiting = q.waiting[n:]
	q.readings -= readings
	q.due, q.latest = false, readings
	return batch, q.fallDue()
}

// close makes add refuse everything from now on, and returns when what was queued is committed.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.commits.Wait()
}
