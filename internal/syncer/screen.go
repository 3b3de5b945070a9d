package syncer

import (
	"encoding/json"
	"fmt"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// screen removes from the delta the items that the CRM would not accept, so that the rest goes on. It
// parks the thread and returns false when the delta as a whole cannot be pushed.
func (a *attempt) screen() bool {
	if a.delta.IsEmpty(&a.thread.CRM) {
		return true
	}
	bad, err := a.schema.Check(a.delta, a.delta.PushVersion(&a.thread.CRM))
	if err != nil {
		a.park(&crm.Error{Message: plain("the schema refuses the delta: " + err.Error())})
		return false
	}
	if len(bad) == 0 {
		return true
	}
	rest := make([]*thread.Item, 0, len(a.delta.Items))
	for _, item := range a.delta.Items {
		reason, isBad := bad[item]
		switch {
		case !isBad:
			rest = append(rest, item)
		case item.View().IsZero(): // there is no value to set aside
			a.park(&crm.Error{Message: plain(fmt.Sprintf("the schema refuses the removal of %s %q: %s", item.Kind, item.ID, reason))})
			return false
		default:
			a.setAside(item, plain(reason))
		}
	}
	a.delta.Items = rest
	return true
}

// setAside keeps an item as a dead letter, until a good value of it comes.
func (a *attempt) setAside(item *thread.Item, reason string) {
	item.SetAside = item.View()
	a.aside = append(a.aside, item)
	a.touched[item] = true
	a.setAsides++
	key := store.ItemLetter(item.ItemKey)
	a.push.SetAside = append(a.push.SetAside, &store.DeadLetter{
		Kind: key.Kind, Key: key.Key, Subject: a.thread.ID, Received: now(),
		Reason: fmt.Sprintf("%s %q is not sent to the CRM: %s", item.Kind, item.ID, reason),
		Raw:    itemJSON(item),
	})
	detail := audit.Detail{"kind": item.Kind, "reason": reason}
	if item.Kind == thread.KindMessage {
		detail["item"] = item.ID // the id of a participant is a person's, and the audit log is never erased
	}
	a.note(audit.ActionSetAside, "kept as a dead letter", detail)
}

// itemJSON writes an item as the dead letter keeps it.
func itemJSON(item *thread.Item) []byte {
	raw, err := json.Marshal(struct {
		ThreadID string          `json:"threadId"`
		Kind     thread.ItemKind `json:"kind"`
		Item     json.RawMessage `json:"item"`
	}{item.ThreadID, item.Kind, item.Content})
	if err != nil {
		panic(err) // texts, and content that we wrote ourselves
	}
	return raw
}

// asideRev returns the newest Rev of the items that are set aside; 0 when there are none.
func (a *attempt) asideRev() int64 {
	rev := a.work.Aside
	for _, item := range a.aside {
		rev = max(rev, item.Rev)
	}
	return rev
}
