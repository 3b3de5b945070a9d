package storetest

import (
	"testing"

	"github.com/cxbridge/cxbridge/internal/store"
)

// The thread is tried again for the sake of the item. If the CRM then refuses the same delta, that is the
// letter that was there.
func testReplayItemOfAParkedThread(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("bad", 1), message("m", 2)))
	w := claimOne(t, s)
	push := parked(w, 422)
	push.Items = w.Items
	setAside(&push, 0)
	record(t, s, push)
	bad, l := newest(t, s), pushLetter(t, s)
	if bad.ID == l.ID {
		bad = list(t, s, 0, 2)[1]
	}

	wake(t, s, "t", bad.ID)
	requireLetters(t, s, bad.ID, l)
	w = claimOne(t, s)
	requireEqual(t, "what is tried", ids(w.Items), []string{"bad", "m"})
	push = parked(w, 422)
	push.Park.Received, push.Items = at(9000), w.Items
	setAside(&push, 0)
	record(t, s, push)
	requireEqual(t, "the letter about the thread", pushLetter(t, s), l)
	bad.Replays = 1
	if got, err := s.DeadLetter(ctx(), bad.ID); err != nil {
		t.Errorf("the letter about the item: %v", err)
	} else {
		requireEqual(t, "the letter about the item", *got, bad)
	}
}

// The item is good now, and the CRM refuses the thread because of it: nothing more becomes of the letter
// while the thread is parked.
func testReplayThreadIsParked(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("b", 2)))
	refuse(t, s, claimOne(t, s), "too long")
	a, b := letterOf(t, s, "t", "a"), letterOf(t, s, "t", "b")
	park := func() {
		t.Helper()
		w := claimOne(t, s)
		requireEqual(t, "what is tried again", ids(w.Items), []string{"a"})
		push := parked(w, 422)
		push.Items = w.Items
		record(t, s, push)
		requireNoneDue(t, s)
	}
	wake(t, s, "t", a.ID)
	requireLetters(t, s, a.ID, b)
	park()
	a.Replays = 1
	l := pushLetter(t, s)
	requireLetters(t, s, 0, a, b, l)

	wake(t, s, "t", l.ID)
	park()
	l.Replays = 1
	requireLetters(t, s, 0, a, b, l)

	wake(t, s, "t", a.ID)
	requireLetters(t, s, a.ID, b, l)
	w := claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"a"})
	accept(t, s, updated("t", 2)) // the thread is tried again at once
	push := parked(w, 422)
	push.Items = w.Items
	record(t, s, push)
	requireLetters(t, s, a.ID, b, l)
	w = claimOne(t, s)
	push = done(w)
	push.Solved = []store.LetterKey{store.ItemLetter(w.Items[0].ItemKey), store.PushLetter("t")}
	record(t, s, push)
	requireLetters(t, s, a.ID, b)
}

// While another value of the item is pushed, its letter is replayed, and the value that was refused comes
// back. It is tried again.
func testReplayValueComesBack(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1)))
	refuse(t, s, claimOne(t, s), "too long")
	a := letterOf(t, s, "t", "a")
	other := message("a", 1)
	other.Text = "another text"
	accept(t, s, updated("t", 2, other))
	w := claimOne(t, s)
	requireEqual(t, "what is pushed", ids(w.Items), []string{"a"})
	wake(t, s, "t", a.ID)
	push := failed(w, 500, 0)
	push.Items = w.Items // as after a conflict
	record(t, s, push)
	accept(t, s, updated("t", 3, message("a", 1)))
	requireLetters(t, s, a.ID)
	w = claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"a"})
	refuse(t, s, w, "too long")
	a.Replays = 1
	requireLetters(t, s, 0, a)
}
