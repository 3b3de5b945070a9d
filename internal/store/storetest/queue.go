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

const (
	allItems = 1000
	// moment is a lease, or a time to wait, that is over before anybody could wait for it.
	moment = time.Microsecond
	// patience is how long a test waits for what comes at once on an idle machine.
	patience = time.Minute
)

func request(limit int, lease time.Duration) store.ClaimRequest {
	return store.ClaimRequest{Limit: limit, Lease: lease, Items: allItems}
}

func claim(t failer, s store.Store, limit int, lease time.Duration) []store.Work {
	t.Helper()
	return claimed(t, s, request(limit, lease)).Work
}

func claimed(t failer, s store.Store, r store.ClaimRequest) store.Claimed {
	t.Helper()
	got, err := s.Claim(ctx(), r)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if len(got.Work) > r.Limit {
		t.Fatalf("%d threads were claimed, want %d at most", len(got.Work), r.Limit)
	}
	for _, w := range got.Work {
		if w.Row.Sync.Epoch != w.Epoch || w.Row.ID != w.ThreadID || w.Row.Sync.LeaseUntil.IsZero() {
			t.Fatalf("a claim %+v with the row %+v", w.Claim, w.Row)
		}
	}
	return got
}

// claimOne claims the one thread that is due.
func claimOne(t failer, s store.Store) *store.Work {
	t.Helper()
	work := claim(t, s, 10, time.Hour)
	if len(work) != 1 {
		t.Fatalf("%d threads are due, want 1", len(work))
	}
	return &work[0]
}

// awaitClaim asks until a thread is due because its lease, a pause or its time to wait has ended.
func awaitClaim(t failer, s store.Store, limit int, lease time.Duration) []store.Work {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if work := claim(t, s, limit, lease); len(work) > 0 {
			return work
		}
	}
	t.Fatalf("no thread became due in %v", patience)
	return nil
}

func requireNoneDue(t failer, s store.Store) {
	t.Helper()
	if work := claim(t, s, 10, time.Hour); len(work) != 0 {
		t.Fatalf("claimed %q, want none", workIDs(work))
	}
}

func workIDs(work []store.Work) []string {
	all := make([]string, len(work))
	for i, w := range work {
		all[i] = w.ThreadID
	}
	return all
}

// record ends claims that hold.
func record(t failer, s store.Store, pushes ...store.Push) {
	t.Helper()
	for i, isHeld := range recorded(t, s, pushes...) {
		if !isHeld {
			t.Fatalf("the claim %+v is lost", pushes[i].Claim)
		}
	}
}

func recorded(t failer, s store.Store, pushes ...store.Push) []bool {
	t.Helper()
	held, err := s.Record(ctx(), pushes, at(7200))
	if err != nil {
		t.Fatalf("Record: %v", err)
	}
	if len(held) != len(pushes) {
		t.Fatalf("Record answers %d of %d pushes", len(held), len(pushes))
	}
	return held
}

// done is the push after which the CRM has everything that was claimed.
func done(w *store.Work) store.Push {
	for _, item := range w.Items {
		item.Acked, item.SetAside = item.View(), thread.Hash{}
	}
	row := &w.Row
	return store.Push{
		Claim: w.Claim, Rev: row.Sync.Want, Done: !w.More, Items: w.Items, Status: 200,
		Copy:  &thread.Copy{Exists: true, Version: row.Version, Head: row.Version, UpdatedAt: row.UpdatedAt, ETag: `"1"`},
		Notes: []audit.Note{{Subject: row.ID, Action: audit.ActionPush, Outcome: "acknowledged"}},
	}
}

func requireDoneRev(t *testing.T, s store.Store, id string, done, aside int64) {
	t.Helper()
	if gotDone, gotAside, err := s.DoneRev(t.Context(), id); gotDone != done || gotAside != aside || err != nil {
		t.Errorf("DoneRev = %d, %d, %v; want %d, %d", gotDone, gotAside, err, done, aside)
	}
}

func failed(w *store.Work, status int, retryIn time.Duration) store.Push {
	return store.Push{Claim: w.Claim, Rev: w.Row.Sync.Want, Status: status, Error: "the CRM said no", RetryIn: retryIn}
}

func parked(w *store.Work, status int) store.Push {
	p := failed(w, status, 0)
	p.Park = &store.DeadLetter{
		Kind: store.KindThreadPush, Key: store.PushLetter(w.ThreadID).Key, Subject: w.ThreadID, Reason: p.Error,
		Received: at(7200), Raw: []byte(`{"delta":1}`),
	}
	return p
}

func testClaim(t *testing.T, create func(t *testing.T) Open) {
	t.Run("LongestWaitFirst", func(t *testing.T) {
		s := migrated(t, create)
		for i, id := range []string{"third", "first", "fourth", "second"} {
			commitAt(t, s, at([]int{30, 10, 40, 20}[i]), events(updated(id, 1))...)
		}
		commitAt(t, s, at(50), events(updated("first", 2), split("never", "placeholder", 1, message("m", 1)))...)
		requireEqual(t, "claimed", workIDs(claim(t, s, 2, time.Hour)), []string{"first", "second"})
		requireEqual(t, "the rest", workIDs(claim(t, s, 10, time.Hour)), []string{"third", "fourth", "never"})
		requireNoneDue(t, s)
	})

	t.Run("TheRowAsItIs", func(t *testing.T) {
		s := migrated(t, create)
		e := updated("t", 3, message("m", 1))
		e.Participants = []thread.Participant{person("p", "Ann")}
		accept(t, s, sealed(e))
		before := *readThread(t, s, "t")
		w := claimOne(t, s)
		requireEqual(t, "row", w.Row, *readThread(t, s, "t"))
		requireEqual(t, "row but for the lease", w.Row, before, cmpopts.IgnoreFields(store.Sync{}, "Epoch", "LeaseUntil"))
		if w.Epoch != 1 || w.More || len(w.Links) != 0 || w.Row.Sync.Uncertain {
			t.Errorf("claimed %+v", w)
		}
		requireEqual(t, "items", w.Items, append(present(stateOf(e), "t", thread.KindMessage), present(stateOf(e), "t", thread.KindParticipant)...), revisions)
		requireDoneRev(t, s, "t", 0, 0)
		record(t, s, done(w))
		requireDoneRev(t, s, "t", 1, 0)
		requireNoneDue(t, s)
	})

	t.Run("ItemsInTheOrderTheyBecameDirty", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1, message("d", 1), message("b", 2)))
		accept(t, s, updated("t", 2, message("a", 3)))
		e := updated("t", 3, message("c", 0))
		e.Participants = []thread.Participant{person("c", "Ann"), person("B", "Bob")}
		accept(t, s, sealed(e))
		accept(t, s, updated("t", 0, message("late", 9)))
		all := []string{"b", "d", "a", "c", "B", "c", "late"}
		for limit := 1; limit <= len(all)+1; limit++ {
			got := claimed(t, s, store.ClaimRequest{Limit: 1, Lease: time.Hour, Items: limit}).Work[0]
			requireEqual(t, "items", ids(got.Items), all[:min(limit, len(all))])
			if got.More != (limit < len(all)) {
				t.Errorf("more = %v with %d of %d", got.More, limit, len(all))
			}
			if got.Items[0].Rev != 1 || got.Row.Sync.Want != 4 {
				t.Errorf("rev %d of a thread that wants %d", got.Items[0].Rev, got.Row.Sync.Want)
			}
			record(t, s, store.Push{Claim: got.Claim, Rev: 4})
		}
	})

	t.Run("Fresh", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("fails", 1))
		record(t, s, failed(claimOne(t, s), 500, 0))
		accept(t, s, updated("fails", 2), updated("fresh", 1), updated("also fresh", 1))
		r := request(10, time.Hour)
		r.Fresh = true
		work := claimed(t, s, r).Work
		if got := workIDs(work); len(got) != 2 || slices.Contains(got, "fails") {
			t.Errorf("claimed %q, want those that never failed", got)
		}
		requireEqual(t, "the others", workIDs(claim(t, s, 10, time.Hour)), []string{"fails"})
	})

	t.Run("WhenToAskAgain", func(t *testing.T) {
		s := migrated(t, create)
		if got := claimed(t, s, request(1, time.Hour)); got.Wait != 0 {
			t.Errorf("wait %v for nothing", got.Wait)
		}
		accept(t, s, updated("a", 1), updated("b", 1))
		got := claimed(t, s, request(1, time.Hour))
		if got.Wait != 0 {
			t.Errorf("wait %v though there may be more", got.Wait)
		}
		other := claimed(t, s, request(1, time.Hour))
		record(t, s, failed(&got.Work[0], 500, 3*time.Minute), done(&other.Work[0]))
		requireWait(t, s, 3*time.Minute)
		if err := s.Pause(t.Context(), store.MaxWait); err != nil {
			t.Fatal(err)
		}
		requireWait(t, s, store.MaxWait)

		leased := migrated(t, create)
		accept(t, leased, updated("a", 1))
		claim(t, leased, 1, 20*time.Minute)
		requireWait(t, leased, 20*time.Minute)
	})
}

// requireWait requires that nothing is due, and that the next thing is in about d, of which some may have
// passed.
func requireWait(t failer, s store.Store, d time.Duration) {
	t.Helper()
	got := claimed(t, s, request(5, time.Hour))
	if len(got.Work) != 0 || got.Wait > d || got.Wait < d-patience {
		t.Fatalf("claimed %q, wait %v, want none and %v", workIDs(got.Work), got.Wait, d)
	}
}

func testClaimLinks(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	accept(t, s, merged("c", "b", 1), merged("b", "a", 2), updated("a", 1), updated("alone", 1),
		merged("x", "y", 6), merged("y", "x", 7), merged("orphan", "unseen", 1), merged("was", "c", 1))
	link := func(parent string, version int) thread.Link {
		return thread.Link{Parent: parent, Kind: thread.LinkMerged, UpdatedAt: at(version)}
	}
	b, c := link("a", 2), link("b", 1)
	ring := map[string]thread.Link{"x": link("y", 6), "y": link("x", 7)}
	claims := make(map[string]map[string]thread.Link)
	for _, w := range claim(t, s, 100, time.Hour) {
		claims[w.ThreadID] = realLinks(w.Links)
		push := done(&w)
		push.Checked = w.Row.Links.Loose
		record(t, s, push)
	}
	requireEqual(t, "links", claims, map[string]map[string]thread.Link{
		"a": {}, "alone": {}, "b": {"b": b}, "c": {"c": c, "b": b}, "x": ring, "y": ring,
		"orphan": {"orphan": link("unseen", 1)}, "was": {"was": link("c", 1), "c": c, "b": b},
	})

	// The parent that it left is loose until rings were looked for from there.
	unlinked := updated("was", 8)
	unlinked.NamesParent = true
	accept(t, s, sealed(unlinked))
	for range 2 {
		w := claimOne(t, s)
		requireEqual(t, "loose", w.Row.Links.Loose, []string{"c"})
		requireEqual(t, "links above a loose parent", realLinks(w.Links), map[string]thread.Link{"c": c, "b": b})
		record(t, s, failed(w, 500, 0))
	}
	check := func(w *store.Work) {
		t.Helper()
		push := done(w)
		push.Checked = w.Row.Links.Loose
		record(t, s, push)
	}
	w := claimOne(t, s)
	accept(t, s, merged("was", "x", 9))
	check(w)
	w = claimOne(t, s)
	requireEqual(t, "loose, linked anew since the claim", w.Row.Links.Loose, []string{"c", "x"})
	requireEqual(t, "links above all of them", realLinks(w.Links), map[string]thread.Link{
		"c": c, "b": b, "x": ring["x"], "y": ring["y"], "was": link("x", 9),
	})
	check(w)
	unlinked = updated("was", 10)
	unlinked.NamesParent = true
	accept(t, s, sealed(unlinked))
	check(claimOne(t, s))
	accept(t, s, updated("was", 11))
	if w := claimOne(t, s); len(w.Links) != 0 || len(w.Row.Links.Loose) != 0 {
		t.Errorf("after the check: links %v, loose %v", w.Links, w.Row.Links.Loose)
	}
}

// requirePaused wants the sink to be paused for a time.
func requirePaused(t *testing.T, s store.Store, d time.Duration) {
	t.Helper()
	requireWait(t, s, d)
	if got := claimed(t, s, request(5, time.Hour)); !got.Paused {
		t.Errorf("%+v: it does not say that this is a pause", got)
	}
}

func pause(t *testing.T, s store.Store, d time.Duration) {
	t.Helper()
	if err := s.Pause(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func testPause(t *testing.T, create func(t *testing.T) Open) {
	t.Run("Ends", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		pause(t, s, moment)
		awaitClaim(t, s, 1, time.Hour)
		if got := claimed(t, s, request(5, time.Hour)); got.Paused || got.Wait == 0 {
			t.Errorf("%+v: a lease is no pause", got)
		}
	})
	t.Run("TheLongestCounts", func(t *testing.T) {
		open := create(t)
		s := openStore(t, open)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		accept(t, s, updated("held", 1))
		w := claimOne(t, s)
		pause(t, s, 3*time.Minute)
		pause(t, s, moment)
		accept(t, s, updated("t", 1))
		requireNoneDue(t, s)
		requirePaused(t, s, 3*time.Minute)
		requirePaused(t, openStore(t, open), 3*time.Minute) // it is the sink's, not the worker's
		pause(t, s, store.MaxWait)
		requirePaused(t, s, store.MaxWait)
		if lost, err := s.Extend(t.Context(), []store.Claim{w.Claim}, time.Hour); err != nil || len(lost) != 0 {
			t.Errorf("Extend while paused: %v, %v", lost, err)
		}
		record(t, s, done(w))
		requireNoneDue(t, s)
	})
}

// A wait of more than MaxWait is what one of less becomes when the clock is set back while it lasts. It
// is over; one that begins then counts.
func testClockSetBack(t *testing.T, create func(t *testing.T) Open) {
	const ahead = store.MaxWait + time.Hour
	t.Run("PutOff", func(t *testing.T) {
		s := migrated(t, create)
		accept(t, s, updated("t", 1))
		record(t, s, failed(claimOne(t, s), 500, ahead))
		record(t, s, failed(claimOne(t, s), 500, store.MaxWait))
		requireWait(t, s, store.MaxWait)
	})
	t.Run("Paused", func(t *testing.T) {
		s := migrated(t, create)
		pause(t, s, ahead)
		accept(t, s, updated("t", 1))
		record(t, s, failed(claimOne(t, s), 500, 0))
		pause(t, s, 3*time.Minute)
		requireWait(t, s, 3*time.Minute)
	})
}
