package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// testConcurrency commits the same receipts from many sides at once, through several stores on one
// database, each in an order and in batches of its own: the rows are those of a single fold, each
// receipt and each dead letter is new exactly once, and nobody gets an error.
func testConcurrency(t *testing.T, create func(t *testing.T) Open, replicas int) {
	stores := openReplicas(t, create, replicas)
	const writers = 8
	draw := rand.New(rand.NewPCG(3, 4))
	byMessage := make(map[string][]*sms.Receipt)
	var entries []store.Entry
	for i := range 300 {
		id := fmt.Sprintf("m%d", draw.IntN(40))
		r := receipt(id, sms.Status(1+draw.IntN(6)), at(i), at(i)) // each has a key of its own
		if draw.IntN(2) == 0 {
			r.Carrier = fmt.Sprintf("C%d", draw.IntN(3))
		}
		byMessage[id] = append(byMessage[id], r)
		entries = append(entries, store.Entry{Receipt: r})
	}
	for i := range 20 {
		entries = append(entries, letters(letter("x", "bad", fmt.Sprint(i)))...)
	}

	var (
		fresh atomic.Int64
		group sync.WaitGroup
	)
	for writer := range writers {
		group.Go(func() {
			s, draw := stores[writer%replicas], rand.New(rand.NewPCG(5, uint64(writer)))
			mine := slices.Clone(entries)
			draw.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			for len(mine) > 0 {
				size := min(1+draw.IntN(30), len(mine))
				outcomes, err := s.Commit(ctx(), batchOf(mine[:size]))
				if err != nil {
					t.Errorf("Commit: %v", err)
					return
				}
				for _, o := range outcomes {
					if !o.Duplicate {
						fresh.Add(1)
					}
				}
				mine = mine[size:]
			}
		})
	}
	group.Wait()
	if got := fresh.Load(); got != int64(len(entries)) {
		t.Errorf("%d entries were new, want %d", got, len(entries))
	}
	for id, all := range byMessage {
		m, history := read(t, stores[0], id)
		requireEqual(t, "message "+id, m, folded(all...))
		if len(history) != len(all) {
			t.Errorf("message %s has %d receipts, want %d", id, len(history), len(all))
		}
	}
	if got := len(list(t, stores[0], 0, 100)); got != 20 {
		t.Errorf("%d dead letters, want 20", got)
	}
}
