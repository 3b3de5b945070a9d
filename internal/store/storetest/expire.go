package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// expire deletes what is older than a time, in steps, and returns how much that was.
func expire(t failer, s store.Store, kind store.Expirable, before time.Time, limit int) (deleted int) {
	t.Helper()
	cursor := ""
	for steps := 0; ; steps++ {
		e, err := s.Expire(ctx(), kind, before, cursor, limit)
		if err != nil {
			t.Fatalf("Expire(%s, %q): %v", kind, cursor, err)
		}
		if e.Deleted < 0 || e.Deleted > limit || steps > 100_000 {
			t.Fatalf("step %d of Expire(%s) deletes %d, and goes on at %q", steps, kind, e.Deleted, e.Cursor)
		}
		deleted += e.Deleted
		if cursor = e.Cursor; cursor == "" {
			return deleted
		}
	}
}

func testExpireMessages(t *testing.T, create func(t *testing.T) Open) {
	for _, limit := range []int{1, 3, 100} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			s := migrated(t, create)
			for i := range 10 {
				id := fmt.Sprint("m", 9-i) // ids do not show the age
				commit(t, s, receipts(receipt(id, sms.Pending, at(i), at(i)))...)
				commit(t, s, receipts(receipt(id, sms.Delivered, at(i+1), at(100)))...)
			}
			if n := expire(t, s, store.ExpireMessages, at(0), limit); n != 0 {
				t.Errorf("%d deleted, and none is older", n)
			}
			if n := expire(t, s, store.ExpireMessages, at(7), limit); n != 7 {
				t.Errorf("%d deleted, want 7", n)
			}
			for i := range 10 {
				_, history, err := s.Message(ctx(), fmt.Sprint("m", 9-i))
				if isGone := errors.Is(err, store.ErrNotFound); isGone != (i < 7) || !isGone && len(history) != 2 {
					t.Errorf("message %d: %v, %d receipts", i, err, len(history))
				}
			}
			if n := expire(t, s, store.ExpireMessages, at(7), limit); n != 0 {
				t.Errorf("%d deleted the second time", n)
			}
			if total := ask(t, s, sumOfAll(t)).Total; total != 10 {
				t.Errorf("%d messages are counted, want those that were deleted, too", total)
			}
			late := receipt("m9", sms.Expired, at(50), at(200))
			requireEqual(t, "a receipt that comes late is new", commit(t, s, receipts(late)...), []bool{false})
			m, history := read(t, s, "m9")
			requireEqual(t, "its message", m, folded(late))
			requireEqual(t, "its history", history, []sms.PastReceipt{late.Past()})
		})
	}
}

func testExpireJournal(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	var all []*thread.Event
	for i := range 10 {
		all = append(all, updated(fmt.Sprint("t", i%3), i))
		accept(t, s, all[i])
	}
	if n := expire(t, s, store.ExpireJournal, at(6), 2); n != 6 {
		t.Errorf("%d deleted, want 6", n)
	}
	for i, e := range all {
		want := store.Outcome{Stale: true, Duplicate: i >= 6, Rev: readThread(t, s, e.ThreadID).Sync.Want}
		requireEqual(t, fmt.Sprintf("event %d once more", i), accept(t, s, e), []store.Outcome{want})
	}
}

// A dead letter stays as long as somebody needs it to help a thread.
func testExpireDeadLetters(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	for i := range 6 {
		l := letter("x", "bad", fmt.Sprint(i))
		l.Received = at(i)
		commit(t, s, letters(l)...)
	}
	accept(t, s, updated("parked", 1, message("m", 1)))
	record(t, s, parked(claimOne(t, s), 422))
	accept(t, s, updated("aside", 1, message("bad", 1)))
	push := done(claimOne(t, s))
	setAside(&push, 0)
	record(t, s, push)

	reasons := func() (left []string) {
		for _, l := range list(t, s, 0, 100) {
			left = append(left, string(l.Kind)+" "+string(l.Raw))
		}
		slices.Sort(left)
		return left
	}
	const push1, item1 = `thread-push {"delta":1}`, `thread-item {"item":1}`
	if n := expire(t, s, store.ExpireDeadLetters, at(4), 2); n != 4 {
		t.Errorf("%d deleted, want 4", n)
	}
	requireEqual(t, "left", reasons(), []string{"sms 4", "sms 5", item1, push1})
	expire(t, s, store.ExpireDeadLetters, at(1_000_000), 3)
	requireEqual(t, "left, as they are needed", reasons(), []string{item1, push1})
	accept(t, s, updated("parked", 2), updated("aside", 2, message("bad", 2)))
	for _, w := range claim(t, s, 2, time.Hour) {
		record(t, s, done(&w))
	}
	expire(t, s, store.ExpireDeadLetters, at(1_000_000), 3)
	requireEqual(t, "left at the end", reasons(), []string(nil))
}

// setAside lets a push set one of its items aside.
func setAside(push *store.Push, i int) {
	item := push.Items[i]
	item.Acked, item.SetAside = thread.Hash{}, item.View()
	key := store.ItemLetter(item.ItemKey)
	push.SetAside = append(push.SetAside, &store.DeadLetter{
		Kind: key.Kind, Key: key.Key, Subject: item.ThreadID, Reason: "too long", Received: at(7200), Raw: []byte(`{"item":1}`),
	})
}

// expiryLimit is less than the items of a thread, so that its deletion takes several steps.
const expiryLimit = 3

func testExpireThreads(t *testing.T, create func(t *testing.T) Open) {
	t.Run("WhatTheCRMHas", func(t *testing.T) { testExpireWhatTheCRMHas(t, migrated(t, create)) })
	t.Run("WhatComesAgain", func(t *testing.T) { testExpireWhatComesAgain(t, migrated(t, create)) })
	t.Run("Families", func(t *testing.T) { testExpireFamilies(t, migrated(t, create)) })
	t.Run("LettersAboutItems", func(t *testing.T) { testExpireLettersAboutItems(t, migrated(t, create)) })
	t.Run("EventWhileItIsDeleted", func(t *testing.T) { testExpireWhileAnEventComes(t, migrated(t, create)) })
}

// pushAll lets the CRM accept everything that is due.
func pushAll(t failer, s store.Store) {
	t.Helper()
	for _, w := range claim(t, s, 100, time.Hour) {
		record(t, s, done(&w))
	}
}

func manyMessages(n int) (all []thread.Message) {
	for i := range n {
		all = append(all, message(fmt.Sprint("m", i), i))
	}
	return all
}

// requireGone looks for threads that were deleted.
func requireGone(t failer, s store.Store, gone ...string) {
	t.Helper()
	for _, id := range gone {
		if _, err := s.Thread(ctx(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Thread(%q): %v, want ErrNotFound", id, err)
		}
		requireEqual(t, "messages of "+id, ids(itemsOf(t, s, id, thread.KindMessage, 100)), []string{})
		requireEqual(t, "participants of "+id, ids(itemsOf(t, s, id, thread.KindParticipant, 100)), []string{})
	}
}

func testExpireWhatTheCRMHas(t *testing.T, s store.Store) {
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		e := updated(id, 1, manyMessages(4)...)
		e.Participants = []thread.Participant{person("p", "Ann")}
		commitAt(t, s, at(i), events(sealed(e))...)
	}
	if n := expire(t, s, store.ExpireThreads, at(1000), expiryLimit); n != 0 {
		t.Errorf("%d deleted, and the CRM has none", n)
	}
	pushAll(t, s)
	commitAt(t, s, at(0), events(updated("waits", 1, message("m", 1)), updated("leased", 1), updated("parks", 1))...)
	for _, w := range claim(t, s, 10, time.Hour) {
		switch w.ThreadID {
		case "waits":
			record(t, s, failed(&w, 500, store.MaxWait))
		case "parks":
			record(t, s, parked(&w, 422))
		}
	}
	if n := expire(t, s, store.ExpireThreads, at(3), expiryLimit); n != 3 {
		t.Errorf("%d deleted, want 3", n)
	}
	requireGone(t, s, "a", "b", "c")
	requireEqual(t, "left", threads(t, s, store.ThreadQuery{Limit: 10}), []string{"d", "e", "leased", "parks", "waits"})
	if n := len(itemsOf(t, s, "d", thread.KindMessage, 10)); n != 4 {
		t.Errorf("%d messages of a thread that is kept, want 4", n)
	}
	if n := expire(t, s, store.ExpireThreads, at(3), expiryLimit); n != 0 {
		t.Errorf("%d deleted the second time", n)
	}
	requireNoneDue(t, s)
	requireUnbroken(t, s)
}

func testExpireWhatComesAgain(t *testing.T, s store.Store) {
	first := updated("t", 5, manyMessages(4)...)
	accept(t, s, first)
	pushAll(t, s)
	before := readThread(t, s, "t")
	expire(t, s, store.ExpireThreads, at(10_000), expiryLimit)
	requireEqual(t, "a known event", accept(t, s, first), []store.Outcome{{Duplicate: true, Stale: true, Rev: 1}})
	requireGone(t, s, "t")
	next := updated("t", 6, message("new", 100))
	requireEqual(t, "a new event", accept(t, s, next), []store.Outcome{{Rev: 2}})
	row := readThread(t, s, "t")
	requireEqual(t, "what the CRM has", row.CRM, before.CRM)
	if row.Version != 6 || row.Audit.Seq != before.Audit.Seq+1 {
		t.Errorf("version %d, %d audit entries", row.Version, row.Audit.Seq)
	}
	w := claimOne(t, s)
	requireEqual(t, "what is pushed", ids(w.Items), []string{"new"})
	if !w.Row.Sync.Uncertain {
		t.Error("the CRM's copy is not read before")
	}
	record(t, s, done(w))
	requireUnbroken(t, s)
}

func testExpireFamilies(t *testing.T, s store.Store) {
	commitAt(t, s, at(0), events(updated("child", 1, message("c", 1)), merged("child", "parent", 2), split("young", "unseen", 2, message("x", 1)))...)
	commitAt(t, s, at(100), events(updated("parent", 1, message("p", 2)), updated("young", 3))...)
	pushAll(t, s)
	links := linksOf(t, s, "parent")
	if n := expire(t, s, store.ExpireThreads, at(50), expiryLimit); n != 2 {
		t.Errorf("%d deleted, want the child and what is known of a parent", n)
	}
	requireGone(t, s, "child", "unseen")
	requireEqual(t, "links", linksOf(t, s, "parent"), links)
	requireEqual(t, "timeline", ids(timelineOf(t, s, thread.Family("parent", links), 10)), []string{"p"})
	requireEqual(t, "the child of the other", ids(itemsOf(t, s, "young", thread.KindMessage, 10)), []string{"x"})
	requireNoneDue(t, s)
}

func testExpireLettersAboutItems(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, manyMessages(5)...))
	push := done(claimOne(t, s))
	setAside(&push, 4)
	record(t, s, push)
	commit(t, s, letters(letter("t", "another", "event"))...)
	if n := expire(t, s, store.ExpireThreads, at(10_000), expiryLimit); n != 1 {
		t.Errorf("%d deleted, want 1", n)
	}
	requireGone(t, s, "t")
	if left := list(t, s, 0, 10); len(left) != 1 || left[0].Kind != store.KindSMS {
		t.Errorf("dead letters that are left: %+v", left)
	}
}

func testExpireWhileAnEventComes(t *testing.T, s store.Store) {
	commitAt(t, s, at(0), events(updated("t", 1, manyMessages(5)...))...)
	pushAll(t, s)
	e, err := s.Expire(ctx(), store.ExpireThreads, at(10), "", expiryLimit)
	if err != nil || e.Deleted != 0 || e.Cursor == "" {
		t.Fatalf("the first step: %+v, %v", e, err)
	}
	commitAt(t, s, at(20), events(updated("t", 2, manyMessages(5)...))...)
	if e, err = s.Expire(ctx(), store.ExpireThreads, at(10), e.Cursor, expiryLimit); err != nil || e.Deleted != 0 || e.Cursor != "" {
		t.Fatalf("the second step: %+v, %v", e, err)
	}
	requireEqual(t, "messages", ids(itemsOf(t, s, "t", thread.KindMessage, 10)), []string{"m0", "m1", "m2", "m3", "m4"})
	requireEqual(t, "what is compared with the CRM", ids(claimOne(t, s).Items), []string{"m0", "m1", "m2"})
	requireUnbroken(t, s)
}

func testExpireUnknown(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	if _, err := s.Expire(ctx(), "audit", at(0), "", 10); err == nil {
		t.Error("the audit log can expire")
	}
	for _, kind := range []store.Expirable{store.ExpireMessages, store.ExpireJournal, store.ExpireDeadLetters} {
		if _, err := s.Expire(ctx(), kind, at(0), "nonsense", 10); err == nil {
			t.Errorf("%s: a cursor that is none is taken", kind)
		}
	}
}

// testExpireModel compares what is left with a model, while all kinds of things come, are pushed and
// expire, in steps of any size between which others come.
func testExpireModel(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	world := 0
	now := 0 // seconds; grows over all worlds, so that what is left of one is older than the next
	rapid.Check(t, func(t *rapid.T) {
		world++
		m := &expiryModel{
			s: s, world: fmt.Sprint(world, "/"), now: &now,
			messages: make(map[string]int), changed: make(map[string]int), synced: make(map[string]bool), letters: make(map[string]int),
		}
		actions := map[string]func(*rapid.T){"receipt": m.receipt, "event": m.event, "letter": m.letter, "push": m.push, "expire": m.expire}
		names := []string{"receipt", "event", "event", "letter", "push", "expire"}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			*m.now++
			actions[rapid.SampledFrom(names).Draw(t, "action")](t)
			m.check(t)
		}
	})
	requireUnbroken(t, s)
}

// expiryModel knows when everything in the store came, by its id.
type expiryModel struct {
	s     store.Store
	world string // that ids begin with
	now   *int

	messages map[string]int // by when they were first seen
	changed  map[string]int // threads by when they changed
	synced   map[string]bool
	journal  []*thread.Event
	letters  map[string]int
}

func (m *expiryModel) pick(t *rapid.T, of string) string {
	return m.world + of + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, of)
}

func (m *expiryModel) receipt(t *rapid.T) {
	id := m.pick(t, "message ")
	commit(t, m.s, receipts(receipt(id, sms.Pending, at(*m.now), at(*m.now)))...)
	if _, known := m.messages[id]; !known {
		m.messages[id] = *m.now
	}
}

func (m *expiryModel) event(t *rapid.T) {
	id := m.pick(t, "thread ")
	e := updated(id, *m.now, message(fmt.Sprint("m", *m.now), 1), message(fmt.Sprint("n", *m.now), 1))
	commitAt(t, m.s, at(*m.now), events(e)...)
	m.journal = append(m.journal, e)
	m.changed[id], m.synced[id] = *m.now, false
}

func (m *expiryModel) letter(t *rapid.T) {
	subject := fmt.Sprint(m.world, "letter ", *m.now)
	l := letter(subject, "bad", subject)
	l.Received = at(*m.now)
	commit(t, m.s, letters(l)...)
	m.letters[subject] = *m.now
}

func (m *expiryModel) push(t *rapid.T) {
	for _, w := range claim(t, m.s, rapid.IntRange(1, 3).Draw(t, "claims"), time.Hour) {
		record(t, m.s, done(&w))
		m.synced[w.ThreadID] = true
	}
}

func (m *expiryModel) expire(t *rapid.T) {
	kind := rapid.SampledFrom([]store.Expirable{
		store.ExpireMessages, store.ExpireThreads, store.ExpireJournal, store.ExpireDeadLetters,
	}).Draw(t, "kind")
	before := *m.now - rapid.IntRange(0, 10).Draw(t, "age")
	expire(t, m.s, kind, at(before), rapid.IntRange(1, 5).Draw(t, "limit"))
	switch kind {
	case store.ExpireMessages:
		deleteOlder(m.messages, before)
	case store.ExpireThreads:
		for id, changed := range m.changed {
			if m.synced[id] && changed < before {
				delete(m.changed, id)
			}
		}
	case store.ExpireJournal:
		m.journal = slices.DeleteFunc(m.journal, func(e *thread.Event) bool { return e.Received.Before(at(before)) })
	case store.ExpireDeadLetters:
		deleteOlder(m.letters, before)
	}
}

func deleteOlder(times map[string]int, before int) {
	for id, at := range times {
		if at < before {
			delete(times, id)
		}
	}
}

// check compares all of the model's world.
func (m *expiryModel) check(t *rapid.T) {
	for _, name := range []string{"a", "b", "c"} {
		id := m.world + "message " + name
		_, _, err := m.s.Message(ctx(), id)
		if _, want := m.messages[id]; want == errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s: %v, expected: %v", id, err, want)
		}
		id = m.world + "thread " + name
		_, err = m.s.Thread(ctx(), id)
		if _, want := m.changed[id]; want == errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s: %v, expected: %v", id, err, want)
		}
		journal, err := m.s.Events(ctx(), id, 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, e := range m.journal {
			if e.ThreadID == id {
				want++
			}
		}
		if len(journal) != want {
			t.Fatalf("%d events of %s, want %d", len(journal), id, want)
		}
	}
	found := 0
	for _, l := range list(t, m.s, 0, 1000) {
		if _, isKnown := m.letters[l.Subject]; isKnown {
			found++
		}
	}
	if found != len(m.letters) {
		t.Fatalf("%d dead letters of this world, want %d", found, len(m.letters))
	}
}

// Writers and deleters do not make each other fail.
func testExpireWhileWriting(t *testing.T, create func(t *testing.T) Open, replicas int) {
	stores := openReplicas(t, create, replicas)
	first, stop, stopped := stores[0], make(chan struct{}), make(chan error, replicas)
	for _, s := range stores {
		go func() {
			for {
				for _, kind := range []store.Expirable{store.ExpireMessages, store.ExpireThreads, store.ExpireJournal, store.ExpireDeadLetters} {
					if _, err := s.Expire(ctx(), kind, at(1_000_000), "", 7); err != nil {
						stopped <- err
						return
					}
				}
				select {
				case <-stop:
					stopped <- nil
					return
				default:
				}
			}
		}()
	}
	for i := range 60 {
		var batch []store.Entry
		for j := range 10 {
			batch = append(batch, receipts(receipt(fmt.Sprint("m", (i*7+j*3)%20), sms.Pending, at(i*10+j), at(i)))...)
			batch = append(batch, events(updated(fmt.Sprint("t", (i*3+j*7)%20), i*10+j, message(fmt.Sprint("m", j), j)))...)
		}
		commitAt(t, first, at(i), batch...)
		for _, w := range claim(t, first, 5, time.Hour) {
			recorded(t, first, done(&w))
		}
	}
	close(stop)
	for range replicas {
		if err := <-stopped; err != nil {
			t.Errorf("Expire: %v", err)
		}
	}
	requireUnbroken(t, first)
	note := audit.Note{Subject: "end", Action: audit.ActionDelete, Outcome: "deleted"}
	if err := first.Audit(ctx(), note, at(1)); err != nil {
		t.Error(err)
	}
}
