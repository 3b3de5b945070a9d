package webhook

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// verdict is what the sender of an event is told.
type verdict string

const (
	verdictAccepted verdict = "ACCEPTED" // durable
	verdictSynced   verdict = "SYNCED"   // durable, and the CRM has all of it
	verdictIgnored  verdict = "IGNORED"  // known, or it brought nothing new
	verdictRejected verdict = "REJECTED" // kept as a dead letter
)

// result is what became of one event. It holds no more of the event than the ids of its threads.
type result struct {
	threadID string // "" when it could not be read
	parentID string // of a split that waits for its parent; else ""
	verdict  verdict
	spooled  bool
	why      []byte // members of the answer that say why it is rejected

	// The CRM has the event once it has these revisions of the thread and, unless it is 0, of the parent.
	rev, parentRev int64
}

func newResult(ev *events, i int) result {
	r := result{
		threadID: strings.Clone(ev.readings[i].Subject), // a part of a longer text would keep all of it
		rev:      ev.answers[i].Rev, verdict: verdictAccepted, spooled: ev.answers[i].Spooled,
	}
	if rev := ev.answers[i].ParentRev; rev != 0 {
		r.parentID, r.parentRev = strings.Clone(ev.readings[i].Entry.Thread.Parent), rev
	}
	if refused := ev.refused(i); refused != nil {
		r.verdict = verdictRejected
		r.why = appendFields(appendText([]byte(`,"error":`), refused.Error()), refused)
	} else if ev.answers[i].Stale {
		r.verdict = verdictIgnored
	}
	return r
}

// canWait reports whether the event is to go to the CRM, with a revision that is known.
func (r *result) canWait() bool { return r.verdict == verdictAccepted && !r.spooled }

// await reports whether the CRM gets all of the event before ctx ends: a split changes two threads.
func (r *result) await(ctx context.Context, crm Synced) bool {
	return crm.Wait(ctx, r.threadID, r.rev) && (r.parentRev == 0 || crm.Wait(ctx, r.parentID, r.parentRev))
}

// append appends the members of the answer.
func (r *result) append(b []byte) []byte {
	b = append(append(append(b, `"status":"`...), r.verdict...), '"')
	if r.verdict == verdictIgnored {
		b = append(b, `,"reason":"NO_DELTA_OR_STALE"`...)
	}
	if r.spooled {
		b = append(b, `,"queuedForRetry":true`...)
	}
	return append(b, r.why...)
}

// threadsAnswer is the answer to a request that is not refused as a whole, before and after it has
// waited.
type threadsAnswer struct {
	results []result
	isArray bool
	tally   tally
}

func newThreadsAnswer(ev *events, isArray bool) *threadsAnswer {
	a := &threadsAnswer{results: make([]result, len(ev.readings)), isArray: isArray, tally: ev.tally}
	for i := range a.results {
		a.results[i] = newResult(ev, i)
	}
	return a
}

// canWait reports whether there is anything to wait for.
func (a *threadsAnswer) canWait() bool {
	for i := range a.results {
		if a.results[i].canWait() {
			return true
		}
	}
	return false
}

// resultCost is what a result takes in memory besides its texts, in bytes.
const resultCost = 120

// size is what the answer takes in memory, in bytes.
func (a *threadsAnswer) size() int64 {
	n := len(a.results) * resultCost
	for i := range a.results {
		n += len(a.results[i].threadID) + len(a.results[i].parentID) + cap(a.results[i].why)
	}
	return int64(n)
}

// await waits for the CRM, one result after the other: the last one to come decides how long. A result
// of which something is set aside ends its own wait. Results that are left when ctx ends are asked for
// as well, because the CRM may have them.
func (a *threadsAnswer) await(ctx context.Context, crm Synced) {
	for i := range a.results {
		if r := &a.results[i]; r.canWait() && r.await(ctx, crm) {
			r.verdict = verdictSynced
			a.tally.synced++
		}
	}
}

func (a *threadsAnswer) reply() reply {
	rep := reply{status: http.StatusOK, tally: a.tally}
	if !a.isArray {
		rep.subject = a.results[0].threadID
		rep.body = append(a.results[0].append([]byte{'{'}), '}')
		return rep
	}
	b := append(make([]byte, 0, 64+len(a.results)*64), '{')
	if a.tally.allRefused() {
		rep.status = http.StatusUnprocessableEntity
		b = append(b, `"error":"every item is refused",`...)
	}
	total := result{verdict: a.total(), spooled: a.tally.spooled > 0}
	b = append(total.append(b), `,"results":[`...)
	for i := range a.results {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"threadId":`...)
		if id := a.results[i].threadID; id != "" {
			b = appendText(b, id)
		} else {
			b = append(b, `null`...)
		}
		b = append(a.results[i].append(append(b, ',')), '}')
	}
	rep.body = append(b, `]}`...)
	return rep
}

// total sums up the results: they are synced when the CRM has some of them, and the others, if any,
// brought nothing new.
func (a *threadsAnswer) total() verdict {
	isOpen := func(r result) bool { return r.verdict == verdictAccepted || r.verdict == verdictRejected }
	switch {
	case a.tally.allRefused():
		return verdictRejected
	case a.tally.synced > 0 && !slices.ContainsFunc(a.results, isOpen):
		return verdictSynced
	}
	return verdictAccepted
}
