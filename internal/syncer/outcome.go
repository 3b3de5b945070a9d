package syncer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// succeed ends an attempt after which the CRM has the delta, but for what is set aside: see
// landing.aside. The thread is not done while there are more items; if a push got no answer, each of
// their deltas is compared with the CRM's copy first as well.
func (a *attempt) succeed(o outcome) {
	a.outcome = o
	a.push.Status = a.status
	a.push.Done = !a.work.More
	a.push.Uncertain = a.uncertain && a.work.More
	if a.work.Row.Sync.LastError != "" {
		a.push.Solved = append(a.push.Solved, store.PushLetter(a.thread.ID))
	}
	a.notePush()
	a.record()
}

// settle notes which dead letters about items are solved: the CRM has another value of them now, or
// keeps another writer's.
func (a *attempt) settle(items []*thread.Item) {
	for _, item := range items {
		if item.SetAside.IsZero() || item.IsAside() && !item.Theirs {
			continue
		}
		item.SetAside = thread.Hash{}
		key := store.ItemLetter(item.ItemKey)
		a.push.Solved = append(a.push.Solved, key)
		a.push.SetAside = slices.DeleteFunc(a.push.SetAside, func(l *store.DeadLetter) bool { return l.Key == key.Key })
		a.aside = slices.DeleteFunc(a.aside, func(other *thread.Item) bool { return other == item })
	}
}

// forget records that the CRM has nothing of the thread. Everything is tried again then, also what is set
// aside, so this attempt solves no dead letter and makes none.
func (a *attempt) forget() {
	a.push.Forget, a.push.SetAside, a.push.Solved = true, nil, nil
	a.push.Copy = &thread.Copy{Lost: true}
}

// failed notes the error of a request, and returns it as an Error.
func (a *attempt) failed(err error) *crm.Error {
	e := *crm.AsError(err)
	if errors.Is(err, context.Canceled) {
		a.cutOff++
	} else {
		a.unsuccessful[e.Class]++
	}
	e.Message = plain(e.Message)
	a.status, a.retryAfter = e.Status, e.RetryAfter
	return &e
}

// fail ends an attempt that the CRM, or the way to it, did not let succeed.
func (a *attempt) fail(ctx context.Context, e *crm.Error) step {
	a.uncertain = a.uncertain || e.Uncertain
	switch {
	case ctx.Err() != nil:
		a.abort(context.Cause(ctx))
	case e.Class == crm.ClassThrottled:
		a.outcome = outcomeThrottled
		a.push.Postponed = true
		a.end(e)
	case e.Class == crm.ClassConflict:
		a.backOff(e, outcomeConflict)
	case e.Class == crm.ClassPermanent, e.Class == crm.ClassGone:
		a.park(e)
	default:
		a.backOff(e, outcomeFailed)
	}
	return nil
}

// abort ends an attempt that we have cut off. It does not count against the thread.
func (a *attempt) abort(cause error) {
	a.outcome = outcomeAborted
	a.push.Postponed = true
	a.end(&crm.Error{Message: "aborted: " + cause.Error()})
}

// backOff lets the thread wait before it is tried again.
func (a *attempt) backOff(e *crm.Error, o outcome) {
	a.outcome = o
	a.push.RetryIn = max(backoff.Jitter(a.work.Row.Sync.Attempts+1, backoffFirst, backoffMost), min(e.RetryAfter, pauseMost))
	a.end(e)
}

// park leaves the thread alone until somebody wakes it. The dead letter keeps what was refused.
func (a *attempt) park(e *crm.Error) {
	a.outcome = outcomeParked
	if a.body == nil {
		a.body = a.delta.JSON(a.delta.PushVersion(&a.thread.CRM))
	}
	key := store.PushLetter(a.thread.ID)
	a.push.Park = &store.DeadLetter{
		Kind: key.Kind, Key: key.Key, Subject: a.thread.ID, Reason: e.Message, Received: now(), Raw: a.body,
	}
	for _, item := range a.work.Items {
		if item.SetAside == thread.Retry {
			a.touched[item] = true
		}
	}
	a.end(e)
	a.note(audit.ActionPark, "parked", audit.Detail{"status": e.Status, "reason": e.Message})
}

// end notes what was wrong.
func (a *attempt) end(e *crm.Error) {
	a.reason = e.Message
	a.push.Status, a.push.Error, a.push.Uncertain = a.status, e.Message, a.uncertain
	a.notePush()
	if !a.push.Forget {
		a.record()
	}
}

// record notes what the CRM has, as far as the attempt came to know.
func (a *attempt) record() {
	for _, items := range [][]*thread.Item{a.work.Items, a.work.Unsure} {
		for _, item := range items {
			if a.touched[item] {
				a.push.Items = append(a.push.Items, item)
			}
		}
	}
	if a.requests > 0 {
		known := a.thread.CRM
		a.push.Copy = &known
	}
}

// maxReason bounds, in bytes, what is kept of the CRM's words.
const maxReason = 500

// plain makes text fit for every database: it may hold the CRM's words.
func plain(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
