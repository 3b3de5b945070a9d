package housekeeping

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vanished is a database that answers nothing, and counts what it is asked.
type vanished struct {
	store.Store
	mu    sync.Mutex
	asked map[string]int
}

func (v *vanished) wait(ctx context.Context, op string) error {
	v.mu.Lock()
	if ctx.Err() == nil { // else a task asks once more while it ends
		v.asked[op]++
	}
	v.mu.Unlock()
	<-ctx.Done()
	return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
}

// Now answers, so that it is seen what is asked afterwards.
func (v *vanished) Now(context.Context) (time.Time, error) { return time.Now(), nil }

func (v *vanished) Compact(ctx context.Context, _ time.Time, _ int) (int, error) {
	return 0, v.wait(ctx, "Compact")
}

func (v *vanished) Prune(ctx context.Context, _ time.Time, _ int) (int, error) {
	return 0, v.wait(ctx, "Prune")
}

func (v *vanished) Expire(ctx context.Context, kind store.Expirable, _ time.Time, _ string, _ int) (store.Expired, error) {
	return store.Expired{}, v.wait(ctx, "Expire "+string(kind))
}

func (v *vanished) Beat(ctx context.Context, _ store.Replica) error { return v.wait(ctx, "Beat") }

func (v *vanished) Alarms(ctx context.Context, _ int) ([]store.Alarm, error) {
	return nil, v.wait(ctx, "Alarms")
}

// No task waits for ever for a database whose host has vanished: each asks again, by a new connection.
func TestTasksOutliveAVanishedDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &vanished{asked: make(map[string]int)}
		log, registry := slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry()
		keep := map[store.Expirable]time.Duration{store.ExpireJournal: time.Hour, store.ExpireMessages: time.Hour}
		slow := SlowCarriers{Counts: v, Alarms: v, Metrics: NewSlowMetrics(registry), Log: log}
		beats := Heartbeat{Store: v, Log: log}
		ctx, cancel := context.WithTimeout(t.Context(), expireFirst+pruneEvery-time.Second)
		defer cancel()
		var tasks sync.WaitGroup
		for _, run := range []func(context.Context){
			NewCompactor(v, registry, log).Run, NewRetention(v, keep, registry, log).Run, slow.Run, beats.Run,
		} {
			tasks.Go(func() { run(ctx) })
		}
		tasks.Wait()
		again := int((expireFirst + pruneEvery) / stepTimeout)
		want := map[string]int{"Compact": again, "Beat": again, "Alarms": again, "Prune": 2, "Expire journal": 1, "Expire messages": 1}
		if diff := cmp.Diff(want, v.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}
