package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/storetest"
)

// hopeful is a store that takes the messages of every batch for new ones, and looks for them only
// after that was wrong.
type hopeful struct {
	*Store
	turn         sync.Mutex // one commit at a time: another one would have this one guess again
	right, wrong int        // of the guesses, how many
}

func (h *hopeful) Commit(ctx context.Context, batch store.Batch) ([]store.Outcome, error) {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.arrivals.known.Store(0)
	outcomes, err := h.Store.Commit(ctx, batch)
	if h.arrivals.known.Load() == 0 {
		h.right++
	} else {
		h.wrong++
	}
	return outcomes, err
}

// TestReplicasThatGuess has the replicas of the conformance suite guess at every commit.
func TestReplicasThatGuess(t *testing.T) {
	storetest.RunReplicas(t, func(t *testing.T) storetest.Open {
		database := pgtest.Database(t)
		return func() (store.Store, error) {
			s, err := Open(database)
			return &hopeful{Store: s}, err
		}
	})
}

// TestGuessesThatRace has three stores tell of the same new messages at the same time, so that guesses
// are right, wrong, and made wrong by another store meanwhile.
func TestGuessesThatRace(t *testing.T) {
	database := pgtest.Database(t)
	stores := make([]*hopeful, 3)
	for i := range stores {
		s, err := Open(database)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores[i] = &hopeful{Store: s}
	}
	if err := stores[0].Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &guessed{
		now:   time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		judge: &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "US"},
		draw:  rand.New(rand.NewPCG(11, 12)),
	}
	for round := range 25 {
		w.race(t, stores, round)
	}
	right, wrong := 0, 0
	for _, h := range stores {
		right, wrong = right+h.right, wrong+h.wrong
	}
	if right == 0 || wrong == 0 {
		t.Errorf("%d guesses were right and %d wrong, want some of both", right, wrong)
	}
	want := w.requireMessages(t, stores[0])
	w.requireCounts(t, stores[0], want)
	for moved := 1; moved > 0; {
		var err error
		if moved, err = stores[1].Compact(t.Context(), w.now, 100); err != nil {
			t.Fatal(err)
		}
	}
	w.requireCounts(t, stores[2], want)
}

// guessed is what was committed, and what is known of it.
type guessed struct {
	now   time.Time
	judge *sms.Judge
	draw  *rand.Rand
	all   []*sms.Receipt // no two have one key
	mu    sync.Mutex
	fresh int // receipts that a commit called new
}

// race has all stores commit receipts of some new messages, and one that may have come before, each in
// an order and in batches of its own. Each receipt comes to one store at least, and often to another.
// Then each store compacts, whatever the others do.
func (w *guessed) race(t *testing.T, stores []*hopeful, round int) {
	t.Helper()
	before := len(w.all)
	for i := range 24 {
		w.all = append(w.all, w.receipt(fmt.Sprintf("m%d-%d", round, w.draw.IntN(16)), before+i))
	}
	var committers sync.WaitGroup
	for i, s := range stores {
		mine := []*sms.Receipt{w.all[w.draw.IntN(len(w.all))]}
		for n, r := range w.all[before:] {
			if n%len(stores) == i || w.draw.IntN(3) == 0 {
				mine = append(mine, r)
			}
		}
		draw := rand.New(rand.NewPCG(w.draw.Uint64(), uint64(i)))
		draw.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		committers.Go(func() {
			for len(mine) > 0 {
				size := min(1+draw.IntN(4), len(mine))
				w.commit(t, s, mine[:size])
				mine = mine[size:]
			}
			if _, err := s.Compact(t.Context(), w.now, draw.IntN(10)+1); err != nil {
				t.Errorf("Compact: %v", err)
			}
		})
	}
	committers.Wait()
}

// receipt is number n of all. It may be older than those before it, and have come earlier.
func (w *guessed) receipt(id string, n int) *sms.Receipt {
	status := sms.Status(1 + w.draw.IntN(6))
	return &sms.Receipt{
		MessageID: id, Status: status, RawStatus: status.String(), Raw: fmt.Appendf(nil, `{"n":%d}`, n),
		At:       w.now.Add(-time.Duration(w.draw.IntN(600))*time.Second + time.Duration(n)*time.Microsecond),
		Received: w.now.Add(-time.Duration(w.draw.IntN(600)) * time.Second),
		Carrier:  []string{"", "A", "B"}[w.draw.IntN(3)], Region: []string{"", "GB"}[w.draw.IntN(2)],
		Submitted: w.now.Add(-time.Duration(600+w.draw.IntN(600)) * time.Second), Segments: w.draw.IntN(3),
	}
}

func (w *guessed) commit(t *testing.T, s store.Store, receipts []*sms.Receipt) {
	batch := store.Batch{Now: w.now, Judge: w.judge}
	for _, r := range receipts {
		batch.Entries = append(batch.Entries, store.Entry{Receipt: r})
	}
	outcomes, err := s.Commit(t.Context(), batch)
	if err != nil {
		t.Errorf("Commit: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range outcomes {
		if !o.Duplicate {
			w.fresh++
		}
	}
}

// requireMessages compares each message with the fold of its receipts, and its history with all of
// them. It returns what the messages add to the counts.
func (w *guessed) requireMessages(t *testing.T, s store.Store) []byte {
	t.Helper()
	if w.fresh != len(w.all) {
		t.Errorf("%d receipts were new, want %d", w.fresh, len(w.all))
	}
	messages, receipts := make(map[string]*sms.Message), make(map[string]int)
	for _, r := range w.all {
		if messages[r.MessageID] == nil {
			messages[r.MessageID] = new(sms.Message)
		}
		messages[r.MessageID].Fold(r)
		receipts[r.MessageID]++
	}
	var counts analytics.Delta
	for id, want := range messages {
		w.judge.Settle(want)
		want.Updated = w.now
		got, history, err := s.Message(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("message %s (-want +got):\n%s", id, diff)
		}
		keys := make(map[sms.Key]bool)
		for _, past := range history {
			keys[past.Key] = true
		}
		if len(history) != receipts[id] || len(keys) != receipts[id] {
			t.Errorf("message %s has %d receipts, %d of them different, want %d", id, len(history), len(keys), receipts[id])
		}
		counts.Add(analytics.ContributionOf(want))
	}
	return counts.Encode()
}

// requireCounts compares the report of a store with the one that is drawn from one delta alone.
func (w *guessed) requireCounts(t *testing.T, s store.Store, delta []byte) {
	t.Helper()
	window, err := analytics.NewWindow(w.now, time.Hour, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, want := analytics.NewSum(window, analytics.Filter{}, nil), analytics.NewSum(window, analytics.Filter{}, nil)
	if err := want.Add(delta); err != nil {
		t.Fatal(err)
	}
	if err := s.Counts(t.Context(), got.Ranges(), got.Add); err != nil {
		t.Fatal(err)
	}
	policy := analytics.DefaultPolicy()
	if diff := cmp.Diff(want.Report(policy), got.Report(policy)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
