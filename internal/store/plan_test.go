package store_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

var (
	now   = time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)
	judge = &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "US"}
)

// rows is a database as a plan sees it: it does what Plan tells an implementation to do, and fails
// where a database would.
type rows struct {
	messages map[string]*sms.Message
	history  map[string]sms.PastReceipt // by message id and key
	letters  map[[32]byte]int64
	lastID   int64
	counts   analytics.Delta
}

func newRows() *rows {
	return &rows{messages: make(map[string]*sms.Message), history: make(map[string]sms.PastReceipt), letters: make(map[[32]byte]int64)}
}

type failer interface{ Fatalf(string, ...any) }

func (db *rows) commit(t failer, entries ...store.Entry) []store.Outcome {
	batch := store.Batch{Entries: entries, Now: now, Judge: judge}
	existing := make(map[string]*sms.Message)
	for _, id := range batch.MessageIDs() {
		if m := db.messages[id]; m != nil {
			c := *m
			c.Ranks = maps.Clone(m.Ranks)
			existing[id] = &c
		}
	}
	plan := store.MakePlan(batch, store.Existing{Messages: existing})
	for _, m := range plan.Inserts {
		if db.messages[m.ID] != nil {
			t.Fatalf("insert of %s, which exists", m.ID)
		}
		db.messages[m.ID] = m
	}
	for _, m := range plan.Updates {
		if db.messages[m.ID] == nil {
			t.Fatalf("update of %s, which does not exist", m.ID)
		}
		db.messages[m.ID] = m
	}
	for i, past := range plan.History {
		key := past.MessageID + string(past.Key[:])
		if known, again := db.history[key]; again {
			plan.MarkKnownPast(i)
			db.history[key] = known.Join(past.PastReceipt)
			continue
		}
		db.history[key] = past.PastReceipt
	}
	for i, letter := range plan.DeadLetters {
		if db.letters[letter.Digest] != 0 {
			plan.MarkKnownLetter(i)
			continue
		}
		db.lastID++
		db.letters[letter.Digest] = db.lastID
	}
	for _, id := range plan.Resolved {
		maps.DeleteFunc(db.letters, func(_ [32]byte, known int64) bool { return known == id })
	}
	requireSorted(t, plan)
	if plan.Counts != nil {
		if err := db.counts.MergeEncoded(plan.Counts); err != nil {
			t.Fatalf("counts: %v", err)
		}
	}
	return plan.Outcomes()
}

// requireCounts compares the sum of all plans with the messages that there are.
func (db *rows) requireCounts(t failer) {
	var want analytics.Delta
	for _, m := range db.messages {
		want.Add(analytics.ContributionOf(m))
	}
	if got := db.counts.Encode(); !bytes.Equal(got, want.Encode()) {
		t.Fatalf("counted are %x, want %x", got, want.Encode())
	}
}

// requireSorted checks what keeps transactions of replicas out of a ring.
func requireSorted(t failer, plan *store.Plan) {
	byID := func(a, b *sms.Message) int { return strings.Compare(a.ID, b.ID) }
	byKey := func(a, b store.Past) int {
		if c := strings.Compare(a.MessageID, b.MessageID); c != 0 {
			return c
		}
		return bytes.Compare(a.Key[:], b.Key[:])
	}
	byDigest := func(a, b store.Letter) int { return bytes.Compare(a.Digest[:], b.Digest[:]) }
	if !slices.IsSortedFunc(plan.Inserts, byID) || !slices.IsSortedFunc(plan.Updates, byID) ||
		!slices.IsSortedFunc(plan.History, byKey) || !slices.IsSortedFunc(plan.DeadLetters, byDigest) || !slices.IsSorted(plan.Resolved) {
		t.Fatalf("the plan is not sorted: %+v", plan)
	}
}

func drawEntry(t *rapid.T) store.Entry {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
		return store.Entry{DeadLetter: &store.DeadLetter{Kind: store.KindSMS, Raw: []byte(pick("letter", "1", "2", "3"))}}
	}
	r := &sms.Receipt{
		MessageID: pick("id", "a", "b"),
		Status:    sms.Status(rapid.IntRange(int(sms.Pending), int(sms.Delivered)).Draw(t, "status")),
		At:        rapid.SampledFrom([]time.Time{{}, now, now.Add(time.Second)}).Draw(t, "at"),
		Carrier:   pick("carrier", "", "X", "Y"),
		Region:    pick("region", "", "GB"),
		Cost:      pick("cost", "", "0.0075"),
		Received:  now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "received")) * time.Second),
		Raw:       []byte(pick("raw", "{}", "{ }")),
	}
	return store.Entry{Receipt: r}
}

// identity tells the events apart that the entries are about.
func identity(e store.Entry) string {
	if e.DeadLetter != nil {
		digest := e.DeadLetter.Digest()
		return "letter " + string(digest[:])
	}
	key := e.Receipt.Key()
	return "receipt " + e.Receipt.MessageID + " " + string(key[:])
}

func TestPlanInAnyOrderAndBatching(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), 1, 12).Draw(t, "entries")
		known := make(map[string]bool)
		want := make(map[string]*sms.Message)
		db := newRows()
		arriving := rapid.Permutation(append(slices.Clone(entries), entries[:len(entries)/2]...)).Draw(t, "arriving")
		for rest := arriving; len(rest) > 0; {
			size := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			outcomes := db.commit(t, rest[:size]...)
			for i, e := range rest[:size] {
				if outcomes[i].Duplicate != known[identity(e)] {
					t.Fatalf("duplicate = %v of %+v", outcomes[i].Duplicate, e)
				}
				known[identity(e)] = true
			}
			rest = rest[size:]
		}
		for _, e := range entries {
			if r := e.Receipt; r != nil {
				if want[r.MessageID] == nil {
					want[r.MessageID] = &sms.Message{Updated: now}
				}
				want[r.MessageID].Fold(r)
			}
		}
		for _, m := range want {
			judge.Settle(m)
		}
		if diff := cmp.Diff(want, db.messages, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("messages (-want +got):\n%s", diff)
		}
		db.requireCounts(t)
		pasts := make(map[string]sms.PastReceipt)
		for _, e := range entries {
			if r := e.Receipt; r != nil && r.Key() != db.messages[r.MessageID].Key {
				past := r.Past()
				if known, again := pasts[identity(e)]; again {
					past = past.Join(known)
				}
				pasts[identity(e)] = past
			}
		}
		for id, past := range pasts {
			if diff := cmp.Diff(past, db.history[past.MessageID+string(past.Key[:])]); diff != "" {
				t.Fatalf("history row of %q (-want +got):\n%s", id, diff)
			}
		}
		// Each event is in one place: the row of its message, the history or the dead letters.
		for id, m := range db.messages {
			if _, twice := db.history[id+string(m.Key[:])]; twice {
				t.Fatalf("the winning receipt of %s is in the history too", id)
			}
		}
		if events := len(db.messages) + len(db.history) + len(db.letters); events != len(known) {
			t.Fatalf("%d events are kept of %d", events, len(known))
		}
	})
}

func TestPlanTouchesOnlyWhatChanges(t *testing.T) {
	delivered := &sms.Receipt{MessageID: "m", Status: sms.Delivered, At: now, Received: now, Raw: []byte("{}")}
	pending := &sms.Receipt{MessageID: "m", Status: sms.Pending, At: now, Received: now, Raw: []byte("{}")}
	db := newRows()
	db.commit(t, store.Entry{Receipt: delivered})
	for name, test := range map[string]struct {
		entry                     store.Entry
		inserts, updates, history int
	}{
		"duplicate":             {store.Entry{Receipt: delivered}, 0, 0, 0},
		"lower and no news":     {store.Entry{Receipt: pending}, 0, 0, 1},
		"of another message":    {store.Entry{Receipt: &sms.Receipt{MessageID: "n", Status: sms.Pending, Received: now}}, 1, 0, 0},
		"higher":                {store.Entry{Receipt: &sms.Receipt{MessageID: "m", Status: sms.Failed, At: now.Add(1e9), Received: now}}, 0, 1, 1},
		"names a new column":    {store.Entry{Receipt: &sms.Receipt{MessageID: "m", Status: sms.Pending, At: now, Carrier: "X", Received: now}}, 0, 1, 1},
		"came to us earlier":    {store.Entry{Receipt: &sms.Receipt{MessageID: "m", Status: sms.Pending, At: now, Received: now.Add(-1)}}, 0, 1, 1},
		"dead letter, resolves": {store.Entry{DeadLetter: &store.DeadLetter{}, Resolves: 7}, 0, 0, 0},
	} {
		known := *db.messages["m"]
		plan := store.MakePlan(store.Batch{Entries: []store.Entry{test.entry}, Now: now, Judge: judge}, store.Existing{Messages: map[string]*sms.Message{"m": &known}})
		got := fmt.Sprint(len(plan.Inserts), len(plan.Updates), len(plan.History), len(plan.Resolved))
		if want := fmt.Sprint(test.inserts, test.updates, test.history, 0); got != want {
			t.Errorf("%s: inserts, updates, history, resolved = %s, want %s", name, got, want)
		}
	}
}

// A batch that changes nothing that is counted has no counts, but for what was observed.
func TestPlanCounts(t *testing.T) {
	r := &sms.Receipt{MessageID: "m", Status: sms.Delivered, At: now, Received: now, Raw: []byte("{}")}
	observed := new(analytics.Delta)
	observed.Observe(now, time.Second, time.Second, 2)
	for name, test := range map[string]struct {
		receipt  *sms.Receipt
		observed *analytics.Delta
		counts   bool
	}{
		"nothing":       {nil, nil, false},
		"none observed": {nil, new(analytics.Delta), false},
		"observed":      {nil, observed, true},
		"duplicate":     {r, nil, false},
		"not counted":   {&sms.Receipt{MessageID: "m", Status: sms.Delivered, At: now.Add(time.Second), ErrorCode: "7", Received: now}, nil, false},
		"new message":   {&sms.Receipt{MessageID: "n", Status: sms.Delivered, Received: now}, nil, true},
		"other carrier": {&sms.Receipt{MessageID: "m", Status: sms.Pending, At: now, Carrier: "X", Received: now}, nil, true},
		"came earlier":  {&sms.Receipt{MessageID: "m", Status: sms.Pending, At: now, Received: now.Add(-time.Second)}, nil, true},
	} {
		db := newRows()
		db.commit(t, store.Entry{Receipt: r})
		batch := store.Batch{Now: now, Judge: judge, Observed: test.observed}
		if test.receipt != nil {
			batch.Entries = []store.Entry{{Receipt: test.receipt}}
		}
		if isEmpty := test.receipt == nil && test.observed != observed; batch.Empty() != isEmpty {
			t.Errorf("%s: Empty = %v", name, batch.Empty())
		}
		if plan := store.MakePlan(batch, store.Existing{Messages: db.messages}); (plan.Counts != nil) != test.counts {
			t.Errorf("%s: counts %x", name, plan.Counts)
		}
	}
}

func TestPlanResolves(t *testing.T) {
	db := newRows()
	db.commit(t, store.Entry{DeadLetter: &store.DeadLetter{Raw: []byte("1")}}, store.Entry{DeadLetter: &store.DeadLetter{Raw: []byte("2")}})
	all := slices.Sorted(maps.Values(db.letters))
	receipt := &sms.Receipt{MessageID: "m", Status: sms.Pending, Received: now}
	db.commit(t, store.Entry{Receipt: receipt, Resolves: all[1]})
	if left := slices.Collect(maps.Values(db.letters)); !slices.Equal(left, all[:1]) {
		t.Errorf("left are %v, want %v", left, all[:1])
	}
}

func TestMessageIDs(t *testing.T) {
	receipt := func(id string) store.Entry { return store.Entry{Receipt: &sms.Receipt{MessageID: id}} }
	batch := store.Batch{Entries: []store.Entry{receipt("b"), {DeadLetter: &store.DeadLetter{}}, receipt("a"), receipt("b"), receipt("B")}}
	if got, want := batch.MessageIDs(), []string{"B", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("MessageIDs = %q, want %q", got, want)
	}
}

func TestDigest(t *testing.T) {
	one := store.DeadLetter{Kind: "a", Raw: []byte("bc"), Reason: "x", Subject: "y", Received: now, Replays: 2}
	same := store.DeadLetter{Kind: "a", Raw: []byte("bc")}
	if one.Digest() != same.Digest() {
		t.Error("the digest is of more than kind and body")
	}
	for _, other := range []store.DeadLetter{{Kind: "ab", Raw: []byte("c")}, {Kind: "a", Raw: []byte("bd")}, {Raw: []byte("bc")}} {
		if other.Digest() == one.Digest() {
			t.Errorf("the digest of %+v is that of another event", other)
		}
	}
}
