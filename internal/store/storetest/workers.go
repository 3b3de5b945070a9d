package storetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testWorkers commits events and pushes threads from many sides at once, through several stores on one
// database: nobody gets an error, no thread is pushed by two workers at a time, and in the end the CRM has
// what the events add up to.
func testWorkers(t *testing.T, create func(t *testing.T) Open, replicas int) {
	stores := openReplicas(t, create, replicas)
	all := storm(rand.New(rand.NewPCG(6, 7)))
	crm := &countingCRM{pushing: make(map[string]bool), epochs: make(map[string]int64), has: make(map[thread.ItemKey]thread.Hash)}
	var writers, workers sync.WaitGroup
	var isWritten atomic.Bool
	for i := range 4 {
		writers.Go(func() { writeStorm(t, stores[i%replicas], rand.New(rand.NewPCG(8, uint64(i))), all) })
		workers.Go(func() { crm.work(t, stores[i%replicas], rand.New(rand.NewPCG(9, uint64(i))), &isWritten) })
	}
	writers.Wait()
	isWritten.Store(true)
	workers.Wait()

	state := stateOf(all...)
	for id, row := range state.Threads {
		if row.Own {
			if sync := readThread(t, stores[0], id).Sync; sync.State() != store.StateSynced {
				t.Errorf("thread %s: %+v", id, sync)
			}
		}
	}
	for key, item := range state.Items {
		if crm.has[key] != item.View() {
			t.Errorf("the CRM has %x of %v, want %x", crm.has[key], key, item.View())
		}
	}
	requireState(t, stores[0], state, ways, noAnswers)
	requireTimelines(t, stores[0], state, 7, ways, noAnswers)
	requireUnbroken(t, stores[0])
}

// noAnswers leaves out what the CRM has.
var noAnswers = cmp.Options{
	cmpopts.IgnoreFields(thread.Item{}, "Acked"), cmpopts.IgnoreFields(thread.Thread{}, "CRM"),
}

// storm draws events of some threads that edit, merge and split each other.
func storm(draw *rand.Rand) (all []*thread.Event) {
	for i := range 100 {
		id, parent := fmt.Sprintf("t%d", draw.IntN(10)), fmt.Sprintf("t%d", draw.IntN(12))
		var messages []thread.Message
		for range draw.IntN(4) {
			messages = append(messages, message(fmt.Sprintf("m%d", draw.IntN(30)), i))
		}
		e := updated(id, i+1, messages...)
		if kind := draw.IntN(4); kind == 0 && parent != id {
			e = merged(id, parent, i+1, messages...)
		} else if kind == 1 && parent != id {
			e = split(id, parent, i+1, messages...)
		}
		all = append(all, e)
	}
	return all
}

// writeStorm commits all events in an order and in batches of its own.
func writeStorm(t *testing.T, s store.Store, draw *rand.Rand, all []*thread.Event) {
	mine := slices.Clone(all)
	draw.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
	for len(mine) > 0 {
		size := min(1+draw.IntN(8), len(mine))
		if _, err := s.Commit(ctx(), batchOf(events(mine[:size]...))); err != nil {
			t.Errorf("Commit: %v", err)
			return
		}
		mine = mine[size:]
	}
}

// countingCRM is what workers push to. It knows which threads are being pushed.
type countingCRM struct {
	mu      sync.Mutex
	pushing map[string]bool
	epochs  map[string]int64
	has     map[thread.ItemKey]thread.Hash
}

// work claims and pushes until all is written and pushed.
func (c *countingCRM) work(t *testing.T, s store.Store, draw *rand.Rand, isWritten *atomic.Bool) {
	for deadline := time.Now().Add(2 * patience); ; {
		mayEnd := isWritten.Load()
		got, err := s.Claim(ctx(), store.ClaimRequest{Limit: 1 + draw.IntN(3), Lease: time.Hour, Items: 4})
		if err != nil {
			t.Errorf("Claim: %v", err)
			return
		}
		pushes, woken := c.push(t, got.Work, draw)
		if len(pushes) > 0 && draw.IntN(4) == 0 {
			if lost, err := s.Extend(ctx(), claimsOf(pushes), time.Hour); err != nil || len(lost) > 0 {
				t.Errorf("Extend: lost %v, %v", lost, err)
				return
			}
		}
		c.end(pushes)
		if held, err := s.Record(ctx(), pushes, at(7200)); err != nil || slices.Contains(held, false) {
			t.Errorf("Record: %v, %v", held, err)
			return
		}
		for _, id := range woken {
			if err := s.Wake(ctx(), id, 0, replayNote, at(7200)); err != nil {
				t.Errorf("Wake: %v", err)
				return
			}
		}
		if len(pushes) > 0 {
			continue
		}
		if behind, err := s.Threads(ctx(), store.ThreadQuery{Limit: 100}); err != nil {
			t.Errorf("Threads: %v", err)
			return
		} else if mayEnd && !slices.ContainsFunc(behind, func(r store.ThreadRow) bool { return r.Sync.State() != store.StateSynced }) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("not all is pushed after %v", 2*patience)
			return
		}
		runtime.Gosched()
	}
}

func claimsOf(pushes []store.Push) []store.Claim {
	claims := make([]store.Claim, len(pushes))
	for i, p := range pushes {
		claims[i] = p.Claim
	}
	return claims
}

// push accepts what was claimed, or some of it. The threads that it parks are to be woken.
func (c *countingCRM) push(t *testing.T, work []store.Work, draw *rand.Rand) (pushes []store.Push, woken []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range work {
		w := &work[i]
		if c.pushing[w.ThreadID] || w.Epoch <= c.epochs[w.ThreadID] || w.Row.Sync.Uncertain {
			t.Errorf("%s was claimed by two at a time: epoch %d after %d", w.ThreadID, w.Epoch, c.epochs[w.ThreadID])
		}
		c.pushing[w.ThreadID], c.epochs[w.ThreadID] = true, w.Epoch
		switch draw.IntN(8) {
		case 0:
			pushes = append(pushes, failed(w, 500, time.Duration(draw.IntN(2))*moment))
			continue
		case 1:
			pushes = append(pushes, parked(w, 422))
			woken = append(woken, w.ThreadID)
			continue
		}
		for _, item := range w.Items {
			if c.has[item.ItemKey] != item.Acked {
				t.Errorf("%v: the CRM has %x, and the store tells %x", item.ItemKey, c.has[item.ItemKey], item.Acked)
			}
			c.has[item.ItemKey] = item.View()
		}
		push := done(w)
		if draw.IntN(8) == 0 {
			push.Disturb = []string{fmt.Sprintf("t%d", draw.IntN(12))}
		}
		pushes = append(pushes, push)
	}
	return pushes, woken
}

// end allows others to push threads. It is called just before the pushes are recorded.
func (c *countingCRM) end(pushes []store.Push) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range pushes {
		c.pushing[p.ThreadID] = false
	}
}
