package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// MeddleUntil works in the CRM as another writer does, and records that, until ctx is done.
func (r *Recorder) MeddleUntil(ctx context.Context, rng *rand.Rand, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.meddle(rng)
		case <-ctx.Done():
			return
		}
	}
}

// meddle changes something in a thread that it picks.
func (r *Recorder) meddle(rng *rand.Rand) {
	r.mu.Lock()
	threads := slices.Clone(r.threads)
	r.mu.Unlock()
	if len(threads) == 0 {
		return
	}
	o := &Operation{Thread: threads[rng.IntN(len(threads))], Carried: true}
	c, isThere := r.Conversation(o.Thread)
	if !isThere {
		return
	}
	o.Call = time.Now()
	if !r.change(rng, c) {
		return
	}
	o.Return = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, o)
}

// change adds a note, edits a message, renames somebody, or moves the thread to a folder. It reports
// whether it did.
func (r *Recorder) change(rng *rand.Rand, c sim.Conversation) bool {
	mark := fmt.Sprintf("%08x", rng.Uint32())
	switch n := rng.IntN(10); {
	case n < 3 && len(c.Messages) > 0:
		return r.EditMessage(c.ThreadID, c.Messages[rng.IntN(len(c.Messages))].ID, "Edited in the CRM, "+mark)
	case n < 5 && len(c.Participants) > 0:
		p := c.Participants[rng.IntN(len(c.Participants))]
		p.Name = "Known as " + mark
		return r.ChangeParticipant(c.ThreadID, p)
	case n == 5:
		return r.Reparent(c.ThreadID, "folder-"+mark)
	}
	return r.AddMessage(c.ThreadID, sim.Message{
		ID: "note-" + mark, Text: "A note of the CRM, " + mark, Timestamp: "2026-01-01T00:00:00Z",
		AuthorID: "crm-user", Direction: "OUTBOUND",
	})
}
