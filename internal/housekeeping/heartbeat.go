package housekeeping

import (
	"context"
	"log/slog"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// beatEvery is how often a process says that it lives.
const beatEvery = 10 * time.Second

// Beats is what a Heartbeat needs of a store.Overseer.
type Beats interface {
	Beat(ctx context.Context, r store.Replica) error
}

// Heartbeat says that this process lives. Every field is required.
type Heartbeat struct {
	Store   Beats
	Replica store.Replica // Seen is set at every beat
	Log     *slog.Logger
}

// Run beats until the context ends. It sends no last word: a process that stops falls silent, like one
// that dies.
func (h *Heartbeat) Run(ctx context.Context) {
	repeat(ctx, beatEvery, h.Log, "heartbeat", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		replica := h.Replica
		replica.Seen = wholeMicroseconds(time.Now())
		return h.Store.Beat(ctx, replica)
	})
}

// wholeMicroseconds is a time as a store keeps it.
func wholeMicroseconds(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
