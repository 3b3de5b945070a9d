package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

func extend(t failer, s store.Store, lease time.Duration, claims ...store.Claim) []store.Claim {
	t.Helper()
	lost, err := s.Extend(ctx(), claims, lease)
	if err != nil {
		t.Fatalf("Extend: %v", err)
	}
	return lost
}

// runOut lets the lease of a claim end.
func runOut(t failer, s store.Store, c store.Claim) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if lost := extend(t, s, moment, c); len(lost) == 1 {
			return
		}
	}
	t.Fatalf("the lease of %+v does not end", c)
}

func testLeases(t *testing.T, create func(t *testing.T) Open) {
	t.Run("RunsOut", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1, message("m", 1)))
		first := claim(t, s, 1, moment)[0]
		second := awaitClaim(t, s, 1, time.Hour)[0]
		if second.Epoch != first.Epoch+1 || !second.Row.Sync.Uncertain || first.Row.Sync.Uncertain {
			t.Fatalf("claimed %+v after %+v", second.Row.Sync, first.Row.Sync)
		}
		before := *readThread(t, s, "t")
		requireEqual(t, "held", recorded(t, s, done(&first)), []bool{false})
		requireEqual(t, "row after a lost claim", *readThread(t, s, "t"), before)
		requireEqual(t, "lost", extend(t, s, time.Hour, first.Claim, second.Claim), []store.Claim{first.Claim})
		requireEqual(t, "held", recorded(t, s, done(&first), done(&second)), []bool{false, true})
		requireEqual(t, "lost when it ended", extend(t, s, time.Hour, second.Claim), []store.Claim{second.Claim})
		requireEqual(t, "held when it ended", recorded(t, s, done(&second)), []bool{false})
		accept(t, s, updated("t", 2))
		third := claimOne(t, s)
		if third.Row.Sync.Uncertain || len(third.Items) != 0 {
			t.Errorf("uncertain %v, items %q, after a success", third.Row.Sync.Uncertain, ids(third.Items))
		}
	})

	t.Run("StaysUncertain", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		w := claimOne(t, s)
		push := failed(w, 0, 0)
		push.Uncertain = true
		record(t, s, push)
		for range 2 { // the second one dies as well
			work := awaitClaim(t, s, 1, moment)[0]
			if !work.Row.Sync.Uncertain {
				t.Fatal("a push whose answer never came is forgotten")
			}
		}
		work := awaitClaim(t, s, 1, time.Hour)[0]
		record(t, s, failed(&work, 500, 0))
		if w := claimOne(t, s); w.Row.Sync.Uncertain {
			t.Error("uncertain after an answer")
		}
	})

	t.Run("WhatIsUnsure", func(t *testing.T) { testUnsure(t, migrated(t, create)) })

	// Until somebody else claims it, a thread is still the worker's.
	t.Run("RanOutUnnoticed", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		w := claimOne(t, s)
		runOut(t, s, w.Claim)
		requireEqual(t, "held", recorded(t, s, done(w)), []bool{true})
		requireNoneDue(t, s)
	})

	t.Run("Extend", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("a", 1), updated("b", 1), updated("c", 1))
		work := claim(t, s, 3, time.Hour)
		requireEqual(t, "lost", extend(t, s, 2*time.Hour, work[0].Claim, work[1].Claim), []store.Claim{})
		for i, w := range work {
			isLonger := readThread(t, s, w.ThreadID).Sync.LeaseUntil.After(w.Row.Sync.LeaseUntil)
			if isLonger != (i < 2) {
				t.Errorf("thread %d: lease longer %v", i, isLonger)
			}
		}
		stranger, wrong := store.Claim{ThreadID: "nobody", Epoch: 1}, work[2].Claim
		wrong.Epoch++
		lost := extend(t, s, time.Hour, stranger, work[0].Claim, wrong)
		slices.SortFunc(lost, func(a, b store.Claim) int { return int(b.Epoch - a.Epoch) })
		requireEqual(t, "lost", lost, []store.Claim{wrong, stranger})
		requireEqual(t, "lost of none", extend(t, s, time.Hour), []store.Claim{})
		requireNoneDue(t, s)
		runOut(t, s, work[1].Claim)
		requireEqual(t, "due when the lease ended", workIDs(awaitClaim(t, s, 3, time.Hour)), []string{work[1].ThreadID})
	})

	t.Run("Release", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		w := claimOne(t, s)
		if err := s.ReleaseLeases(t.Context()); err != nil {
			t.Fatal(err)
		}
		work := claim(t, s, 1, time.Hour)
		if len(work) == 0 {
			// A shared store: the worker may be another replica's.
			requireEqual(t, "lost", extend(t, s, time.Hour, w.Claim), []store.Claim{})
			record(t, s, done(w))
			return
		}
		if !work[0].Row.Sync.Uncertain || work[0].Epoch != w.Epoch+1 {
			t.Errorf("claimed %+v after the worker was gone", work[0].Row.Sync)
		}
		requireEqual(t, "held", recorded(t, s, done(w)), []bool{false})
	})
}

// testUnsure edits, removes and sets aside messages while a push has no answer. The CRM may have other
// values of them than it acknowledged, also where nothing is left to push.
func testUnsure(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("back", 1), message("same", 1), message("edited", 1), message("theirs", 1), message("aside", 1)))
	record(t, s, done(claimOne(t, s)))
	accept(t, s, updated("t", 2, message("back", 2), message("edited", 2), message("theirs", 2), message("aside", 2), message("gone", 2)))
	w := claimOne(t, s)
	if len(w.Unsure) != 0 {
		t.Errorf("unsure are %q, though every push had an answer", ids(w.Unsure))
	}
	push := failed(w, 0, 0)
	push.Uncertain = true
	for _, item := range w.Items {
		switch item.ID {
		case "theirs":
			item.Theirs, push.Items = true, append(push.Items, item)
		case "aside":
			item.SetAside, push.Items = item.View(), append(push.Items, item)
		}
	}
	record(t, s, push)
	accept(t, s, updated("t", 3, message("back", 1)), split("child", "t", 4, message("gone", 2)))
	for _, limit := range []int{1, 10} { // the second one comes after a death
		work := awaitClaimOf(t, s, "t", store.ClaimRequest{Limit: 2, Lease: moment, Items: limit})
		requireEqual(t, "what is due", ids(work.Items), []string{"edited"})
		unsure := ids(work.Unsure)
		slices.Sort(unsure)
		requireEqual(t, "what is unsure", unsure, []string{"aside", "back", "gone"})
	}
	accept(t, s, updated("t", 5, message("new", 1)))
	work := awaitClaimOf(t, s, "t", store.ClaimRequest{Limit: 2, Lease: time.Hour, Items: 1})
	if len(work.Unsure) != 0 || !work.More {
		t.Errorf("unsure are %q before the last chunk", ids(work.Unsure))
	}
}

// awaitClaimOf asks until a certain thread is due.
func awaitClaimOf(t failer, s store.Store, id string, r store.ClaimRequest) store.Work {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, w := range claimed(t, s, r).Work {
			if w.ThreadID == id {
				return w
			}
		}
	}
	t.Fatalf("%s did not become due in %v", id, patience)
	return store.Work{}
}
