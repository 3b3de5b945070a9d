package housekeeping

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/store"
)

// beatsFunc notes beats.
type beatsFunc func(r store.Replica) error

func (f beatsFunc) Beat(_ context.Context, r store.Replica) error { return f(r) }

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().UTC()
		replica := store.Replica{ID: "a", Host: "host", Version: "1", Started: start}
		var seen []time.Duration
		ctx, stop := context.WithCancel(t.Context())
		h := Heartbeat{Replica: replica, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		h.Store = beatsFunc(func(r store.Replica) error {
			seen = append(seen, r.Seen.Sub(start))
			if r.Seen.Location() != time.UTC || !r.Seen.Equal(r.Seen.Truncate(time.Microsecond)) {
				t.Errorf("a beat at %v", r.Seen)
			}
			r.Seen = time.Time{}
			if r != replica {
				t.Errorf("a beat of %+v", r)
			}
			if len(seen) == 2 {
				return store.ErrUnavailable // is tried again at the next beat
			}
			return nil
		})
		done := make(chan struct{})
		go func() { defer close(done); h.Run(ctx) }()
		time.Sleep(3*beatEvery + time.Second)
		stop()
		<-done
		if diff := cmp.Diff([]time.Duration{0, beatEvery, 2 * beatEvery, 3 * beatEvery}, seen); diff != "" {
			t.Errorf("beats (-want +got):\n%s", diff)
		}
	})
}
