package syncer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// waitPoll is how often the database is asked for what another replica may have pushed.
const waitPoll = 250 * time.Millisecond

// progress is how far the CRM has a thread. See store.Queue.DoneRev.
type progress struct{ done, aside int64 }

// has reports whether the CRM has what came with a revision: the revision is done, and no value that
// came with it is set aside. Later values count as well, as they may be of the same message.
func (p progress) has(rev int64) bool { return p.done >= rev && p.aside < rev }

// Wait returns true once the CRM has what came with a revision of a thread. It returns false when some
// of that is set aside, ctx ends before, no event of the thread has come, or Run has returned. If ctx
// has ended already, it answers from what this process knows, without asking the database.
func (s *Syncer) Wait(ctx context.Context, threadID string, rev int64) bool {
	w := s.waiters.enter(threadID, rev)
	defer s.waiters.leave(threadID, w)
	ticker := time.NewTicker(waitPoll)
	defer ticker.Stop()
	for {
		select {
		case <-w.reached:
			return w.hasAll
		default:
		}
		if ctx.Err() != nil {
			return false
		}
		done, aside, err := s.queue.DoneRev(ctx, threadID)
		switch {
		case err == nil && done >= rev:
			return progress{done, aside}.has(rev)
		case errors.Is(err, store.ErrNotFound):
			return false
		}
		select {
		case <-w.reached:
			return w.hasAll
		case <-ctx.Done():
			return false
		case <-s.stopped:
			return false
		case <-ticker.C:
		}
	}
}

// recentPushes is how many pushes are remembered, at least, for a Wait that comes after them.
const recentPushes = 4096

// waiters are the calls that wait for this process to push something.
type waiters struct {
	mu      sync.Mutex
	waiting map[string][]*waiter

	// What was pushed lately, by thread: two generations, of which the older one is dropped when the
	// younger one is full.
	recent, older map[string]progress
}

type waiter struct {
	rev     int64
	reached chan struct{} // closed when the revision is done
	isDone  bool
	hasAll  bool // the CRM has what came with it; to be read when reached is closed
}

// see takes note of what the CRM has.
func (w *waiter) see(p progress) {
	if !w.isDone && p.done >= w.rev {
		w.isDone, w.hasAll = true, p.has(w.rev)
		close(w.reached)
	}
}

func (ws *waiters) enter(threadID string, rev int64) *waiter {
	w := &waiter{rev: rev, reached: make(chan struct{})}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.see(ws.recent[threadID])
	w.see(ws.older[threadID])
	if ws.waiting == nil {
		ws.waiting = make(map[string][]*waiter)
	}
	ws.waiting[threadID] = append(ws.waiting[threadID], w)
	return w
}

func (ws *waiters) leave(threadID string, w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	all := slices.DeleteFunc(ws.waiting[threadID], func(other *waiter) bool { return other == w })
	if len(all) == 0 {
		delete(ws.waiting, threadID)
		return
	}
	ws.waiting[threadID] = all
}

// pushed notes how far the CRM has a thread, and ends the waits for that.
func (ws *waiters) pushed(threadID string, p progress) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.recent == nil || len(ws.recent) >= recentPushes {
		ws.older, ws.recent = ws.recent, make(map[string]progress, recentPushes)
	}
	ws.recent[threadID] = p
	for _, w := range ws.waiting[threadID] {
		w.see(p)
	}
}
