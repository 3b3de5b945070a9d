package syncer

import (
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var aboutM2 = store.ItemLetter(thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "m2"})

// m2 returns that message of the thread t.
func (m *memory) m2() *thread.Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cloneItem(m.items[thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "m2"}])
}

// The schema takes now what was set aside, and the CRM refuses the thread. Whoever replayed the dead letter
// about the item sees it again, and the item goes with the thread once that is tried again.
func TestReplayedItemOfAThreadThatIsParked(t *testing.T) {
	for name, answers := range map[string][]answer{
		"at once":          {fails("PATCH", refusal(crm.ClassPermanent, 422))},
		"after a conflict": {conflict("PATCH"), tells(4, "m1", "one"), fails("PATCH", refusal(crm.ClassPermanent, 422))},
	} {
		t.Run(name, func(t *testing.T) {
			queue := synced(t, "")
			queue.commit(event("t", 2, "m2", "bad", "m3", "bad"))
			pushOnce(t, queue, ok("PATCH"))
			queue.wake("t", now())
			a, _ := pushBy(t, everything{}, queue, answers...)
			rows := map[string]*store.ThreadRow{"t": {Thread: *a.thread, Sync: a.work.Row.Sync}}
			plan := store.PlanPushes([]store.Push{a.push}, rows, now())
			if len(plan.Failed) != 2 || plan.Failed[0] != aboutM2.Digest() && plan.Failed[1] != aboutM2.Digest() {
				t.Errorf("dead letters %x are back", plan.Failed)
			}
			if item := queue.m2(); item.SetAside != thread.Retry {
				t.Errorf("the item is not to be tried again: %+v", item)
			}
			queue.wake("t", now())
			_, s := pushBy(t, everything{}, queue, ok("PATCH"))
			if body := string(s.sent[0].Body); !strings.Contains(body, `"m2"`) || len(queue.letters) > 0 {
				t.Errorf("sent %s, and %d dead letters are left", body, len(queue.letters))
			}
		})
	}
}

// An item that another writer has changed is left as it is, so nothing is set aside of it, whether it was
// before the push, is tried again, or shows only now to be unfit.
func TestSetAsideIsSolvedByAnotherWriter(t *testing.T) {
	for name, prepare := range map[string]func(queue *memory){
		"before": func(queue *memory) {
			pushOnce(t, queue, ok("PATCH"))
			queue.commit(event("t", 3, "m3", "three"))
			pushOnce(t, queue, fails("PATCH", lost()))
			item := queue.items[queue.m2().ItemKey]
			item.Rev = queue.sync("t").Want // as after another value, which was taken back
		},
		"tried again": func(queue *memory) {
			pushOnce(t, queue, ok("PATCH"))
			queue.wake("t", now())
			pushBy(t, everything{}, queue, fails("PATCH", lost()))
		},
		"new": func(queue *memory) {
			pushBy(t, everything{}, queue, fails("PATCH", lost()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			queue := synced(t, "")
			queue.commit(event("t", 2, "m2", "bad"))
			prepare(queue)
			a, _ := pushOnce(t, queue, tells(4, "m1", "one", "m2", "theirs", "m3", "three"))
			if item := queue.m2(); !item.Theirs || !item.SetAside.IsZero() {
				t.Errorf("the item is %+v", item)
			}
			if len(queue.letters) > 0 || len(a.aside) > 0 {
				t.Errorf("%d dead letters, %d items set aside", len(queue.letters), len(a.aside))
			}
			if _, aside, err := queue.DoneRev(t.Context(), "t"); aside != 0 || err != nil {
				t.Errorf("DoneRev: set aside is revision %d, %v", aside, err)
			}
		})
	}
}
