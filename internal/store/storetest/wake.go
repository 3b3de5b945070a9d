package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func wake(t failer, s store.Store, id string, replays int64) {
	t.Helper()
	if err := s.Wake(ctx(), id, replays, replayNote, at(8000)); err != nil {
		t.Fatalf("Wake(%q): %v", id, err)
	}
}

var replayNote = audit.Note{Action: audit.ActionReplay, Outcome: "woken", Detail: audit.Detail{"by": "operator"}}

func testWake(t *testing.T, create func(t *testing.T) Open) {
	awake := store.Sync{Since: at(8000)}
	volatile := cmpopts.IgnoreFields(store.Sync{}, "Want", "Done", "Epoch", "LastStatus", "LastError", "Answered")
	for name, test := range map[string]func(t *testing.T, s store.Store){
		"Parked": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1, message("m", 1)))
			record(t, s, parked(claimOne(t, s), 422))
			commit(t, s, letters(letter("x", "bad", "other"))...)
			wake(t, s, "t", list(t, s, 0, 2)[1].ID)
			requireEqual(t, "sync", readThread(t, s, "t").Sync, awake, volatile)
			requireEqual(t, "what is due", ids(claimOne(t, s).Items), []string{"m"})
			if left := list(t, s, 0, 10); len(left) != 1 || string(left[0].Raw) != "other" {
				t.Errorf("dead letters %+v", left)
			}
			requireNote(t, s, "t", replayNote)
		},
		"Retrying": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1, message("m", 1)))
			push := failed(claimOne(t, s), 500, store.MaxWait)
			push.Uncertain = true
			record(t, s, push)
			wake(t, s, "t", 0)
			if w := claimOne(t, s); w.Row.Sync.Attempts != 0 || !w.Row.Sync.Uncertain || len(w.Items) != 1 {
				t.Errorf("claimed %+v", w.Row.Sync)
			}
		},
		"Synced": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1, message("bad", 1), message("theirs", 1), message("good", 1)))
			push := done(claimOne(t, s))
			for _, item := range push.Items {
				item.Theirs = item.ID == "theirs"
				if item.ID == "bad" {
					item.Acked, item.SetAside = thread.Hash{}, item.View()
				}
			}
			about := store.ItemLetter(thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "bad"})
			push.SetAside = []*store.DeadLetter{{Kind: about.Kind, Key: about.Key, Subject: "t", Reason: "too long", Received: at(1), Raw: []byte("{}")}}
			record(t, s, push)
			wake(t, s, "t", 0)
			requireEqual(t, "sync", readThread(t, s, "t").Sync, awake, volatile)
			if left := list(t, s, 0, 10); len(left) != 1 {
				t.Errorf("dead letters about what is tried again, and may be refused again: %+v", left)
			}
			w := claimOne(t, s)
			requireEqual(t, "what is due", ids(w.Items), []string{"bad"})
			record(t, s, done(w))
			row := readThread(t, s, "t")
			if row.Sync.State() != store.StateSynced {
				t.Errorf("sync %+v", row.Sync)
			}
		},
		"WhileItIsPushed": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1, message("m", 1)))
			w := claimOne(t, s)
			wake(t, s, "t", 0)
			requireNoneDue(t, s)
			record(t, s, done(w))
			if w := claimOne(t, s); len(w.Items) != 0 {
				t.Errorf("due are %q", ids(w.Items))
			}
		},
		"LetterThatIsGone": func(t *testing.T, s store.Store) {
			accept(t, s, updated("t", 1))
			wake(t, s, "t", 1<<60)
			claimOne(t, s)
		},
		"NotFound": func(t *testing.T, s store.Store) {
			accept(t, s, split("child", "parent", 1, message("m", 1)))
			commit(t, s, letters(letter("x", "bad", "other"))...)
			for _, id := range []string{"unknown", "parent", ""} {
				if err := s.Wake(ctx(), id, newest(t, s).ID, replayNote, at(8000)); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("Wake(%q): %v, want ErrNotFound", id, err)
				}
			}
			if left := list(t, s, 0, 10); len(left) != 1 {
				t.Errorf("dead letters %+v", left)
			}
		},
		"AllThatAreParked": testWakeParked,
		"ParkedAgain":      testWakeParkedAgain,
	} {
		t.Run(name, func(t *testing.T) { test(t, migrated(t, create)) })
	}
	t.Run("Replay", func(t *testing.T) { testReplay(t, create) })
}

func testWakeParked(t *testing.T, s store.Store) {
	statuses := map[string]int{"refused": 422, "unauthorized": 401, "forbidden": 403, "also refused": 422}
	for id := range statuses {
		accept(t, s, updated(id, 1, message("m", 1)))
	}
	accept(t, s, updated("not parked", 1))
	for _, w := range claim(t, s, 10, time.Hour) {
		if status := statuses[w.ThreadID]; status != 0 {
			record(t, s, parked(&w, status))
		} else {
			record(t, s, failed(&w, 401, store.MaxWait))
		}
	}
	for _, test := range []struct {
		statuses []int
		want     []string
	}{
		{nil, nil},
		{[]int{500}, nil},
		{[]int{401, 403}, []string{"forbidden", "unauthorized"}},
		{[]int{401, 403}, nil},
		{[]int{422, 422, 401}, []string{"also refused", "refused"}},
	} {
		n, err := s.WakeParked(t.Context(), test.statuses, at(8000))
		if err != nil || n != int64(len(test.want)) {
			t.Fatalf("WakeParked(%v): %d, %v, want %d", test.statuses, n, err, len(test.want))
		}
		var woken []string
		for _, w := range claim(t, s, 10, time.Hour) {
			woken = append(woken, w.ThreadID)
			if w.Row.Sync.Attempts != 0 || w.Row.Sync.Parked || len(w.Items) != 1 {
				t.Errorf("claimed %+v with %q", w.Row.Sync, ids(w.Items))
			}
		}
		requireEqual(t, "woken", woken, test.want, cmpopts.SortSlices(func(a, b string) bool { return a < b }))
	}
}

// More threads are parked than one transaction wakes, and a worker whose token is also wrong parks them
// again as fast as they are woken: each is woken exactly once nevertheless.
func testWakeParkedAgain(t *testing.T, s store.Store) {
	const wrong, refused = 1100, 100
	for i := 0; i < wrong+refused; i += 100 {
		var all []*thread.Event
		for j := i; j < i+100; j++ {
			all = append(all, updated(fmt.Sprintf("t%04d", j*7%(wrong+refused)), 1))
		}
		accept(t, s, all...)
	}
	park := func(status int) (n int) {
		var pushes []store.Push
		for _, w := range claim(t, s, 100, time.Hour) {
			pushes = append(pushes, parked(&w, status))
		}
		record(t, s, pushes...)
		return len(pushes)
	}
	park(422)
	for park(401) > 0 {
	}

	var worker sync.WaitGroup
	var isWoken atomic.Bool
	again := 0
	worker.Go(func() {
		for !isWoken.Load() {
			again += park(401)
		}
	})
	n, err := s.WakeParked(t.Context(), []int{401}, at(8000))
	isWoken.Store(true)
	worker.Wait()
	for more := park(401); more > 0; more = park(401) {
		again += more
	}
	if err != nil || n != wrong || again != wrong {
		t.Errorf("WakeParked: %d, %v; %d were due, want %d", n, err, again, wrong)
	}
}
