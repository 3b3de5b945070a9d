package store_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var pushedAt = now.Add(time.Hour)

// leased is a thread that a worker has claimed at revision 3, and that has had an event since if it
// wants 4.
func leased(id string, want int64) *store.ThreadRow {
	return &store.ThreadRow{
		Thread: thread.Thread{ID: id, Own: true, CRM: thread.Copy{Exists: true, Version: 8}},
		Sync:   store.Sync{Want: want, Done: 2, Since: now, Due: now, Attempts: 2, LeaseUntil: now, Epoch: 7, Uncertain: true, LastStatus: 500, LastError: "x"},
	}
}

func pushOf(change func(p *store.Push)) store.Push {
	p := store.Push{Claim: store.Claim{ThreadID: "t", Epoch: 7}, Rev: 3, Status: 200}
	change(&p)
	return p
}

func TestPushPlanEndsAClaim(t *testing.T) {
	letter := &store.DeadLetter{Kind: store.KindThreadPush, Key: "t"}
	isDone := func(p *store.Push) { p.Done = true }
	isParked := func(p *store.Push) { p.Status, p.Error, p.Park = 422, "no", letter }
	for name, test := range map[string]struct {
		want    int64
		push    func(p *store.Push)
		sync    store.Sync
		retryIn time.Duration
	}{
		"done":                      {3, isDone, store.Sync{Want: 3, Done: 3, Epoch: 7, LastStatus: 200, Answered: pushedAt}, 0},
		"done, and an event came":   {4, isDone, store.Sync{Want: 4, Done: 3, Epoch: 7, LastStatus: 200, Answered: pushedAt, Since: pushedAt}, 0},
		"a chunk":                   {3, func(*store.Push) {}, store.Sync{Want: 3, Done: 2, Epoch: 7, LastStatus: 200, Answered: pushedAt, Since: pushedAt}, 0},
		"without asking":            {3, func(p *store.Push) { p.Status, p.Done = 0, true }, store.Sync{Want: 3, Done: 3, Epoch: 7, LastStatus: 500}, 0},
		"failed":                    {3, func(p *store.Push) { p.Status, p.Error, p.RetryIn = 503, "no", 5 }, store.Sync{Want: 3, Done: 2, Epoch: 7, LastStatus: 503, LastError: "no", Answered: pushedAt, Since: now, Attempts: 3}, 5},
		"postponed":                 {3, func(p *store.Push) { p.Status, p.Error, p.Postponed, p.RetryIn = 429, "no", true, 5 }, store.Sync{Want: 3, Done: 2, Epoch: 7, LastStatus: 429, LastError: "no", Answered: pushedAt, Since: now, Attempts: 2}, 5},
		"forgotten":                 {3, func(p *store.Push) { p.Forget = true }, store.Sync{Want: 3, Epoch: 7, LastStatus: 200, LastError: "x", Answered: pushedAt, Since: pushedAt}, 0},
		"forgotten, and all told":   {3, func(p *store.Push) { p.Forget, p.Done = true, true }, store.Sync{Want: 3, Done: 3, Epoch: 7, LastStatus: 200, Answered: pushedAt}, 0},
		"forgotten, and failed":     {3, func(p *store.Push) { p.Forget, p.Error = true, "no" }, store.Sync{Want: 3, Epoch: 7, LastStatus: 200, LastError: "no", Answered: pushedAt, Since: now, Attempts: 3}, 0},
		"no answer":                 {3, func(p *store.Push) { p.Status, p.Error, p.Uncertain = 0, "no", true }, store.Sync{Want: 3, Done: 2, Epoch: 7, LastError: "no", Answered: pushedAt, Since: now, Attempts: 3, Uncertain: true}, 0},
		"parked":                    {3, isParked, store.Sync{Want: 3, Done: 2, Epoch: 7, LastStatus: 422, LastError: "no", Answered: pushedAt, Since: now, Attempts: 3, Parked: true}, 0},
		"parked, an event came":     {4, isParked, store.Sync{Want: 4, Done: 2, Epoch: 7, LastStatus: 422, LastError: "no", Answered: pushedAt, Since: now, Attempts: 3}, 0},
		"uncertain after a chunk":   {3, func(p *store.Push) { p.Uncertain = true }, store.Sync{Want: 3, Done: 2, Epoch: 7, LastStatus: 200, Answered: pushedAt, Since: pushedAt, Uncertain: true}, 0},
		"disturbs itself when done": {3, func(p *store.Push) { p.Done, p.Disturb = true, []string{"t"} }, store.Sync{Want: 4, Done: 3, Epoch: 7, LastStatus: 200, Answered: pushedAt, Since: pushedAt}, 0},
	} {
		row := leased("t", test.want)
		plan := store.PlanPushes([]store.Push{pushOf(test.push)}, map[string]*store.ThreadRow{"t": row}, pushedAt)
		if !slices.Equal(plan.Held, []bool{true}) || len(plan.Threads.Updates) != 1 || plan.Threads.Updates[0].ThreadRow != row || plan.Threads.Updates[0].RetryIn != test.retryIn {
			t.Errorf("%s: held %v, updates %+v", name, plan.Held, plan.Threads.Updates)
		}
		if diff := cmp.Diff(test.sync, row.Sync, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPushPlanOfLostClaims(t *testing.T) {
	everything := pushOf(func(p *store.Push) {
		p.Done, p.Forget, p.Copy, p.Items = true, true, &thread.Copy{Version: 9}, []*thread.Item{{}}
		p.Park, p.SetAside, p.Solved = &store.DeadLetter{}, []*store.DeadLetter{{Key: "k"}}, []store.LetterKey{{Kind: "k"}}
		p.Disturb, p.Notes, p.Checked = []string{"other"}, []audit.Note{{Subject: "t"}}, []string{"loose"}
	})
	for name, change := range map[string]func(rows map[string]*store.ThreadRow){
		"of another worker": func(rows map[string]*store.ThreadRow) { rows["t"].Sync.Epoch = 8 },
		"ended":             func(rows map[string]*store.ThreadRow) { rows["t"].Sync.LeaseUntil = time.Time{} },
		"of no thread":      func(rows map[string]*store.ThreadRow) { delete(rows, "t") },
	} {
		rows := map[string]*store.ThreadRow{"t": leased("t", 3), "other": leased("other", 3)}
		change(rows)
		want := make(map[string]store.ThreadRow)
		for id, row := range rows {
			want[id] = *row
		}
		plan := store.PlanPushes([]store.Push{everything}, rows, pushedAt)
		if diff := cmp.Diff(&store.PushPlan{Held: []bool{false}}, plan, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: plan (-want +got):\n%s", name, diff)
		}
		for id, row := range rows {
			if diff := cmp.Diff(want[id], *row); diff != "" {
				t.Errorf("%s: row of %s (-want +got):\n%s", name, id, diff)
			}
		}
	}
}

func TestPushPlanNotesTheCopy(t *testing.T) {
	theirs := &thread.Copy{Exists: true, Version: 9}
	for name, test := range map[string]struct {
		push    func(p *store.Push)
		copy    thread.Copy
		forgets []string
	}{
		"as before":          {func(*store.Push) {}, thread.Copy{Exists: true, Version: 8}, nil},
		"told":               {func(p *store.Push) { p.Copy = theirs }, *theirs, nil},
		"forgotten":          {func(p *store.Push) { p.Forget = true }, thread.Copy{}, []string{"t"}},
		"forgotten and told": {func(p *store.Push) { p.Forget, p.Copy = true, theirs }, *theirs, []string{"t"}},
	} {
		row := leased("t", 3)
		plan := store.PlanPushes([]store.Push{pushOf(test.push)}, map[string]*store.ThreadRow{"t": row}, pushedAt)
		if row.CRM != test.copy || !slices.Equal(plan.Forget, test.forgets) {
			t.Errorf("%s: copy %+v, forgets %q", name, row.CRM, plan.Forget)
		}
	}
}

func TestPushPlanDisturbs(t *testing.T) {
	rows := map[string]*store.ThreadRow{
		"t": leased("t", 3), "leased": leased("leased", 3),
		"synced":      {Thread: thread.Thread{ID: "synced", Own: true}, Sync: store.Sync{Want: 5, Done: 5, Trace: "of an event"}},
		"placeholder": {Thread: thread.Thread{ID: "placeholder"}},
		"ended":       leased("ended", 3),
	}
	ended := pushOf(func(p *store.Push) {
		p.ThreadID, p.Error, p.RetryIn, p.Disturb = "ended", "no", time.Minute, []string{"t"}
	})
	plan := store.PlanPushes([]store.Push{
		pushOf(func(p *store.Push) {
			p.Done, p.Disturb = true, []string{"leased", "synced", "placeholder", "unknown", "ended"}
		}), ended,
	}, rows, pushedAt)
	got := make(map[string]store.Sync)
	for _, u := range plan.Threads.Updates {
		got[u.ID] = u.Sync
		if wait := map[string]time.Duration{"ended": time.Minute}[u.ID]; u.RetryIn != wait {
			t.Errorf("%s waits %v, want %v", u.ID, u.RetryIn, wait)
		}
	}
	other := leased("leased", 4).Sync
	want := map[string]store.Sync{
		"t":      {Want: 4, Done: 3, Epoch: 7, LastStatus: 200, Answered: pushedAt, Since: pushedAt},
		"leased": other,
		"synced": {Want: 6, Done: 5, Since: pushedAt},
		"ended":  {Want: 4, Done: 2, Epoch: 7, LastStatus: 200, LastError: "no", Answered: pushedAt, Since: now, Attempts: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := store.PushThreadIDs([]store.Push{ended, pushOf(func(p *store.Push) { p.Disturb = []string{"a", "ended"} })}); !slices.Equal(got, []string{"a", "ended", "t"}) {
		t.Errorf("PushThreadIDs = %q", got)
	}
}

// A thread that was linked anew since the claim is looked at again: the rings through the parent
// that it left meanwhile were not.
func TestPushPlanLooseParents(t *testing.T) {
	db := newThreadRows()
	claimed := func() (row store.ThreadRow) {
		row = db.threads["t"]
		row.Sync.Epoch, row.Sync.LeaseUntil = row.Sync.Epoch+1, now
		db.threads["t"] = row
		return row
	}
	record := func(w store.ThreadRow) []string {
		t.Helper()
		rows := db.read([]string{"t"})
		plan := store.PlanPushes([]store.Push{{
			Claim: store.Claim{ThreadID: "t", Epoch: w.Sync.Epoch}, Rev: w.Sync.Want, Done: true, Checked: w.Links.Loose,
		}}, rows, pushedAt)
		db.write(t, &plan.Threads)
		return db.threads["t"].Links.Loose
	}
	link := func(parent string, version int) {
		db.commit(t, now, entriesOf(threadEvent(thread.Merged, "t", parent, version))...)
	}
	link("a", 1)
	w := claimed()
	link("b", 2)
	if left := record(w); !slices.Equal(left, []string{"a", "b"}) {
		t.Errorf("loose are %q: it left a after the claim", left)
	}
	w = claimed()
	db.commit(t, now, entriesOf(threadEvent(thread.Updated, "t", "", 3, "m"))...)
	if left := record(w); len(left) != 0 {
		t.Errorf("loose are %q after the check, though the link stayed", left)
	}
	link("a", 4)
	w = claimed()
	w.Links.Loose = []string{"b"}
	if left := record(w); !slices.Equal(left, []string{"a"}) {
		t.Errorf("loose are %q, want the one that was not checked", left)
	}
}

func TestPushPlanLetters(t *testing.T) {
	item := thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: "m"}
	letter := func(k store.LetterKey, raw string) *store.DeadLetter {
		return &store.DeadLetter{Kind: k.Kind, Key: k.Key, Raw: []byte(raw)}
	}
	one, two := letter(store.ItemLetter(item), "1"), letter(store.PushLetter("t"), "2")
	solved := store.ItemLetter(thread.ItemKey{ThreadID: "t", Kind: thread.KindParticipant, ID: "m"})
	plan := store.PlanPushes([]store.Push{pushOf(func(p *store.Push) {
		p.SetAside, p.Park, p.Solved = []*store.DeadLetter{one}, two, []store.LetterKey{solved, solved}
	})}, map[string]*store.ThreadRow{"t": leased("t", 3)}, pushedAt)

	byBytes := func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }
	if want := [][32]byte{solved.Digest()}; !slices.Equal(plan.Solved, want) {
		t.Errorf("solved are %x, want %x", plan.Solved, want)
	}
	if len(plan.Letters) != 2 || byBytes(plan.Letters[0].Digest, plan.Letters[1].Digest) >= 0 {
		t.Fatalf("letters %+v", plan.Letters)
	}
	for _, l := range plan.Letters {
		if l.Digest != map[string][32]byte{"1": store.ItemLetter(item).Digest(), "2": store.PushLetter("t").Digest()}[string(l.Raw)] {
			t.Errorf("the digest of %s is not that of its key", l.Raw)
		}
	}
}

// What is wrong with one thing is told apart from what is wrong with others, and from events.
func TestLetterKeysStayApart(t *testing.T) {
	key := func(threadID, kind, id string) [32]byte {
		return store.ItemLetter(thread.ItemKey{ThreadID: threadID, Kind: thread.ItemKind(kind), ID: id}).Digest()
	}
	all := [][32]byte{
		key("t", "message", "m"), key("t", "participant", "m"), key("u", "message", "m"), key("t", "message", "n"),
		key("t", "messagem", "m"), store.PushLetter("t").Digest(), store.PushLetter("u").Digest(),
		(&store.DeadLetter{Kind: store.KindThreadPush, Raw: []byte("t")}).Digest(),
	}
	for i, a := range all {
		if slices.Index(all, a) != i {
			t.Errorf("key %d is that of key %d", i, slices.Index(all, a))
		}
	}
}

func TestPushPlanAudit(t *testing.T) {
	db := newThreadRows()
	db.commit(t, now, entriesOf(threadEvent(thread.Updated, "t", "", 1), threadEvent(thread.Updated, "u", "", 1))...)
	rows := db.read([]string{"t", "u"})
	for _, row := range rows {
		row.Sync.Epoch, row.Sync.LeaseUntil = 7, now
	}
	note := func(subject string, action audit.Action) audit.Note {
		return audit.Note{Subject: subject, Action: action, Outcome: "x"}
	}
	u := pushOf(func(p *store.Push) { p.ThreadID, p.Notes = "u", []audit.Note{note("u", audit.ActionPush)} })
	plan := store.PlanPushes([]store.Push{u, pushOf(func(p *store.Push) {
		p.Notes = []audit.Note{note("t", audit.ActionConflict), note("t", audit.ActionPush)}
	})}, rows, pushedAt)
	var told []string
	for _, e := range plan.Threads.Audit {
		told = append(told, e.Subject+" "+string(e.Action))
	}
	if want := []string{"t conflict", "t push", "u push"}; !slices.Equal(told, want) {
		t.Errorf("audit %q, want %q", told, want)
	}
	db.write(t, &plan.Threads)
	db.requireUnbroken(t)
}

// While a thread is pushed, somebody may ask that what is set aside of it be tried again.
func TestPushPlanKeepsNothingAsideThatIsOlderThanAWake(t *testing.T) {
	hash := thread.HashOf([]byte("v"))
	item := func(id string) *thread.Item {
		return &thread.Item{
			ItemKey: thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: id}, Stamp: thread.Stamp{Hash: hash}, SetAside: hash,
		}
	}
	for want, keeps := range map[int64]bool{3: true, 4: false} {
		before, refused, changed, theirs, plain := item("before"), item("refused"), item("changed"), item("theirs"), item("unset")
		changed.Stamp.Hash = thread.HashOf([]byte("another"))
		theirs.Theirs, plain.SetAside = true, thread.Hash{}
		push := pushOf(func(p *store.Push) {
			key := store.ItemLetter(refused.ItemKey)
			p.Items, p.SetAside = []*thread.Item{before, refused, changed, theirs, plain}, []*store.DeadLetter{{Kind: key.Kind, Key: key.Key}}
		})
		plan := store.PlanPushes([]store.Push{push}, map[string]*store.ThreadRow{"t": leased("t", want)}, pushedAt)
		older := hash
		if !keeps {
			older = thread.Retry
		}
		for item, setAside := range map[*thread.Item]thread.Hash{
			before: older, changed: older, refused: hash, theirs: hash, plain: {},
		} {
			if item.SetAside != setAside {
				t.Errorf("at revision %d: %s has %x set aside, want %x", want, item.ID, item.SetAside, setAside)
			}
		}
		if len(plan.Items) != 5 {
			t.Errorf("at revision %d: %d items", want, len(plan.Items))
		}
	}
}

// A thread that is parked is not tried again, so nothing would bring back the dead letters about its items.
func TestPushPlanFailsReplaysWithTheThread(t *testing.T) {
	item := func(id string, setAside thread.Hash) *thread.Item {
		return &thread.Item{ItemKey: thread.ItemKey{ThreadID: "t", Kind: thread.KindMessage, ID: id}, SetAside: setAside}
	}
	replayed := item("replayed", thread.Retry)
	for name, test := range map[string]struct {
		want int64
		park *store.DeadLetter
		back bool
	}{
		"parked":               {3, &store.DeadLetter{Kind: store.KindThreadPush, Key: "t"}, true},
		"parked, and an event": {4, &store.DeadLetter{Kind: store.KindThreadPush, Key: "t"}, false},
		"failed":               {3, nil, false},
	} {
		push := pushOf(func(p *store.Push) {
			p.Error, p.Park = "no", test.park
			p.Items = []*thread.Item{item("plain", thread.Hash{}), replayed, item("aside", thread.HashOf([]byte("v")))}
		})
		plan := store.PlanPushes([]store.Push{push}, map[string]*store.ThreadRow{"t": leased("t", test.want)}, pushedAt)
		var want [][32]byte
		if test.back {
			want = [][32]byte{store.ItemLetter(replayed.ItemKey).Digest()}
		}
		if !slices.Equal(plan.Failed, want) || replayed.SetAside != thread.Retry {
			t.Errorf("%s: dead letters %x are back, want %x", name, plan.Failed, want)
		}
	}
}
