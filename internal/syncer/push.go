package syncer

import (
	"context"
	"net/http"
	"slices"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// maxConflicts is how often a push may meet another writer before it backs off.
const maxConflicts = 4

// attempt is the push of one claim: the requests to the CRM, until it has the delta or the attempt
// fails.
type attempt struct {
	sink   crm.Sink
	schema Schema
	work   *store.Work
	thread *thread.Thread // of the work; its CRM is what the CRM has, as far as is known by now
	delta  *thread.Delta  // what is still to be pushed

	existed   bool                  // the CRM had acknowledged the thread before
	uncertain bool                  // a push may have been applied whose answer never came
	looked    bool                  // the CRM's copy was read
	body      []byte                // sent last
	aside     []*thread.Item        // items that the schema refuses; an earlier value may have been applied
	touched   map[*thread.Item]bool // items for which to record what the CRM has

	push store.Push // what is to be recorded
	report
}

// step is a request to the CRM. It returns what follows, nil when the attempt has ended.
type step func(context.Context) step

func newAttempt(sink crm.Sink, schema Schema, work *store.Work) *attempt {
	bound(work)
	t := &work.Row.Thread
	a := &attempt{
		sink: sink, schema: schema, work: work, thread: t,
		existed: t.CRM.Exists, uncertain: work.Row.Sync.Uncertain,
		touched: make(map[*thread.Item]bool),
		push: store.Push{
			Claim: work.Claim, Rev: work.Row.Sync.Want,
			Checked: slices.Clone(t.Links.Loose), Disturb: thread.Disturbed(t.ID, t.Links.Loose, work.Links),
		},
		report: newReport(work),
	}
	a.delta = thread.NewDelta(t, thread.FollowedParent(t.ID, work.Links), work.Items)
	return a
}

// bound leaves to the next claim what is more than a chunk. The claim has counted the items, not their bytes.
func bound(work *store.Work) {
	if n := fits(work.Items); n < len(work.Items) {
		work.Items, work.More, work.Unsure = work.Items[:n], true, nil
	}
}

// fits returns how many of the items make a chunk, from the first on: at least one, if there is any.
func fits(items []*thread.Item) int {
	size := 0
	for i, item := range items {
		if size += len(item.Content); i > 0 && (i == chunk || size > chunkBytes) {
			return i
		}
	}
	return len(items)
}

// run pushes the thread.
func (a *attempt) run(ctx context.Context) {
	a.settleUnchanged()
	switch {
	case !a.screen(): // parked
		return
	case a.uncertain:
		a.delta.Items = slices.Concat(a.delta.Items, a.aside, a.work.Unsure)
	case a.delta.IsEmpty(&a.thread.CRM):
		a.succeed(outcomeUnchanged)
		return
	}
	next := a.patch
	switch {
	case a.uncertain || a.replacesUnseen():
		next = a.look
	case a.thread.CRM.Lost:
		next = a.anew()
	}
	for next != nil {
		next = next(ctx)
	}
}

// settleUnchanged removes from the delta the items that went back from a value that is set aside to
// the one that the CRM has. It removes none while a push of unknown outcome may have been applied: the
// CRM may then have something else.
func (a *attempt) settleUnchanged() {
	if a.uncertain {
		return
	}
	changed := make([]*thread.Item, 0, len(a.delta.Items))
	for _, item := range a.delta.Items {
		if item.View() != item.Acked {
			changed = append(changed, item)
			continue
		}
		a.touched[item] = true
		a.settle([]*thread.Item{item})
	}
	a.delta.Items = changed
}

// replacesUnseen reports whether the delta would replace something of which the CRM may have another
// value by now, without the CRM noticing: where it holds versions that we do not know, or where it
// compares no ETag and accepts any higher version.
func (a *attempt) replacesUnseen() bool {
	c := &a.thread.CRM
	return a.delta.Overwrites(c) && (c.Shared || c.ETag == "" && a.delta.PushVersion(c) > c.NextVersion())
}

// knows reports whether nothing in the CRM's copy is unknown, though its version is not the one before.
//   - Every item was compared: none had been acknowledged, so all were in the delta.
//   - One push was made since, and it was ours, as it brought an item: there is no version between the two.
//
// That an item has changed or is gone proves nothing: another writer may have done the same to it, and more
// to others. With more items than the claim holds, one may have been brought that was not compared then.
func (a *attempt) knows(before *thread.Copy, remote *thread.Remote, r *thread.Resolution) bool {
	switch {
	case a.work.More:
		return false
	case !before.Exists:
		return remote.Messages != nil && remote.Participants != nil
	}
	return a.uncertain && r.Brought && remote.Version == before.NextVersion()
}

// look reads the CRM's copy and removes from the delta what is not to be pushed.
func (a *attempt) look(ctx context.Context) step {
	a.requests++
	remote, err := a.sink.Get(ctx, a.thread.ID)
	if err == nil {
		return a.resolve(remote)
	}
	e := a.failed(err)
	e.Uncertain = false // reading changes nothing
	if e.Class == crm.ClassGone {
		return a.gone(true)
	}
	return a.fail(ctx, e)
}

func (a *attempt) resolve(remote *thread.Remote) step {
	a.looked, a.status = true, http.StatusOK
	before := a.thread.CRM
	for _, item := range a.delta.Items {
		a.touched[item] = true
	}
	r := thread.Resolve(a.thread, a.delta, remote, a.uncertain)
	if remote.Version != before.Version && !a.knows(&before, remote, r) {
		r.Copy.Shared = true
	}
	if !a.work.More {
		a.uncertain = false
	}
	r.Delta.Items = slices.DeleteFunc(r.Delta.Items, (*thread.Item).IsAside)
	if n := fits(r.Delta.Items); n < len(r.Delta.Items) { // what is unsure may be the whole thread; it is dirty by now
		r.Delta.Items, a.work.More = r.Delta.Items[:n], true
	}
	a.thread.CRM, a.delta = r.Copy, r.Delta
	if r.Kept > 0 || a.conflicts > 0 {
		a.kept += r.Kept
		a.note(audit.ActionConflict, "merged", audit.Detail{"version": remote.Version, "kept": r.Kept})
	}
	a.settle(r.Settled)
	if r.Done() {
		a.thread.CRM.Head, a.thread.CRM.UpdatedAt = a.delta.Version, a.delta.UpdatedAt
		a.succeed(outcomeAcknowledged)
		return nil
	}
	return a.patch
}

// gone goes on after the CRM has said that it does not have the thread, to a GET or to a PATCH. With a thread
// is forgotten what other writers did to it. So it takes a GET: a PATCH may just have met a gateway or a
// replica that does not know the thread.
func (a *attempt) gone(isRead bool) step {
	switch {
	case a.existed && isRead:
		// It has lost it. All items become dirty, and the thread is claimed again, to be created anew.
		a.forget()
		a.outcome, a.push.Status = outcomeForgotten, a.status
		a.notePush()
		return nil
	case a.looked:
		a.backOff(&crm.Error{Status: a.status, Message: "the CRM returns a thread and then says that it does not have it"}, outcomeConflict)
		return nil
	case a.existed:
		return a.look
	}
	return a.anew()
}

// anew creates the thread, with all that it shows. Of what it does not show, the CRM has nothing: that is
// settled.
func (a *attempt) anew() step {
	shown := make([]*thread.Item, 0, len(a.delta.Items))
	for _, item := range a.delta.Items {
		switch {
		case item.IsAside():
		case item.View().IsZero():
			a.touched[item] = true
			a.settle([]*thread.Item{item})
		default:
			shown = append(shown, item)
		}
	}
	a.delta.Items = shown
	return a.create
}

func (a *attempt) patch(ctx context.Context) step {
	c := &a.thread.CRM
	version := a.delta.PushVersion(c)
	if a.looked && c.ETag == "" && a.delta.Overwrites(c) {
		// The next version is the only one that the CRM refuses if somebody was quicker.
		version = c.NextVersion()
	}
	ack, e := a.send(ctx, a.sink.Patch, version)
	switch {
	case e == nil:
		// We have not seen what another writer did to a thread that we did not make, or under the
		// versions that were left out.
		c.Shared = c.Shared || !c.Exists || c.ETag == "" && version > c.NextVersion()
		return a.acknowledged(ack, version)
	case e.Class == crm.ClassGone:
		return a.gone(false)
	case e.Class == crm.ClassConflict:
		return a.meet(ctx, e)
	}
	return a.fail(ctx, e)
}

func (a *attempt) create(ctx context.Context) step {
	version := a.delta.PushVersion(&a.thread.CRM)
	ack, e := a.send(ctx, a.sink.Create, version)
	switch {
	case e == nil:
		return a.acknowledged(ack, version)
	case e.Class == crm.ClassConflict:
		return a.meet(ctx, e)
	}
	return a.fail(ctx, e)
}

func (a *attempt) send(ctx context.Context, method func(context.Context, crm.Request) (crm.Ack, error), version int64) (crm.Ack, *crm.Error) {
	a.requests++
	a.body = a.delta.JSON(version)
	a.version, a.bytes = version, a.bytes+len(a.body)
	ack, err := method(ctx, crm.Request{
		ThreadID: a.thread.ID, Version: version, Body: a.body, IfMatch: a.thread.CRM.ETag,
	})
	if err != nil {
		return ack, a.failed(err)
	}
	a.status = ack.Status
	return ack, nil
}

// meet goes on after another writer was quicker.
func (a *attempt) meet(ctx context.Context, e *crm.Error) step {
	a.conflicts++
	if a.conflicts >= maxConflicts {
		return a.fail(ctx, e)
	}
	return a.look
}

// acknowledged notes that the CRM has the delta.
func (a *attempt) acknowledged(ack crm.Ack, version int64) step {
	c, d := &a.thread.CRM, a.delta
	a.count(d)
	for _, item := range d.Items {
		item.Acked = item.View()
		a.touched[item] = true
	}
	a.settle(d.Items)
	c.Shared = c.Shared || ack.Version != version
	c.Exists, c.Lost, c.Version, c.ETag, c.Parent = true, false, ack.Version, ack.ETag, d.Parent
	if version < d.Version {
		rest := *d
		rest.Items = nil
		a.delta = &rest
		return a.patch
	}
	c.Head, c.UpdatedAt = d.Version, d.UpdatedAt
	a.succeed(outcomeAcknowledged)
	return nil
}
