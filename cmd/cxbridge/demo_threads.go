package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/store"
)

// threadsDemo plays social conversations in storms, with a CRM that has trouble of its own and
// another user, and compares the CRM with CXone after each storm.
type threadsDemo struct {
	demo          *demonstration
	conversations *sim.Conversations
	crm           *sim.CRM
	parked        *parkedThread
	sender        *sim.Sender
	rng           *rand.Rand // of the other user of the CRM

	mu     sync.Mutex
	storms []stormReport
}

// stormReport is how a storm ended.
type stormReport struct {
	events   int           // posted during it
	caughtUp time.Duration // from its last event until the CRM was equal
	threads  int           // in CXone at the end
	messages int
}

// The trouble that the CRM has, as shares of its requests.
var demoTrouble = sim.CRMTrouble{
	Throttled: 0.002, Failed: 0.02, Cut: 0.01, RetryAfter: time.Second, Delay: 2 * time.Millisecond,
}

const (
	stormChanges = 150
	threadsRate  = 60 // posts per second

	// meddleEvery is how often the other user does something.
	meddleEvery = 150 * time.Millisecond

	// equalWithin is how long the CRM may take to become equal after a storm: retries of what failed
	// in it wait for up to a minute.
	equalWithin = 2 * time.Minute
)

func newThreadsDemo(d *demonstration, crm *sim.CRM, seed uint64) *threadsDemo {
	t := &threadsDemo{
		demo: d, crm: crm, rng: rand.New(rand.NewPCG(seed, 3)), parked: newParkedThread(time.Now()),
		conversations: sim.NewConversations(rand.New(rand.NewPCG(seed, 1)), sim.Social{Threads: 80}),
	}
	crm.SetFaults(t.parked.faults(demoTrouble.Faults(rand.New(rand.NewPCG(seed, 2)))))
	crm.SetETags(true)
	t.sender = &sim.Sender{
		URL:  d.service.address() + threadsPath,
		Sign: sim.BySecret(d.service.config.WebhookSecrets[0].Reveal()),
		Rate: threadsRate, Workers: 8, Retries: 10,
	}
	return t
}

// play plays storms until the time is up, and compares after each.
func (t *threadsDemo) play(ctx context.Context, until time.Time) error {
	if err := t.postParked(ctx); err != nil {
		return err
	}
	for {
		if err := t.storm(ctx, until); err != nil || ctx.Err() != nil {
			return err
		}
		if !time.Now().Before(until) {
			return nil
		}
	}
}

// postParked posts the thread that the CRM refuses.
func (t *threadsDemo) postParked(ctx context.Context) error {
	post, err := t.parked.post()
	if err != nil {
		return err
	}
	posts := []sim.Post{post}
	t.sender.Run(ctx, func() (sim.Post, bool) {
		if len(posts) == 0 {
			return sim.Post{}, false
		}
		posts = nil
		return post, true
	})
	return nil
}

// thread returns a thread as CXone answers when it is asked for it.
func (t *threadsDemo) thread(id string) (sim.Conversation, bool) {
	if id == parkedThreadID {
		return t.parked.conversation, true
	}
	return t.conversations.Thread(id)
}

// storm plays one storm, posts the rest of its events, and waits until the CRM is equal.
func (t *threadsDemo) storm(ctx context.Context, until time.Time) error {
	before := t.sender.Counts().Posts
	meddling, stopMeddling := context.WithCancel(ctx)
	var other sync.WaitGroup
	other.Go(func() { t.meddle(meddling) })
	t.conversations.Storm(stormChanges)
	t.sender.Run(ctx, func() (sim.Post, bool) {
		if !t.conversations.Storming() || !time.Now().Before(until) {
			return sim.Post{}, false
		}
		return t.conversations.Next(time.Now()), true
	})
	t.sender.Run(ctx, t.conversations.Rest)
	stopMeddling()
	other.Wait()
	if ctx.Err() != nil {
		return nil
	}
	began := time.Now()
	if err := t.awaitEqual(ctx); err != nil {
		return err
	}
	report := stormReport{events: t.sender.Counts().Posts - before, caughtUp: time.Since(began)}
	for _, c := range t.conversations.Expected() {
		report.threads++
		report.messages += len(c.Messages)
	}
	t.mu.Lock()
	t.storms = append(t.storms, report)
	t.mu.Unlock()
	return nil
}

// meddle is the other user of the CRM.
func (t *threadsDemo) meddle(ctx context.Context) {
	tick := time.NewTicker(meddleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.crm.Meddle(t.rng)
		case <-ctx.Done():
			return
		}
	}
}

// awaitEqual waits until cxbridge says that every thread is synced, and then compares the CRM with
// CXone, as cxbridge is not to be believed. It returns the error of ctx when that ends first.
func (t *threadsDemo) awaitEqual(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, equalWithin)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		busy, err := t.unsynced(waiting)
		if err == nil && busy == 0 {
			break
		}
		select {
		case <-poll.C:
		case <-waiting.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("after %v %d threads are not in the CRM: %w", equalWithin, busy, errors.Join(err, waiting.Err()))
		}
	}
	differences, err := t.differences(ctx)
	if err != nil {
		return err
	}
	if wrong := slices.Concat(t.crm.Violations(), differences); len(wrong) > 0 {
		for _, line := range wrong[:min(len(wrong), 20)] {
			fmt.Fprintln(t.demo.out, "  WRONG:", line)
		}
		return errors.New("the CRM differs from CXone")
	}
	return nil
}

// differences compares the CRM with CXone. It leaves out threads that were made up at the console meanwhile.
func (t *threadsDemo) differences(ctx context.Context) ([]string, error) {
	st, want := t.demo.service.store, t.conversations.Expected()
	state, err := t.parked.state(ctx, st)
	if err != nil {
		return nil, err
	}
	if state == store.StateSynced {
		want = append(want, t.parked.conversation)
	}
	ours := make(map[string]bool, len(want))
	for _, c := range want {
		ours[c.ThreadID] = true
	}
	var got []sim.Conversation
	for _, c := range t.crm.Conversations() {
		if !ours[c.ThreadID] {
			if _, err := st.Thread(ctx, c.ThreadID); err == nil {
				continue // it came by an event that we did not post
			}
		}
		got = append(got, c)
	}
	return sim.Differences(want, got, t.crm.Foreign()), nil
}

// unsynced counts the threads that are not synced, up to 100 of each state. The thread that the CRM
// refuses does not count while it is parked.
func (t *threadsDemo) unsynced(ctx context.Context) (n int, err error) {
	for _, state := range []store.SyncState{store.StatePending, store.StateRetrying, store.StateParked} {
		rows, err := t.demo.service.store.Threads(ctx, store.ThreadQuery{State: state, Limit: 100})
		if err != nil {
			return 0, err
		}
		for i := range rows {
			if state != store.StateParked || rows[i].ID != parkedThreadID {
				n++
			}
		}
	}
	return n, nil
}

// summary says how it goes.
func (t *threadsDemo) summary() string {
	f := t.demo.service.syncer.Figures()
	counts := t.crm.Counts()
	requests := 0
	for _, n := range counts.Requests {
		requests += n
	}
	text := fmt.Sprintf("  threads   %d posts of CXone; %d pushes acknowledged, %.0f ms after the event on average; %d failed and tried again\n",
		t.sender.Counts().Posts, f.Pushes, f.MeanLag.Seconds()*1000, f.Failures)
	text += fmt.Sprintf("  crm       %d requests; another user was quicker %d times; %d of their changes are kept as they are\n",
		requests, f.Conflicts, f.Kept)
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.storms); n > 0 {
		s := t.storms[n-1]
		text += fmt.Sprintf("  storm %-3d %d posts; %.1f s after the last one the CRM was equal to CXone, by comparison: %d threads, %d messages\n",
			n, s.events, s.caughtUp.Seconds(), s.threads, s.messages)
	}
	return text
}

// verdict sums up the storms.
func (t *threadsDemo) verdict(parked store.SyncState) string {
	foreign := 0
	for _, f := range t.crm.Foreign() {
		foreign += len(f.Messages) + len(f.Participants)
	}
	last := t.storms[len(t.storms)-1]
	return fmt.Sprintf("Checked: after each of %d storms the CRM was equal to CXone, at the end %d threads with %d messages;\n"+
		"nothing was applied twice, and all %d messages and participants that another user had changed are as they were left.\n",
		len(t.storms), last.threads, last.messages, foreign) + t.parked.verdict(parked)
}
