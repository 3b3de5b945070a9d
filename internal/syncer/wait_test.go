package syncer

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(50 * time.Millisecond)
		b := start(t, queue, sink)
		begun := time.Now()
		rev := b.take(event("a", 1, "m1", "one"))
		if !b.Wait(t.Context(), "a", rev) {
			t.Error("the CRM has it")
		}
		if took := time.Since(begun); took > 200*time.Millisecond {
			t.Errorf("told after %s", took)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if !b.Wait(ended, "a", rev) {
			t.Error("what is known is told even when the context has ended")
		}
		if b.Wait(ended, "a", rev+1) {
			t.Error("a later revision is not there")
		}
		if b.Wait(t.Context(), "nobody", 1) {
			t.Error("a thread that nobody knows is not there")
		}
	})
}

func TestWaitFindsPushesOfOtherReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(400 * time.Millisecond)
		b := start(t, queue, sink)
		rev := b.take(event("a", 1, "m1", "one"))
		idle := newSyncer(queue, sink)
		if !idle.Wait(t.Context(), "a", rev) {
			t.Error("the CRM has it")
		}
	})
}

// What is set aside is not in the CRM: nobody is told so, and nobody waits for it in vain.
func TestWaitForWhatIsSetAside(t *testing.T) {
	long := event("a", 6)
	for i := range chunk {
		long.Messages = append(long.Messages, thread.Message{ID: fmt.Sprintf("n%03d", i), Text: "new"})
	}
	long.Messages = append(long.Messages, thread.Message{ID: "b1", Text: "bad"})
	for _, crm := range []string{"that we push to", "that another replica pushes to"} {
		t.Run(crm, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, sink := newMemory(), newCRM()
				b := start(t, queue, sink)
				asked := b.Syncer
				if crm != "that we push to" {
					asked = newSyncer(queue, sink)
				}
				for _, test := range []struct {
					what  string
					event *thread.Event
					want  bool
				}{
					{"a bad message among good ones", event("a", 1, "m1", "one", "m2", "bad"), false},
					{"an event that does not name it", event("a", 2, "m1", "one!"), true},
					{"one that names it again", event("a", 3, "m2", "bad", "m3", "three"), false},
					{"another bad value", event("a", 4, "m2", "bad", "m4", "bad"), false},
					{"good values", event("a", 5, "m2", "two", "m4", "four"), true},
					{"a bad one in the first of two chunks", sealed(long), false},
				} {
					rev := b.take(test.event)
					begun := time.Now()
					if got := asked.Wait(t.Context(), "a", rev); got != test.want {
						t.Errorf("%s: %t, want %t", test.what, got, test.want)
					}
					if took := time.Since(begun); took > 2*waitPoll {
						t.Errorf("%s: told after %s", test.what, took)
					}
					mustSync(t, queue, time.Second)
				}
			})
		})
	}
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(time.Hour)
		b := start(t, queue, sink)
		rev := b.take(event("a", 1, "m1", "one"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if b.Wait(ctx, "a", rev) {
			t.Error("the CRM does not have it")
		}
		answers := make(chan bool)
		go func() { answers <- b.Wait(t.Context(), "a", rev) }()
		synctest.Wait()
		b.stop()
		if <-answers {
			t.Error("the CRM does not have it")
		}
	})
}

func TestWaitersForgetWhatIsLongAgo(t *testing.T) {
	var ws waiters
	for i := range 3 * recentPushes {
		ws.pushed(fmt.Sprint(i), progress{done: 1})
	}
	if n := len(ws.recent) + len(ws.older); n > 2*recentPushes {
		t.Errorf("%d are remembered", n)
	}
	last := fmt.Sprint(3*recentPushes - 1)
	w := ws.enter(last, 1)
	if !w.isDone {
		t.Error("the last one is forgotten")
	}
	ws.leave(last, w)
	if len(ws.waiting) != 0 {
		t.Error("a waiter is left behind")
	}
}
