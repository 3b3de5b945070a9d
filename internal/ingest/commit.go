package ingest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cxbridge/cxbridge/internal/fault"
	"github.com/cxbridge/cxbridge/internal/store"
)

// pending is one reading of a batch and the place of its answer.
type pending struct {
	request *request
	index   int
}

func (p pending) reading() *Reading { return &p.request.readings[p.index] }
func (p pending) answer() *Answer   { return &p.request.answers[p.index] }

// commitAll makes the commit that is due, and those that fall due after it.
func (in *Ingest) commitAll() {
	for due := true; due; due = in.queue.done() {
		// Goroutines that are ready run first: requests that they bring join this batch, and answers that
		// are there get written.
		runtime.Gosched()
		batch, another := in.queue.take()
		if another {
			go in.commitAll()
		}
		in.keep(batch)
		in.latency.observe(batch)
		for _, r := range batch {
			close(r.done)
		}
	}
}

// keep makes requests durable and fills their answers.
func (in *Ingest) keep(requests []*request) {
	var batch []pending
	for _, r := range requests {
		for i := range r.readings {
			batch = append(batch, pending{r, i})
		}
	}
	if in.spool == nil || in.database.up() {
		rest, _, err := in.commitParts(context.Background(), commitTimeout, batch)
		if err == nil {
			in.keptByDatabase()
			return
		}
		in.lostDatabase(err)
		requests = owners(rest)
	}
	in.spoolAll(requests)
}

const (
	// partItems is how many messages and participants of threads one transaction writes before it takes
	// no further event. A single event may exceed it: eight megabytes of JSON may hold half a million.
	partItems = 10_000

	// itemTimeout is how much longer the database may take for each of them.
	itemTimeout = 200 * time.Microsecond
)

// commitParts commits a batch in transactions of bounded size, each with a timeout that grows with the
// items of threads in it. It returns what commit returns, and whether a timeout ran out.
func (in *Ingest) commitParts(ctx context.Context, timeout time.Duration, batch []pending) (rest []pending, isLate bool, err error) {
	for len(batch) > 0 {
		n, items := 0, 0
		for n < len(batch) && items < partItems {
			if e := batch[n].reading().Entry.Thread; e != nil {
				items += len(e.Messages) + len(e.Participants)
			}
			n++
		}
		limited, cancel := context.WithTimeout(ctx, timeout+time.Duration(items)*itemTimeout)
		rest, err = in.commit(limited, batch[:n])
		isLate = limited.Err() != nil
		cancel()
		if err != nil {
			return append(rest[:len(rest):len(rest)], batch[n:]...), isLate, err
		}
		batch = batch[n:]
	}
	return nil, false, nil
}

// commit brings a batch to the database. When the database fails, it returns the error and the rest of
// the batch; what is not in the rest is durable and answered.
//
// When the database refuses the data, the batch is halved until the event that it refuses stands
// alone. So one event never fails its neighbours, at the cost of a few more transactions.
func (in *Ingest) commit(ctx context.Context, batch []pending) (rest []pending, err error) {
	entries := make([]store.Entry, len(batch))
	for i, p := range batch {
		entries[i] = p.reading().Entry
	}
	err = in.transact(ctx, entries, batch)
	if err == nil || !errors.Is(err, store.ErrRefused) {
		return batch, err
	}
	if len(batch) == 1 {
		return batch, in.commitRefused(ctx, batch[0], err)
	}
	half := len(batch) / 2
	if rest, err = in.commit(ctx, batch[:half]); err != nil {
		return append(rest[:len(rest):len(rest)], batch[half:]...), err
	}
	return in.commit(ctx, batch[half:])
}

// commitRefused keeps an event that the database refuses as a dead letter, and a dead letter that
// it refuses without the texts that came from the event.
func (in *Ingest) commitRefused(ctx context.Context, p pending, refusal error) error {
	reading := p.reading()
	isLetter := reading.Entry.DeadLetter != nil
	letter := reading.source().deadLetter(reading.Subject, "the database refuses it: "+refusal.Error())
	if isLetter {
		letter = reading.source().deadLetter("", "the database refuses the reason why it was refused")
	}
	if err := in.transact(ctx, []store.Entry{letter}, []pending{p}); err != nil {
		return err
	}
	p.answer().Refused = !isLetter
	return nil
}

// transact commits entries in one transaction, fills in the answer to each, and calls Wake when a
// thread has a new revision.
func (in *Ingest) transact(ctx context.Context, entries []store.Entry, batch []pending) error {
	start, taken := time.Now(), in.latency.take()
	outcomes, err := in.tryCommit(ctx, store.Batch{
		Entries: entries, Now: start.UTC().Truncate(time.Microsecond), Judge: in.judge, Observed: taken.delta(),
	})
	in.latency.end(taken, err)
	if err != nil {
		in.metrics.failedCommits.Inc()
		return err
	}
	in.metrics.committed(entries, time.Since(start))
	raised := false
	for i, o := range outcomes {
		*batch[i].answer() = Answer{Duplicate: o.Duplicate, Stale: o.Stale, Rev: o.Rev, ParentRev: o.ParentRev}
		raised = raised || entries[i].Thread != nil && !o.Stale
		if o.Duplicate {
			in.metrics.duplicates.Inc()
		}
	}
	if raised {
		in.wake()
	}
	return nil
}

// tryCommit treats a panic as a refusal, so that the event which makes the program panic is found and
// set aside. Otherwise it would come again, from its sender or from the spool, and do the same.
func (in *Ingest) tryCommit(ctx context.Context, batch store.Batch) (outcomes []store.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			in.log.Error("a commit failed because of a fault in the program", "error", fault.Error(p))
			err = fmt.Errorf("%w: a fault in the program; the log says more", store.ErrRefused)
		}
	}()
	return in.store.Commit(ctx, batch)
}

// spoolAll writes requests to the spool, together if they fit, and otherwise each one that does.
func (in *Ingest) spoolAll(requests []*request) {
	err := in.spoolSome(requests)
	if err != nil && isDiskFailure(err) {
		in.log.Error("the spool cannot be written", "error", err)
	}
	if len(requests) == 1 || !errors.Is(err, ErrSpoolFull) && !isDiskFull(err) {
		return
	}
	for _, r := range requests {
		// The error is in the request by now, for the sender to see.
		_ = in.spoolSome([]*request{r})
	}
}

// spoolSome writes every event of some requests to the spool. Some may have been committed before
// the database failed; they are written again, because that changes nothing.
func (in *Ingest) spoolSome(requests []*request) error {
	err := errNoSpool
	if in.spool != nil {
		var events []SpoolEvent
		for _, r := range requests {
			for i := range r.readings {
				events = append(events, r.readings[i].source())
			}
		}
		err = in.spool.Append(events)
		in.database.wake() // it may be back by now, with nobody left to look into the spool
	}
	for _, r := range requests {
		r.err = nil
		if err != nil {
			r.err = &BusyError{RetryAfter: busyRetry, Reason: "the event cannot be stored now: " + reasonOf(err), Storage: true}
		}
		for i := range r.answers {
			r.answers[i] = Answer{Spooled: err == nil}
		}
	}
	return err
}

var errNoSpool = errors.New("the database is unavailable")

// reasonOf returns what a sender is told of an error of spoolSome.
func reasonOf(err error) string {
	if isDiskFailure(err) {
		return "the disk fails"
	}
	return err.Error()
}

// isDiskFailure reports whether an error of spoolSome comes from the disk. Its text is for the log only.
func isDiskFailure(err error) bool {
	return !errors.Is(err, ErrSpoolFull) && !errors.Is(err, errNoSpool)
}

// owners returns the requests that the rest of a batch belongs to, each once.
func owners(rest []pending) []*request {
	var requests []*request
	for _, p := range rest {
		if n := len(requests); n == 0 || requests[n-1] != p.request {
			requests = append(requests, p.request)
		}
	}
	return requests
}
