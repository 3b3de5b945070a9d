package ingest

import (
	"sync"
	"time"
)

const (
	// batchReadings is how many events a group commit takes at most, unless a single request
	// brings more. Beyond some hundreds, the cost of a commit per event no longer falls while the
	// wait for it grows.
	batchReadings = 512

	// batchBytes is how much text it takes at most, with the same exception: so that even large
	// events are written within commitTimeout.
	batchBytes = 4 << 20

	// queueRequests bounds the requests that wait for a commit.
	queueRequests = 4096

	// queueTime bounds how long a request waits for its commit to begin. It is more than commitTimeout,
	// so that a database that goes away costs nobody a 503, and no more than senders commonly wait for
	// an answer: what comes later than that is sent again, and was work for nothing. A bound on the
	// number alone holds requests the longer, the less the database gets done.
	queueTime = 5 * time.Second

	// busyRetry is when a sender should come back after a BusyError: about when a full queue has
	// emptied, and not so soon that it makes the trouble worse.
	busyRetry = 2 * time.Second
)

// queue holds the requests that wait for a commit, and decides when one begins.
//
// Nobody waits for a batch to fill: as long as no commit runs, one begins with what is there.
// While it runs, what arrives gathers for the next, so batches grow with the load by themselves.
// Another commit begins beside the first once as much waits as the first one holds: a commit has a
// price of its own, so two small ones at a time would cost more than they gain.
type queue struct {
	mu       sync.Mutex
	closed   bool
	waiting  []*request
	readings int // in waiting
	running  int // commits
	latest   int // readings in the commit that began last
	writers  int // commits that may run at a time
}

// add queues a request. When it is time for a commit it returns the batch to commit.
func (q *queue) add(r *request) ([]*request, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, &BusyError{RetryAfter: busyRetry, Reason: "cxbridge is stopping"}
	case len(q.waiting) >= queueRequests:
		return nil, &BusyError{RetryAfter: busyRetry, Reason: "too many requests are waiting"}
	case len(q.waiting) > 0 && time.Since(q.waiting[0].queued) > queueTime:
		return nil, &BusyError{RetryAfter: busyRetry, Reason: "the requests that are waiting have waited too long"}
	}
	r.queued = time.Now()
	q.waiting = append(q.waiting, r)
	q.readings += len(r.readings)
	return q.begin(), nil
}

// done ends a commit and returns the batch of the next one, if it is time for it.
func (q *queue) done() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	return q.begin()
}

// begin takes a batch out of the queue if a commit is to begin now.
func (q *queue) begin() []*request {
	due := q.running == 0 || q.running < q.writers && q.readings >= min(q.latest, batchReadings)
	if q.readings == 0 || !due {
		return nil
	}
	n, readings, bytes := 0, 0, 0
	for n < len(q.waiting) && readings < batchReadings && bytes < batchBytes {
		readings += len(q.waiting[n].readings)
		bytes += q.waiting[n].bytes
		n++
	}
	batch := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil // the batch keeps the array
	}
	q.readings -= readings
	q.running, q.latest = q.running+1, readings
	return batch
}

// close makes add refuse everything from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
