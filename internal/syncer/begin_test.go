package syncer

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// manyParked is a queue whose parked threads take long to wake.
type manyParked struct {
	Queue
	wakes int
}

func (q *manyParked) ReleaseLeases(context.Context) error { return nil }

func (q *manyParked) WakeParked(ctx context.Context, _ []int, _ time.Time) (int64, error) {
	q.wakes++
	time.Sleep(10 * queueTimeout)
	return 1_000_000, ctx.Err()
}

// However many threads are parked, a start wakes them all: else it would begin again for ever.
func TestBeginWakesAllThatAreParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &manyParked{}
		s := New(Config{Queue: q, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if !s.begin(ctx) || q.wakes != 1 {
			t.Errorf("threads were woken %d times, want once", q.wakes)
		}
	})
}
