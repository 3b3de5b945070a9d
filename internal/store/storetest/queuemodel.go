package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testQueueModel compares the queue with a model of it, while events come, and workers push, fail, die
// and come too late. In the end the CRM has everything.
func testQueueModel(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	world := 0
	rapid.Check(t, func(t *rapid.T) {
		world++
		m := &queueModel{s: s, world: fmt.Sprintf("%d/", world), state: thread.NewState(), rows: make(map[string]*modelRow)}
		for _, name := range []string{"a", "b", "c"} {
			m.threads = append(m.threads, m.world+name)
		}
		actions := map[string]func(t *rapid.T){
			"commit": m.commit, "claim": m.claim, "record": m.record, "die": m.die, "extend": m.extend, "wake": m.wake, "release": m.release,
		}
		names := []string{"commit", "commit", "claim", "claim", "claim", "record", "record", "record", "die", "extend", "wake", "release"}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			actions[rapid.SampledFrom(names).Draw(t, "action")](t)
			m.check(t)
		}
		m.finish(t)
	})
	requireUnbroken(t, s)
}

// wait is how long something keeps a thread from being claimed, as far as the model can know it.
type wait int

const (
	none wait = iota
	soon      // it may be over already
	long      // it lasts longer than the test
)

func (w wait) duration() time.Duration { return [...]time.Duration{0, moment, store.MaxWait}[w] }

// modelRow is a row, with waits for its times.
type modelRow struct {
	sync       store.Sync
	lease, due wait
}

func (r *modelRow) isDue() bool { return r.mayBeDue() && r.lease == none && r.due == none }

func (r *modelRow) mayBeDue() bool {
	return r.sync.Want > r.sync.Done && !r.sync.Parked && r.lease != long && r.due != long
}

func (r *modelRow) raise(now time.Time) {
	if r.sync.Want == r.sync.Done || r.sync.Parked {
		r.sync.Since, r.sync.Attempts, r.sync.Parked, r.due = now, 0, false, none
	}
	r.sync.Want++
}

type queueModel struct {
	s       store.Store
	world   string // that the ids begin with
	threads []string
	rows    map[string]*modelRow
	state   *thread.State // with what the CRM has acknowledged
	claims  []store.Work  // of all workers, lost ones included
	seconds int
	events  int
}

func (m *queueModel) now() time.Time {
	m.seconds++
	return at(m.seconds)
}

func (m *queueModel) commit(t *rapid.T) {
	pick := func(label string) string { return rapid.SampledFrom(m.threads).Draw(t, label) }
	m.events++
	e := updated(pick("thread"), m.events, message(rapid.SampledFrom([]string{"m", "n"}).Draw(t, "message"), m.events))
	if parent := pick("parent"); parent != e.ThreadID && rapid.IntRange(0, 3).Draw(t, "split") == 0 {
		e = split(e.ThreadID, parent, m.events, e.Messages...)
	}
	now := m.now()
	shown := m.state.Fold(e)
	for _, id := range shown {
		if m.rows[id] == nil {
			m.rows[id] = &modelRow{}
		}
		m.rows[id].raise(now)
	}
	want := store.Outcome{Rev: m.rows[e.ThreadID].sync.Want}
	if hadTaken(m.state, e) {
		want.ParentRev = m.rows[e.Parent].sync.Want
	}
	requireEqual(t, "outcomes", commitAt(t, m.s, now, events(e)...), []store.Outcome{want})
}

func (m *queueModel) claim(t *rapid.T) {
	r := store.ClaimRequest{Limit: rapid.IntRange(1, 3).Draw(t, "limit"), Items: rapid.IntRange(1, 3).Draw(t, "items")}
	lease := rapid.SampledFrom([]wait{soon, long, long}).Draw(t, "lease")
	r.Lease = lease.duration()
	m.take(t, claimed(t, m.s, r).Work, r, lease)
}

// take checks the claimed threads, and notes them.
func (m *queueModel) take(t *rapid.T, work []store.Work, r store.ClaimRequest, lease wait) {
	var last time.Time
	for _, w := range work {
		row := m.rows[w.ThreadID]
		if row == nil || !row.mayBeDue() {
			t.Fatalf("claimed %s, which is not due: %+v", w.ThreadID, row)
		}
		if row.sync.Since.Before(last) {
			t.Fatalf("%s has waited longer than the one before it", w.ThreadID)
		}
		last = row.sync.Since
		row.sync.Uncertain = row.sync.Uncertain || row.lease == soon
		row.sync.Epoch++
		row.lease = lease
		requireEqual(t, "claimed "+w.ThreadID, w.Row.Sync, row.sync, noTimes)
		m.requireItems(t, &w, r.Items)
	}
	for id, row := range m.rows {
		if row.isDue() && (len(work) < r.Limit || row.sync.Since.Before(last)) {
			t.Fatalf("%s is due since %v and was not claimed, with %q", id, row.sync.Since, workIDs(work))
		}
	}
	m.claims = append(m.claims, work...)
}

// noTimes leaves out the fields that depend on the clock of the database, and those that the model does
// not keep.
var noTimes = cmpopts.IgnoreFields(store.Sync{}, "LeaseUntil", "Due", "LastStatus", "LastError", "Answered")

func (m *queueModel) requireItems(t *rapid.T, w *store.Work, limit int) {
	dirty := 0
	for _, item := range m.state.Items {
		if item.ThreadID == w.ThreadID && item.Dirty() {
			dirty++
		}
	}
	if len(w.Items) != min(limit, dirty) || w.More != (dirty > limit) {
		t.Fatalf("%d items of %s, more %v, want %d of %d", len(w.Items), w.ThreadID, w.More, min(limit, dirty), dirty)
	}
	for _, item := range w.Items {
		requireEqual(t, "item", item, m.state.Items[item.ItemKey], revisions)
	}
}

// anyClaim draws a claim, which its worker may have lost without knowing it.
func (m *queueModel) anyClaim(t *rapid.T) (w store.Work, row *modelRow, isHeld bool) {
	if len(m.claims) == 0 {
		return store.Work{}, nil, false
	}
	w = m.claims[rapid.IntRange(0, len(m.claims)-1).Draw(t, "claim")]
	row = m.rows[w.ThreadID]
	return w, row, row.lease != none && row.sync.Epoch == w.Epoch
}

func (m *queueModel) record(t *rapid.T) {
	w, row, isHeld := m.anyClaim(t)
	if row == nil {
		return
	}
	push := store.Push{Claim: w.Claim, Rev: w.Row.Sync.Want, Status: 200}
	park, due := false, none
	switch rapid.SampledFrom([]string{"done", "done", "set aside", "failed", "unknown", "parked"}).Draw(t, "outcome") {
	case "done":
		push = done(&w)
	case "set aside":
		for _, item := range w.Items {
			item.SetAside = item.View()
		}
		push.Items, push.Done = w.Items, !w.More && !slices.ContainsFunc(w.Items, (*thread.Item).Dirty)
	case "failed":
		due = rapid.SampledFrom([]wait{none, soon, long}).Draw(t, "retry in")
		push = failed(&w, 500, due.duration())
	case "unknown":
		push = failed(&w, 0, 0)
		push.Uncertain = true
	case "parked":
		park = row.sync.Want == push.Rev
		push = parked(&w, 422)
	}
	now := m.now()
	held, err := m.s.Record(ctx(), []store.Push{push}, now)
	if err != nil || len(held) != 1 || held[0] != isHeld {
		t.Fatalf("Record: %v, %v, want %v", held, err, isHeld)
	}
	if isHeld {
		m.end(&push, row, park, due, now)
	}
}

func (m *queueModel) end(push *store.Push, row *modelRow, park bool, due wait, now time.Time) {
	for _, item := range push.Items {
		ours := m.state.Items[item.ItemKey]
		ours.Acked, ours.SetAside = item.Acked, item.SetAside
	}
	if push.Copy != nil {
		m.state.Threads[push.ThreadID].CRM = *push.Copy
	}
	sync := &row.sync
	row.lease, row.due, sync.Parked, sync.Uncertain = none, due, park, push.Uncertain
	if push.Done {
		sync.Done = push.Rev
	}
	if push.Error != "" {
		sync.Attempts++
	} else {
		sync.Attempts, sync.Since = 0, now
	}
	if sync.Done == sync.Want {
		sync.Since = time.Time{}
	}
}

// die ends a lease, as the death of a worker does in time.
func (m *queueModel) die(t *rapid.T) { m.extendTo(t, soon) }

func (m *queueModel) extend(t *rapid.T) { m.extendTo(t, long) }

func (m *queueModel) extendTo(t *rapid.T, lease wait) {
	w, row, isHeld := m.anyClaim(t)
	if row == nil {
		return
	}
	isLost := len(extend(t, m.s, lease.duration(), w.Claim)) == 1
	if !isHeld && !isLost || isHeld && isLost && row.lease == long {
		t.Fatalf("Extend of %+v: lost %v, held %v", w.Claim, isLost, isHeld)
	}
	if !isLost {
		row.lease = lease
	}
}

func (m *queueModel) wake(t *rapid.T) {
	m.wakeThread(t, rapid.SampledFrom(m.threads).Draw(t, "thread"))
}

func (m *queueModel) wakeThread(t *rapid.T, id string) {
	now := m.now()
	err := m.s.Wake(ctx(), id, 0, replayNote, now)
	row := m.rows[id]
	if row == nil {
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("Wake of a thread that is not known: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Wake: %v", err)
	}
	row.raise(now)
	row.sync.Attempts, row.due = 0, none
	for _, item := range m.state.Items {
		if item.ThreadID == id && !item.SetAside.IsZero() {
			item.SetAside = thread.Retry
		}
	}
}

// release is a start of the program: an embedded store has no other.
func (m *queueModel) release(t *rapid.T) {
	if err := m.s.ReleaseLeases(ctx()); err != nil {
		t.Fatalf("ReleaseLeases: %v", err)
	}
	for id, row := range m.rows {
		if row.lease != none && readThread(t, m.s, id).Sync.LeaseUntil.IsZero() {
			row.lease, row.sync.Uncertain = none, true
		}
	}
}

// check compares every row with the model.
func (m *queueModel) check(t *rapid.T) {
	rows, err := m.s.Threads(ctx(), store.ThreadQuery{After: m.world, Limit: len(m.threads)})
	if err != nil {
		t.Fatalf("Threads: %v", err)
	}
	found := make(map[string]*store.ThreadRow)
	for _, row := range rows {
		found[row.ID] = &row
	}
	for id, want := range m.rows {
		got := found[id]
		if got == nil {
			t.Fatalf("%s is not listed", id)
		}
		requireEqual(t, "sync of "+id, got.Sync, want.sync, noTimes)
		if got.Sync.Done > got.Sync.Want || got.Sync.LeaseUntil.IsZero() != (want.lease == none) || got.Sync.Due.IsZero() != (want.due == none) {
			t.Fatalf("sync of %s: %+v, with waits %+v", id, got.Sync, want)
		}
	}
}

// finish brings everything to the CRM. Only a lease, a time to wait or the need for an operator's decision
// may keep a thread from it.
func (m *queueModel) finish(t *rapid.T) {
	for id, row := range m.rows {
		if row.lease == long {
			extend(t, m.s, moment, store.Claim{ThreadID: id, Epoch: row.sync.Epoch})
			row.lease = soon
		}
		if row.sync.Parked || row.due == long {
			m.wakeThread(t, id)
		}
	}
	isBehind := func(id string) bool { return m.rows[id] != nil && m.rows[id].sync.Want > m.rows[id].sync.Done }
	for slices.ContainsFunc(m.threads, isBehind) {
		work := awaitClaim(t, m.s, 3, time.Hour)
		m.claims = nil
		m.take(t, work, request(3, time.Hour), long)
		for _, w := range m.claims {
			push, now := done(&w), m.now()
			if held, err := m.s.Record(ctx(), []store.Push{push}, now); err != nil || !held[0] {
				t.Fatalf("Record: %v, %v", held, err)
			}
			m.end(&push, m.rows[w.ThreadID], false, none, now)
		}
	}
	m.check(t)
	for _, item := range m.state.Items {
		if item.Dirty() {
			t.Fatalf("the CRM was not told of %+v", item)
		}
	}
	requireState(t, m.s, m.state, revisions)
}
