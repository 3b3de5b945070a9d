package storetest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// testReplay is about Wake with a dead letter, and what Record makes of that letter.
func testReplay(t *testing.T, create func(t *testing.T) Open) {
	for name, test := range map[string]func(t *testing.T, s store.Store){
		"Item":                testReplayItem,
		"Push":                testReplayPush,
		"ItemOfAParkedThread": testReplayItemOfAParkedThread,
		"All":                 testReplayAll,
		"TwiceAtOnce":         testReplayTwiceAtOnce,
		"WhileItIsPushed":     testReplayWhileItIsPushed,
		"ANewVersion":         testReplayMeetsANewVersion,
		"NothingIsSetAside":   testReplayNothingIsSetAside,
		"BodyTellsTheItem":    testReplayBodyTellsTheItem,
		"ThreadIsParked":      testReplayThreadIsParked,
		"ValueComesBack":      testReplayValueComesBack,
		"TheCRMLosesIt":       testReplayLost,
		"RefusedOnceMore":     testRefusedOnceMore,
		"Expire":              testReplayExpire,
		"Erase":               testReplayErase,
	} {
		t.Run(name, func(t *testing.T) { test(t, migrated(t, create)) })
	}
}

// refuse ends a claim: all of it is set aside, for a reason.
func refuse(t failer, s store.Store, w *store.Work, reason string) {
	t.Helper()
	push := done(w)
	for i := range w.Items {
		setAside(&push, i)
		push.SetAside[i].Reason, push.SetAside[i].Received = reason, at(9000)
		push.SetAside[i].Raw = fmt.Appendf(nil, "%s: %s", w.Items[i].ID, w.Items[i].Content)
	}
	record(t, s, push)
}

// letterOf returns the dead letter about a message.
func letterOf(t failer, s store.Store, threadID, messageID string) store.DeadLetter {
	t.Helper()
	for _, l := range list(t, s, 0, 100) {
		if l.Kind == store.KindThreadItem && l.Subject == threadID && string(l.Raw[:len(messageID)+1]) == messageID+":" {
			return l
		}
	}
	t.Fatalf("no dead letter about %s in %s", messageID, threadID)
	return store.DeadLetter{}
}

// pushLetter returns the dead letter about the thread.
func pushLetter(t failer, s store.Store) store.DeadLetter {
	t.Helper()
	for _, l := range list(t, s, 0, 100) {
		if l.Kind == store.KindThreadPush {
			return l
		}
	}
	t.Fatalf("no dead letter about a thread in %+v", list(t, s, 0, 100))
	return store.DeadLetter{}
}

// requireLetters wants these dead letters and no others, and no sign of the one with the id gone.
func requireLetters(t failer, s store.Store, gone int64, want ...store.DeadLetter) {
	t.Helper()
	want = append([]store.DeadLetter{}, want...)
	slices.SortFunc(want, func(a, b store.DeadLetter) int { return cmp.Compare(b.ID, a.ID) }) // those of one push are in no order
	requireEqual(t, "dead letters", list(t, s, 0, 100), want)
	found, err := s.FindDeadLetters(ctx(), store.LetterFilter{}, 0, 100)
	if err != nil || len(found) != len(want) {
		t.Errorf("FindDeadLetters: %+v, %v", found, err)
	}
	if n, err := s.CountDeadLetters(ctx(), store.LetterFilter{}, 100); n != len(want) || err != nil {
		t.Errorf("CountDeadLetters: %d, %v, want %d", n, err, len(want))
	}
	if gone == 0 {
		return
	}
	if _, err := s.DeadLetter(ctx(), gone); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("DeadLetter(%d): %v, want ErrNotFound", gone, err)
	}
	if err := s.FailReplay(ctx(), gone, "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("FailReplay(%d): %v, want ErrNotFound", gone, err)
	}
	if err := s.DeleteDeadLetter(ctx(), gone); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("DeleteDeadLetter(%d): %v, want ErrNotFound", gone, err)
	}
}

func testReplayItem(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("b", 2)))
	refuse(t, s, claimOne(t, s), "too long")
	a, b := letterOf(t, s, "t", "a"), letterOf(t, s, "t", "b")
	for replays := 1; replays <= 2; replays++ {
		wake(t, s, "t", a.ID)
		requireLetters(t, s, a.ID, b)
		requireDoneRev(t, s, "t", int64(replays), 1)
		w := claimOne(t, s)
		requireEqual(t, "what is tried again", ids(w.Items), []string{"a"})
		requireEqual(t, "what stays set aside", w.Aside, int64(1))
		refuse(t, s, w, fmt.Sprint("too long still ", replays))
		requireNoneDue(t, s)
		a.Replays, a.Reason = replays, fmt.Sprint("too long still ", replays)
		requireEqual(t, "the letter that is back", letterOf(t, s, "t", "a"), a)
		requireEqual(t, "the other letter", letterOf(t, s, "t", "b"), b)
	}

	wake(t, s, "t", a.ID)
	record(t, s, failed(claimOne(t, s), 500, 0))
	requireLetters(t, s, a.ID, b)
	w := claimOne(t, s)
	requireEqual(t, "what is tried again after a failure", ids(w.Items), []string{"a"})
	push := done(w)
	push.Solved = []store.LetterKey{store.ItemLetter(w.Items[0].ItemKey)}
	record(t, s, push)
	requireLetters(t, s, a.ID, b)

	accept(t, s, updated("t", 2, message("a", 3)))
	refuse(t, s, claimOne(t, s), "too long")
	if again := letterOf(t, s, "t", "a"); again.ID <= b.ID || again.ID == a.ID || again.Replays != 0 {
		t.Errorf("a letter after one that was solved: %+v", again)
	}
}

func testReplayPush(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("bad", 1)))
	refuse(t, s, claimOne(t, s), "too long")
	bad := letterOf(t, s, "t", "bad")
	accept(t, s, updated("t", 2, message("m", 2)))
	record(t, s, parked(claimOne(t, s), 422))
	l := pushLetter(t, s)

	wake(t, s, "t", l.ID)
	requireLetters(t, s, l.ID, bad)
	w := claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"m"})
	push := parked(w, 403)
	push.Park.Reason, push.Park.Raw, push.Park.Received = "not even now", []byte(`{"delta":2}`), at(9000)
	record(t, s, push)
	requireNoneDue(t, s)
	l.Replays, l.Reason, l.Raw = 1, "not even now", []byte(`{"delta":2}`)
	requireLetters(t, s, 0, l, bad)

	wake(t, s, "t", l.ID)
	push = done(claimOne(t, s))
	push.Solved = []store.LetterKey{store.PushLetter("t")}
	record(t, s, push)
	requireLetters(t, s, l.ID, bad)
}

func testReplayAll(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("b", 2), message("c", 3)))
	refuse(t, s, claimOne(t, s), "too long")
	before := list(t, s, 0, 10)
	for _, l := range before {
		wake(t, s, "t", l.ID)
	}
	requireLetters(t, s, 0)
	w := claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"a", "b", "c"})
	refuse(t, s, w, "too long")
	for i := range before {
		before[i].Replays = 1
	}
	requireLetters(t, s, 0, before...)
}

// Two operators replay one letter: the second wakes the thread, and that is all.
func testReplayTwiceAtOnce(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("b", 2)))
	refuse(t, s, claimOne(t, s), "too long")
	a, b := letterOf(t, s, "t", "a"), letterOf(t, s, "t", "b")
	wake(t, s, "t", a.ID)
	wake(t, s, "t", a.ID)
	w := claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"a"})
	refuse(t, s, w, "too long")
	requireNoneDue(t, s)
	a.Replays = 1
	requireEqual(t, "the letter that is back", letterOf(t, s, "t", "a"), a)
	requireEqual(t, "the other letter", letterOf(t, s, "t", "b"), b)
}

// A push that began before the replay says again that the item is set aside. It is tried all the same.
func testReplayWhileItIsPushed(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1)))
	refuse(t, s, claimOne(t, s), "too long")
	a := letterOf(t, s, "t", "a")
	accept(t, s, updated("t", 2, message("a", 1), message("b", 2)))
	push := failed(claimOne(t, s), 0, 0)
	push.Uncertain = true
	record(t, s, push)
	w := claimOne(t, s)
	requireEqual(t, "what may have been pushed", ids(w.Unsure), []string{"a"})
	wake(t, s, "t", a.ID)
	push = done(w)
	push.Items = append(push.Items, w.Unsure...)
	record(t, s, push)
	requireLetters(t, s, a.ID)
	w = claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"a"})
	refuse(t, s, w, "too long")
	a.Replays = 1
	requireLetters(t, s, 0, a)
}

// An event brings another version between the replay and the push.
func testReplayMeetsANewVersion(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1)))
	refuse(t, s, claimOne(t, s), "too long")
	a := letterOf(t, s, "t", "a")
	wake(t, s, "t", a.ID)
	accept(t, s, updated("t", 2, message("a", 2)))
	w := claimOne(t, s)
	refuse(t, s, w, "too long")
	a.Replays, a.Raw = 1, fmt.Appendf(nil, "a: %s", w.Items[0].Content)
	requireLetters(t, s, 0, a)

	wake(t, s, "t", a.ID)
	split := split("child", "t", 3, message("a", 2))
	accept(t, s, split)
	for _, w := range claim(t, s, 2, time.Hour) {
		push := done(&w)
		for _, item := range w.Items {
			push.Solved = append(push.Solved, store.ItemLetter(item.ItemKey))
		}
		if w.ThreadID == "t" {
			requireEqual(t, "what has left the thread, and solves its letter", ids(w.Items), []string{"a"})
		}
		record(t, s, push)
	}
	requireLetters(t, s, a.ID)
	requireNoneDue(t, s)
}

// Nothing will ever solve a letter about what is not set aside, or is left as another writer has it.
func testReplayNothingIsSetAside(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("b", 2), message("c", 3)))
	w := claimOne(t, s)
	push := done(w)
	for i := range w.Items {
		setAside(&push, i)
		push.SetAside[i].Raw = fmt.Appendf(nil, "%s: {}", w.Items[i].ID)
	}
	w.Items[0].Theirs = true
	w.Items[1].SetAside = thread.Hash{}
	w.Items[1].Acked = w.Items[1].View()
	record(t, s, push)
	c := letterOf(t, s, "t", "c")
	for _, id := range []string{"a", "b"} {
		wake(t, s, "t", letterOf(t, s, "t", id).ID)
	}
	requireLetters(t, s, 0, c)
	w = claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{})
	record(t, s, done(w))
	requireLetters(t, s, 0, c)
}

// The body of a letter as the syncer writes it tells the item, so the others need not be read.
func testReplayBodyTellsTheItem(t *testing.T, s store.Store) {
	refuseAll := func(w *store.Work) {
		t.Helper()
		push := done(w)
		for i, item := range w.Items {
			setAside(&push, i)
			push.SetAside[i].Raw = fmt.Appendf(nil, `{"threadId":"t","kind":%q,"item":%s}`, item.Kind, item.Content)
		}
		record(t, s, push)
	}
	about := func(id string) store.DeadLetter {
		t.Helper()
		for _, l := range list(t, s, 0, 10) {
			if bytes.Contains(l.Raw, fmt.Appendf(nil, `"id":%q`, id)) {
				return l
			}
		}
		t.Fatalf("no dead letter about %s", id)
		return store.DeadLetter{}
	}
	accept(t, s, updated("t", 1, message("a", 1), message("b", 2), message("c", 3)))
	refuseAll(claimOne(t, s))
	a, b, c := about("a"), about("b"), about("c")
	wake(t, s, "t", b.ID)
	requireLetters(t, s, b.ID, a, c)
	w := claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"b"})
	refuseAll(w)
	b.Replays = 1
	requireLetters(t, s, 0, a, b, c)

	// One that is not set aside any more, though its letter was left.
	wake(t, s, "t", 0)
	w = claimOne(t, s)
	w.Items[2].Theirs = true
	record(t, s, done(w))
	wake(t, s, "t", a.ID)
	wake(t, s, "t", c.ID)
	requireLetters(t, s, 0, b)
	requireEqual(t, "what is tried again", ids(claimOne(t, s).Items), []string{})
}

// What the CRM has lost is all pushed again. Letters wait for what becomes of that.
func testReplayLost(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("good", 1), message("replayed", 2), message("seen", 3), message("solved", 4)))
	w := claimOne(t, s)
	push := done(w)
	for i, item := range w.Items {
		if item.ID != "good" {
			setAside(&push, i)
			push.SetAside[len(push.SetAside)-1].Raw = fmt.Appendf(nil, "%s: %s", item.ID, item.Content)
		}
	}
	record(t, s, push)
	accept(t, s, updated("t", 2))
	record(t, s, parked(claimOne(t, s), 403))
	about, replayed, seen, solved := pushLetter(t, s), letterOf(t, s, "t", "replayed"), letterOf(t, s, "t", "seen"), letterOf(t, s, "t", "solved")
	wake(t, s, "t", replayed.ID)
	wake(t, s, "t", about.ID)
	w = claimOne(t, s)
	record(t, s, store.Push{Claim: w.Claim, Rev: w.Row.Sync.Want, Forget: true, Status: 404})
	requireLetters(t, s, replayed.ID, solved, seen)
	if words := readThread(t, s, "t").Sync.LastError; words == "" {
		t.Error("nothing tells that the thread has a dead letter still")
	}

	w = claimOne(t, s)
	requireEqual(t, "what is pushed again", ids(w.Items), []string{"good", "replayed", "seen", "solved"})
	push = parked(w, 403)
	push.Items = w.Items
	for i, item := range w.Items {
		switch item.ID {
		case "replayed", "seen":
			setAside(&push, i)
			push.SetAside[len(push.SetAside)-1].Raw = fmt.Appendf(nil, "%s: %s", item.ID, item.Content)
		case "solved":
			item.Acked, item.SetAside = item.View(), thread.Hash{}
			push.Solved = append(push.Solved, store.ItemLetter(item.ItemKey))
		}
	}
	record(t, s, push)
	replayed.Replays, about.Replays = 1, 1
	requireLetters(t, s, solved.ID, about, seen, replayed)
}

// What is refused again, without a replay, is the same letter as long as it is the same that is refused.
func testRefusedOnceMore(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("b", 1)))
	refuse(t, s, claimOne(t, s), "too long")
	a, b := letterOf(t, s, "t", "a"), letterOf(t, s, "t", "b")
	wake(t, s, "t", 0)
	requireLetters(t, s, 0, a, b)
	accept(t, s, updated("t", 2, message("b", 2)))
	w := claimOne(t, s)
	requireEqual(t, "what is tried again", ids(w.Items), []string{"a", "b"})
	refuse(t, s, w, "too long still")
	a.Reason = "too long still"
	requireEqual(t, "the letter about the same", letterOf(t, s, "t", "a"), a)
	if other := letterOf(t, s, "t", "b"); other.ID <= b.ID || !other.Received.Equal(at(9000)) || other.Replays != 0 {
		t.Errorf("the letter about another version: %+v", other)
	}
}

func testReplayExpire(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("a", 1), message("m", 2)))
	w := claimOne(t, s)
	push := parked(w, 422)
	push.Items = w.Items
	setAside(&push, 0)
	record(t, s, push)
	letters := list(t, s, 0, 10)
	for i := range letters {
		wake(t, s, "t", letters[i].ID)
		letters[i].Replays = 1
	}
	expire(t, s, store.ExpireDeadLetters, at(1_000_000), 10)
	w = claimOne(t, s)
	push = parked(w, 422)
	push.Items = w.Items
	setAside(&push, 0)
	record(t, s, push)
	requireLetters(t, s, 0, letters...)

	// The letters of a thread that is deleted go with it, seen or not.
	wake(t, s, "t", letters[0].ID)
	wake(t, s, "t", letters[1].ID)
	record(t, s, done(claimOne(t, s)))
	expire(t, s, store.ExpireThreads, at(1_000_000), 10)
	accept(t, s, updated("t", 2, message("a", 5)))
	w = claimOne(t, s)
	push = parked(w, 422)
	push.Items = w.Items
	setAside(&push, 0)
	record(t, s, push)
	for _, l := range list(t, s, 0, 10) {
		if l.Replays != 0 || l.ID <= letters[0].ID {
			t.Errorf("a letter of the thread that was deleted is back: %+v", l)
		}
	}
}

// Whoever is erased from a thread gets another id there. The letters can be replayed even so.
func testReplayErase(t *testing.T, s store.Store) {
	annsThread(t, s)
	record(t, s, annsRefusal(claimOne(t, s)))
	before := list(t, s, 0, 10)
	for i := range before {
		if i%2 == 0 {
			wake(t, s, "t", before[i].ID)
		}
	}
	requireErased(t, s, store.Person{Participant: annID}, "", 1000)
	for i := range before {
		if i%2 != 0 {
			wake(t, s, "t", before[i].ID)
		}
	}
	w := claimOne(t, s)
	if len(w.Items) != len(before)-1 {
		t.Errorf("tried again are %q, want %d", ids(w.Items), len(before)-1)
	}
	record(t, s, annsRefusal(w))
	after := list(t, s, 0, 10)
	if len(after) != len(before) {
		t.Fatalf("%d letters, want %d", len(after), len(before))
	}
	for i := range after {
		if after[i].ID != before[i].ID || after[i].Replays != 1 || !after[i].Received.Equal(before[i].Received) {
			t.Errorf("%+v is not the letter that was replayed: %+v", after[i], before[i])
		}
	}
}
