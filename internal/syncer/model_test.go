package syncer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// TestModel takes the queue, workers that die, a CRM that lies and other writers through random
// histories, one step at a time. In each state nothing is pushed twice at a time and no lease is
// broken; in the end the CRM has what the threads show, and every change of another writer.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"event":   w.event,
			"claim":   w.claim,
			"push":    w.push,
			"record":  w.record,
			"die":     w.die,
			"extend":  w.extend,
			"wait":    w.wait,
			"edit":    w.edit,
			"relink":  w.relink,
			"lose":    w.lose,
			"wake":    w.wake,
			"another": w.push, // more often
			"":        w.check,
		})
		w.heal(t)
	})
}

// world is the queue, the CRM, and workers in all stages of their work.
type world struct {
	queue *memory
	crm   *fakeCRM
	now   time.Time

	held    []*job // claimed, not pushed yet
	pushed  []*job // to be recorded
	version int64
	edits   int

	done map[string]int64 // the highest Done seen
}

type job struct {
	work  store.Work
	push  store.Push
	until time.Time // end of the lease
}

var (
	worldThreads  = []string{"a", "b", "c"}
	worldMessages = []string{"m1", "m2", "m3"}
)

func newWorld(t *rapid.T) *world {
	w := &world{queue: newMemory(), crm: newCRM(), now: time.Unix(1_800_000_000, 0), done: make(map[string]int64)}
	w.queue.clock = func() time.Time { return w.now }
	w.crm.etags = rapid.Bool().Draw(t, "etags")
	return w
}

func (w *world) event(t *rapid.T) {
	id := rapid.SampledFrom(worldThreads).Draw(t, "thread")
	version := rapid.Int64Range(0, 8).Draw(t, "version") + w.version
	w.version += rapid.Int64Range(0, 3).Draw(t, "pace")
	e := event(id, version)
	e.UpdatedAt = time.Unix(1_700_000_000+rapid.Int64Range(0, 20).Draw(t, "updatedAt")+w.version, 0).UTC()
	for _, m := range rapid.SliceOfNDistinct(rapid.SampledFrom(worldMessages), 0, 3, rapid.ID).Draw(t, "messages") {
		text := rapid.SampledFrom([]string{"one", "two", "bad"}).Draw(t, "text")
		e.Messages = append(e.Messages, thread.Message{ID: m, Text: text})
	}
	if rapid.Bool().Draw(t, "joined") {
		e.Participants = []thread.Participant{{ID: "p", Name: rapid.SampledFrom([]string{"Ann", "Bob"}).Draw(t, "name")}}
	}
	switch parent := rapid.SampledFrom(append([]string{"", "x"}, worldThreads...)).Draw(t, "parent"); {
	case parent == id:
	case parent == "":
		e.NamesParent = rapid.Bool().Draw(t, "unlinks")
	default:
		under(e, rapid.SampledFrom([]thread.Type{thread.Updated, thread.Merged, thread.Split}).Draw(t, "type"), parent)
	}
	w.queue.commit(sealed(e))
}

// claim leases a thread to a new worker.
func (w *world) claim(t *rapid.T) {
	r := store.ClaimRequest{Limit: 1, Lease: lease, Items: rapid.IntRange(1, 4).Draw(t, "items"), Fresh: rapid.Bool().Draw(t, "fresh")}
	c, err := w.queue.Claim(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, work := range c.Work {
		for _, other := range slices.Concat(w.held, w.pushed) {
			if other.work.ThreadID == work.ThreadID && other.until.After(w.now) {
				t.Fatalf("%s has two workers", work.ThreadID)
			}
			if other.work.ThreadID == work.ThreadID && other.work.Epoch >= work.Epoch {
				t.Fatalf("the epoch of %s went from %d to %d", work.ThreadID, other.work.Epoch, work.Epoch)
			}
		}
		w.held = append(w.held, &job{work: work, until: w.now.Add(lease)})
	}
}

// take takes a random job out of a list; nil when there is none.
func take(t *rapid.T, jobs *[]*job) *job {
	if len(*jobs) == 0 {
		return nil
	}
	i := rapid.IntRange(0, len(*jobs)-1).Draw(t, "job")
	j := (*jobs)[i]
	*jobs = slices.Delete(*jobs, i, i+1)
	return j
}

// push lets a worker push, with whatever trouble, and other writers in between its requests.
func (w *world) push(t *rapid.T) {
	j := take(t, &w.held)
	if j == nil || !j.until.After(w.now) {
		return // its context has ended
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	w.crm.trouble = func(_ context.Context, method, id string) mishap {
		switch rapid.IntRange(0, 19).Draw(t, "trouble") {
		case 0:
			return mishap{err: lost()}
		case 1:
			return mishap{err: lost(), after: method != "GET"}
		case 2:
			return mishap{err: refusal(crm.ClassFailed, 500)}
		case 3:
			return mishap{err: refusal(crm.ClassThrottled, 429)}
		case 4:
			return mishap{err: refusal(crm.ClassPermanent, 400)}
		case 5:
			return mishap{err: refusal(crm.ClassConflict, 409)}
		case 6:
			cancel(errStopping)
			return mishap{err: context.Canceled, after: method != "GET" && rapid.Bool().Draw(t, "applied")}
		case 7, 8:
			w.editIn(t, id)
		case 9:
			w.relink(t)
		case 10:
			if method == "PATCH" { // and the thread may be there
				return mishap{err: refusal(crm.ClassGone, 404)}
			}
		}
		return mishap{}
	}
	a := newAttempt(w.crm, anything{}, &j.work)
	a.run(ctx)
	w.crm.trouble = nil
	j.push = a.push
	w.pushed = append(w.pushed, j)
}

// record ends claims, some of which may be lost.
func (w *world) record(t *rapid.T) {
	j := take(t, &w.pushed)
	if j == nil {
		return
	}
	held, err := w.queue.Record(t.Context(), []store.Push{j.push}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if j.until.After(w.now) && !held[0] {
		t.Fatalf("the lease on %s was broken", j.work.ThreadID)
	}
	if held[0] && j.push.Error != "" && j.push.Park == nil && !j.push.Postponed && j.push.RetryIn <= 0 {
		t.Fatalf("%s failed and does not wait: %+v", j.work.ThreadID, j.push)
	}
}

// die kills a worker before its push, or after and before anybody knows.
func (w *world) die(t *rapid.T) {
	if rapid.Bool().Draw(t, "pushed") {
		take(t, &w.pushed)
	} else {
		take(t, &w.held)
	}
}

func (w *world) extend(t *rapid.T) {
	j := take(t, &w.held)
	if j == nil {
		return
	}
	lost, err := w.queue.Extend(t.Context(), []store.Claim{j.work.Claim}, lease)
	if err != nil {
		t.Fatal(err)
	}
	if isHeld := j.until.After(w.now); isHeld == (len(lost) > 0) {
		t.Fatalf("the lease on %s runs: %t, lost: %v", j.work.ThreadID, isHeld, lost)
	}
	if len(lost) == 0 {
		j.until = w.now.Add(lease)
		w.held = append(w.held, j)
	}
}

func (w *world) wait(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 5, 16, 60}).Draw(t, "seconds")) * time.Second)
}

func (w *world) edit(t *rapid.T) {
	w.editIn(t, rapid.SampledFrom(worldThreads).Draw(t, "edited thread"))
}

func (w *world) editIn(t *rapid.T, id string) {
	w.edits++
	w.crm.edit(id, rapid.SampledFrom(worldMessages).Draw(t, "edited"), fmt.Sprint("edit ", w.edits))
}

// relink changes a parent. Each delta names the parent: what another writer made of that under a
// version that was left out shows by the ETag alone.
func (w *world) relink(t *rapid.T) {
	if !w.crm.etags {
		return
	}
	w.crm.relink(rapid.SampledFrom(worldThreads).Draw(t, "relinked"), "theirs")
}

// lose lets the CRM lose a thread, with all that other writers did to it.
func (w *world) lose(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "loses") == 0 {
		w.crm.lose(rapid.SampledFrom(worldThreads).Draw(t, "lost"))
	}
}

// wake is the replay of an operator.
func (w *world) wake(t *rapid.T) {
	id := rapid.SampledFrom(worldThreads).Draw(t, "woken")
	if row := w.queue.rows[id]; row != nil && row.Own {
		w.queue.wake(id, w.now)
	}
}

// check holds in every state.
func (w *world) check(t *rapid.T) {
	for id, row := range w.queue.rows {
		s := &row.Sync
		switch {
		case s.Done > s.Want:
			t.Fatalf("%s is done beyond what is wanted: %+v", id, s)
		case s.Want > s.Done && s.Since.IsZero() && row.Own:
			t.Fatalf("%s lacks something since no time: %+v", id, s)
		case s.Want == s.Done && s.Parked:
			t.Fatalf("%s is parked and synced: %+v", id, s)
		}
	}
	for _, complaint := range w.crm.complaints {
		t.Fatal(complaint)
	}
}

// heal ends all trouble and lets workers bring all threads to the CRM.
func (w *world) heal(t *rapid.T) {
	for id, row := range w.queue.rows {
		if row.Own { // that the CRM has lost it shows at the next push
			w.queue.commit(event(id, w.version+1000))
		}
	}
	for round := 0; !w.queue.isSynced(); round++ {
		if round == 100 {
			for id, row := range w.queue.rows {
				t.Errorf("%s: %+v", id, row.Sync)
			}
			t.Fatalf("not synced; %v", w.crm.requests)
		}
		w.now = w.now.Add(2 * time.Minute)
		for id, row := range w.queue.rows {
			if row.Sync.Parked {
				w.queue.wake(id, w.now)
			}
		}
		c, err := w.queue.Claim(t.Context(), store.ClaimRequest{Limit: 10, Lease: lease, Items: 2})
		if err != nil {
			t.Fatal(err)
		}
		var pushes []store.Push
		for i := range c.Work {
			a := newAttempt(w.crm, anything{}, &c.Work[i])
			a.run(t.Context())
			pushes = append(pushes, a.push)
		}
		if _, err := w.queue.Record(t.Context(), pushes, w.now); err != nil {
			t.Fatal(err)
		}
	}
	w.crm.mustEqual(t, w.queue)
	w.mustHaveSettled(t)
	mustVerify(t, w.queue)
}

// mustHaveSettled fails the test if something is left to be done about an item of a thread that is synced.
func (w *world) mustHaveSettled(t *rapid.T) {
	letters := 0
	for key, item := range w.queue.items {
		switch row := w.queue.rows[key.ThreadID]; {
		case row == nil || !row.Own:
		case item.Dirty():
			t.Errorf("%v of a thread that is synced is dirty: %+v", key, item)
		case item.IsAside() && !item.Theirs:
			letters++
		}
	}
	if len(w.queue.letters) != letters {
		t.Errorf("%d dead letters about %d items that are set aside", len(w.queue.letters), letters)
	}
}

// mustVerify fails the test unless the chains of the audit are whole.
func mustVerify(t rapid.TB, queue *memory) {
	t.Helper()
	entries := slices.Clone(queue.entries)
	slices.SortFunc(entries, func(a, b audit.Entry) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), cmp.Compare(a.Seq, b.Seq))
	})
	var v audit.Verifier
	for _, e := range entries {
		v.Entry(e)
	}
	for _, problem := range v.Problems {
		t.Error(problem)
	}
}
