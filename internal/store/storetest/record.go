package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func testRecord(t *testing.T, create func(t *testing.T) Open) {
	for name, test := range map[string]func(t *testing.T, s store.Store){
		"Done": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 3, message("m", 1)))
			w := claimOne(t, s)
			push := done(w)
			record(t, s, push)
			row := readThread(t, s, "t")
			requireEqual(t, "sync", row.Sync, store.Sync{Want: 1, Done: 1, Epoch: 1, LastStatus: 200, Answered: at(7200)})
			requireEqual(t, "copy", row.CRM, *push.Copy)
			requireNoneDue(t, s)
		},
		"DoneWhileAnEventCame": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1, message("m", 1)))
			w := claimOne(t, s)
			accept(t, s, updated("t", 2, message("n", 1)))
			requireNoneDue(t, s)
			record(t, s, done(w))
			row := readThread(t, s, "t")
			requireEqual(t, "sync", row.Sync, store.Sync{Want: 2, Done: 1, Epoch: 1, LastStatus: 200, Answered: at(7200), Since: at(7200)})
			requireEqual(t, "what is left", ids(claimOne(t, s).Items), []string{"n"})
		},
		"Partial": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1, message("a", 1), message("b", 2), message("c", 3)))
			commitAt(t, s, at(5000), events(updated("waits longer", 1))...)
			for _, want := range []string{"a", "b", "c"} {
				w := claimed(t, s, store.ClaimRequest{Limit: 1, Lease: time.Hour, Items: 1}).Work[0]
				if w.ThreadID != "t" { // after its first chunk, t is behind those that wait
					record(t, s, done(&w))
					w = claimed(t, s, store.ClaimRequest{Limit: 1, Lease: time.Hour, Items: 1}).Work[0]
				} else if want == "b" {
					t.Errorf("a large thread goes before others")
				}
				requireEqual(t, "chunk", ids(w.Items), []string{want})
				if w.More != (want != "c") {
					t.Errorf("more = %v at %s", w.More, want)
				}
				record(t, s, done(&w))
			}
			if row := readThread(t, s, "t"); row.Sync.Done != 1 || !row.Sync.Since.IsZero() {
				t.Errorf("after the last chunk: %+v", row.Sync)
			}
		},
		"Failed": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1))
			for attempt := 1; attempt < 3; attempt++ {
				record(t, s, failed(claimOne(t, s), 500, 0))
				requireEqual(t, "sync", readThread(t, s, "t").Sync, store.Sync{
					Want: 1, Since: at(3600), Attempts: attempt, Epoch: int64(attempt), LastStatus: 500, LastError: "the CRM said no", Answered: at(7200),
				})
			}
			record(t, s, failed(claimOne(t, s), 502, 3*time.Minute))
			until := time.Until(readThread(t, s, "t").Sync.Due)
			if until > 4*time.Minute || until < 2*time.Minute-patience {
				t.Errorf("due in %v", until)
			}
			accept(t, s, updated("t", 2))
			requireWait(t, s, 3*time.Minute) // an event does not make the next attempt come earlier
			if row := readThread(t, s, "t"); row.Sync.Attempts != 3 || row.Sync.Want != 2 || row.Sync.State() != store.StateRetrying {
				t.Errorf("sync %+v", row.Sync)
			}
		},
		"Postponed": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1))
			record(t, s, failed(claimOne(t, s), 500, 0))
			push := failed(claimOne(t, s), 429, 0)
			push.Postponed = true
			record(t, s, push)
			requireEqual(t, "sync", readThread(t, s, "t").Sync, store.Sync{
				Want: 1, Since: at(3600), Attempts: 1, Epoch: 2, LastStatus: 429, LastError: "the CRM said no", Answered: at(7200),
			})
		},
		"TriedAgain": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1))
			record(t, s, failed(claimOne(t, s), 500, moment))
			w := awaitClaim(t, s, 1, time.Hour)[0]
			if w.Row.Sync.Attempts != 1 || w.Row.Sync.Uncertain {
				t.Errorf("claimed %+v", w.Row.Sync)
			}
			record(t, s, done(&w))
			if row := readThread(t, s, "t"); row.Sync.Attempts != 0 || row.Sync.LastError != "" {
				t.Errorf("sync %+v", row.Sync)
			}
		},
		"Parked":               testParked,
		"ParkedWhileEventCame": testParkedMeanwhile,
		"Disturb":              testDisturb,
		"NothingToRecord":      func(t *testing.T, s store.Store) { requireEqual(t, "held", recorded(t, s), []bool{}) },
		"ManyAtOnce": func(t *testing.T, s store.Store) {
			accept(t, s, updated("a", 1, message("m", 1)), updated("b", 1, message("m", 1)), updated("c", 1), updated("d", 1))
			var pushes []store.Push
			for i, w := range claim(t, s, 4, time.Hour) {
				push := done(&w)
				if i%2 == 1 {
					push = failed(&w, 500, store.MaxWait)
				}
				if i == 2 {
					push.Epoch++
				}
				pushes = append(pushes, push)
			}
			requireEqual(t, "held", recorded(t, s, pushes...), []bool{true, true, false, true})
			for i, push := range pushes {
				row := readThread(t, s, push.ThreadID)
				if (row.Sync.Done == 1) != (i == 0) || row.Sync.LeaseUntil.IsZero() == (i == 2) {
					t.Errorf("push %d: %+v", i, row.Sync)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, migrated(t, create)) })
	}
}

func testParked(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("m", 1)))
	record(t, s, parked(claimOne(t, s), 422))
	requireNoneDue(t, s)
	requireEqual(t, "sync", readThread(t, s, "t").Sync, store.Sync{
		Want: 1, Since: at(3600), Attempts: 1, Epoch: 1, Parked: true, LastStatus: 422, LastError: "the CRM said no", Answered: at(7200),
	})
	got := newest(t, s)
	requireEqual(t, "dead letter", got, store.DeadLetter{
		ID: got.ID, Kind: store.KindThreadPush, Subject: "t", Reason: "the CRM said no", Received: at(7200), Raw: []byte(`{"delta":1}`),
	})
	requireEqual(t, "what brings nothing new", accept(t, s, updated("t", 0)), []store.Outcome{outcomeStale})
	requireNoneDue(t, s)
	commitAt(t, s, at(9000), events(updated("t", 2))...)
	row := readThread(t, s, "t")
	requireEqual(t, "sync after an event", row.Sync, store.Sync{
		Want: 2, Since: at(9000), Epoch: 1, LastStatus: 422, LastError: "the CRM said no", Answered: at(7200),
	})
	requireEqual(t, "what is due", ids(claimOne(t, s).Items), []string{"m"})
}

func testParkedMeanwhile(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1, message("m", 1)))
	w := claimOne(t, s)
	accept(t, s, updated("t", 2, message("m", 2)))
	record(t, s, parked(w, 422))
	if row := readThread(t, s, "t"); row.Sync.Parked {
		t.Errorf("parked, though something came that the CRM has not seen: %+v", row.Sync)
	}
	claimOne(t, s)
}

func testDisturb(t *testing.T, s store.Store) {
	accept(t, s, updated("t", 1), updated("synced", 1), updated("parked", 1), updated("leased", 1), split("child", "placeholder", 1, message("m", 1)))
	work := make(map[string]*store.Work)
	for _, w := range claim(t, s, 10, time.Hour) {
		work[w.ThreadID] = &w
	}
	record(t, s, done(work["synced"]), parked(work["parked"], 422), done(work["child"]))
	push := done(work["t"])
	push.Disturb = []string{"synced", "parked", "leased", "placeholder", "unknown"}
	record(t, s, push)
	for id, want := range map[string]store.Sync{
		"t":      {Want: 1, Done: 1, Epoch: 1, LastStatus: 200, Answered: at(7200)},
		"synced": {Want: 2, Done: 1, Epoch: 1, LastStatus: 200, Answered: at(7200), Since: at(7200)},
		"parked": {Want: 2, Epoch: 1, LastStatus: 422, LastError: "the CRM said no", Answered: at(7200), Since: at(7200)},
		"leased": {Want: 2, Epoch: 1, Since: at(3600)},
	} {
		requireEqual(t, id, readThread(t, s, id).Sync, want, cmpopts.IgnoreFields(store.Sync{}, "LeaseUntil"))
	}
	again := claim(t, s, 10, time.Hour)
	if len(again) != 2 {
		t.Errorf("due are %q, want those that are not leased", workIDs(again))
	}
	record(t, s, done(work["leased"]))
	claimOne(t, s)
}

// testRecordItems is about what a push records of items.
func testRecordItems(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	due := func(t *testing.T) []string { t.Helper(); return ids(claimOne(t, s).Items) }

	t.Run("ChangedBetweenClaimAndRecord", func(t *testing.T) {
		accept(t, s, updated("changed", 1, message("a", 1), message("b", 1), message("c", 1), message("d", 1)))
		w := claimOne(t, s)
		edited := updated("changed", 2, message("a", 2), message("n", 1))
		accept(t, s, edited, split("changed-child", "changed", 3, message("b", 1), message("x", 1)))
		record(t, s, done(w))
		for _, w := range claim(t, s, 2, time.Hour) {
			if w.ThreadID == "changed" {
				requireEqual(t, "what is due", slices.Sorted(slices.Values(ids(w.Items))), []string{"a", "b", "n"})
				for _, item := range w.Items {
					if view := item.View(); view.IsZero() != (item.ID == "b") || item.Acked.IsZero() != (item.ID == "n") {
						t.Errorf("item %s: view %x, acknowledged %x", item.ID, view, item.Acked)
					}
				}
			}
			record(t, s, done(&w))
		}
		requireNoneDue(t, s)
	})

	t.Run("SetAsideAndTheirs", func(t *testing.T) {
		accept(t, s, updated("aside", 1, message("bad", 1), message("theirs", 1), message("good", 1)))
		w := claimOne(t, s)
		push := done(w)
		for _, item := range push.Items {
			switch item.ID {
			case "bad":
				item.Acked, item.SetAside = thread.Hash{}, item.View()
			case "theirs":
				// Another writer changed it after it was set aside: it is not to be tried again.
				item.Acked, item.SetAside, item.Theirs = thread.HashOf([]byte("theirs")), item.View(), true
			}
		}
		record(t, s, push)
		requireNoneDue(t, s)
		want := present(stateOf(updated("aside", 1, message("bad", 1), message("theirs", 1), message("good", 1))), "aside", thread.KindMessage)
		for i, item := range want {
			item.Acked, item.SetAside, item.Theirs = push.Items[i].Acked, push.Items[i].SetAside, push.Items[i].Theirs
		}
		requireEqual(t, "items", itemsOf(t, s, "aside", thread.KindMessage, 10), want, revisions)
		requireDoneRev(t, s, "aside", 1, 1)
		accept(t, s, updated("aside", 2, message("good", 2), message("theirs", 2)), updated("beside", 1, message("bad", 1)))
		for _, w := range claim(t, s, 2, time.Hour) {
			if w.ThreadID == "aside" {
				requireEqual(t, "theirs is left alone", ids(w.Items), []string{"good"})
				requireEqual(t, "what is set aside", w.Aside, int64(1))
			} else {
				requireEqual(t, "what is set aside of another", w.Aside, int64(0))
			}
			record(t, s, done(&w))
		}
		requireDoneRev(t, s, "aside", 2, 1)
		accept(t, s, updated("aside", 3, message("bad", 1), message("good", 3)))
		w = claimOne(t, s)
		requireEqual(t, "an event that names it again", w.Aside, int64(3))
		record(t, s, done(w))
		requireDoneRev(t, s, "aside", 3, 3)
		accept(t, s, updated("aside", 4, message("bad", 2)))
		w = claimOne(t, s)
		requireEqual(t, "a better version is tried", ids(w.Items), []string{"bad"})
		requireEqual(t, "what is set aside, and tried", w.Aside, int64(0))
		record(t, s, done(w))
		requireDoneRev(t, s, "aside", 4, 0)
	})

	t.Run("Forget", func(t *testing.T) {
		accept(t, s, updated("gone", 1, message("a", 1), message("b", 1), message("c", 1), message("d", 1)), split("gone-child", "gone", 2, message("d", 1)))
		for _, w := range claim(t, s, 2, time.Hour) {
			push := done(&w)
			for _, item := range push.Items {
				item.Theirs = item.ID == "b"
				if item.ID == "c" {
					item.SetAside, item.Acked = item.View(), thread.Hash{}
				}
			}
			record(t, s, push)
		}
		accept(t, s, updated("gone", 3))
		w := claimOne(t, s)
		record(t, s, store.Push{Claim: w.Claim, Rev: w.Row.Sync.Want, Forget: true, Status: 404, Error: "gone"})
		if row := readThread(t, s, "gone"); row.CRM != (thread.Copy{}) || row.Sync.Done != 0 {
			t.Errorf("after it was forgotten: %+v", row)
		}
		requireEqual(t, "all is due", due(t), []string{"a", "b", "c"})
	})

	t.Run("ForgetAndTell", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1, message("a", 1), message("b", 1)))
		record(t, s, done(claimOne(t, s)))
		accept(t, s, updated("t", 2, message("a", 2)))
		push := done(claimOne(t, s))
		push.Forget, push.Done = true, false
		record(t, s, push)
		requireEqual(t, "copy", readThread(t, s, "t").CRM, *push.Copy)
		requireEqual(t, "the other is due", ids(claimOne(t, s).Items), []string{"b"})
	})

	t.Run("LostClaimsNoteNothing", func(t *testing.T) {
		s := migrated(t, create)
		commitAt(t, s, at(10), events(updated("t", 1, message("a", 1)))...)
		accept(t, s, updated("other", 1))
		before := claim(t, s, 2, time.Hour)
		record(t, s, done(&before[1]))
		lost := done(&before[0])
		lost.Epoch++
		lost.Forget, lost.Park, lost.Disturb = true, parked(&before[0], 422).Park, []string{before[1].ThreadID}
		lost.Notes = append(lost.Notes, audit.Note{Subject: "t", Action: audit.ActionPark, Outcome: "parked"})
		heads := auditHeads(t, s)
		rows := []store.ThreadRow{*readThread(t, s, "t"), *readThread(t, s, "other")}
		requireEqual(t, "held", recorded(t, s, lost), []bool{false})
		requireEqual(t, "rows", []store.ThreadRow{*readThread(t, s, "t"), *readThread(t, s, "other")}, rows)
		requireEqual(t, "ends of the audit", auditHeads(t, s), heads)
		requireEqual(t, "dead letters", list(t, s, 0, 10), []store.DeadLetter{})
		runOut(t, s, before[0].Claim)
		requireEqual(t, "what is due", ids(awaitClaim(t, s, 1, time.Hour)[0].Items), []string{"a"})
	})
}

func testRecordLetters(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	item := func(w *store.Work, i int, raw string) *store.DeadLetter {
		key := store.ItemLetter(w.Items[i].ItemKey)
		return &store.DeadLetter{Kind: key.Kind, Key: key.Key, Subject: w.ThreadID, Reason: "too long", Received: at(7200), Raw: []byte(raw)}
	}
	raws := func() (all []string) {
		for _, l := range list(t, s, 0, 10) {
			all = append(all, string(l.Raw))
		}
		slices.Sort(all) // those of one push are in no order
		return all
	}
	accept(t, s, updated("t", 1, message("a", 1), message("b", 1)))
	commit(t, s, letters(letter("t", "an event", "1"))...)

	w := claimOne(t, s)
	push := failed(w, 422, 0)
	push.SetAside = []*store.DeadLetter{item(w, 0, "2"), item(w, 1, "3")}
	record(t, s, push)
	requireEqual(t, "dead letters", raws(), []string{"1", "2", "3"})
	first := list(t, s, 0, 10)

	w = claimOne(t, s)
	push = parked(w, 422)
	push.SetAside, push.Solved = []*store.DeadLetter{item(w, 0, "4")}, []store.LetterKey{store.ItemLetter(w.Items[1].ItemKey)}
	push.Park.Raw = []byte("5")
	record(t, s, push)
	requireEqual(t, "dead letters, one replaced, one solved, one new", raws(), []string{"1", "4", "5"})
	for _, l := range list(t, s, 0, 2) {
		if l.ID <= first[0].ID {
			t.Errorf("%s has the id %d of a letter before it", l.Raw, l.ID)
		}
	}

	accept(t, s, updated("t", 2))
	w = claimOne(t, s)
	push = done(w)
	push.Solved = []store.LetterKey{store.PushLetter("t"), store.ItemLetter(w.Items[0].ItemKey), store.ItemLetter(w.Items[0].ItemKey), store.PushLetter("nobody")}
	record(t, s, push)
	requireEqual(t, "dead letters, solved", raws(), []string{"1"})
}
