package housekeeping

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

// fakeCounts has deltas to move and rollups to delete.
type fakeCounts struct {
	mu               sync.Mutex
	deltas, rollups  int
	compacts, prunes []time.Time // when it was called
	failure          error       // of Compact
}

func (f *fakeCounts) Counts(context.Context, []analytics.Range, func([]byte) error) error {
	return errors.New("nobody asks")
}

// aheadBy is by how much the clock of the fakes is ahead of ours.
const aheadBy = time.Hour

func (f *fakeCounts) Now(context.Context) (time.Time, error) { return time.Now().Add(aheadBy), nil }

func (f *fakeCounts) Compact(_ context.Context, now time.Time, limit int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compacts = append(f.compacts, now)
	if f.failure != nil {
		return 0, f.failure
	}
	n := min(limit, f.deltas)
	f.deltas -= n
	return n, nil
}

func (f *fakeCounts) Prune(_ context.Context, now time.Time, limit int) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prunes = append(f.prunes, now)
	n := min(limit, f.rollups)
	f.rollups -= n
	return n, nil
}

// fail sets what Compact fails of, and returns how many deltas are left.
func (f *fakeCounts) fail(err error) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
	return f.deltas
}

// runCompactor runs a Compactor for a time, beginning at the start of a bubble. It returns what it
// wrote to the log and what its metrics tell.
func runCompactor(t *testing.T, counts store.Counts, d time.Duration, during func()) (log string, metrics map[string]float64) {
	t.Helper()
	var lines bytes.Buffer
	registry := prometheus.NewRegistry()
	c := NewCompactor(counts, registry, slog.New(slog.NewTextHandler(&lines, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	if during != nil {
		during()
	}
	<-done
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	metrics = make(map[string]float64)
	for _, f := range families {
		m := f.GetMetric()[0]
		metrics[f.GetName()] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return lines.String(), metrics
}

func TestCompactorWorksUntilNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{deltas: 3*compactStep + 5, rollups: 2 * pruneStep}
		begin := time.Now()
		log, metrics := runCompactor(t, counts, 2*pruneEvery+compactEvery/2, nil)
		if want := begin.Add(aheadBy); !counts.compacts[0].Equal(want) || !counts.prunes[0].Equal(want) {
			t.Errorf("compacted as of %v, pruned as of %v, want %v", counts.compacts[0], counts.prunes[0], want)
		}
		if counts.deltas != 0 || counts.rollups != 0 || log != "" {
			t.Errorf("%d deltas and %d rollups are left; log %q", counts.deltas, counts.rollups, log)
		}
		// At once 3 full steps and a last one, then one each second.
		if got, want := len(counts.compacts), 4+int(2*pruneEvery/compactEvery); got != want {
			t.Errorf("Compact was called %d times, want %d", got, want)
		}
		if got, want := len(counts.prunes), 3+2; got != want {
			t.Errorf("Prune was called %d times, want %d", got, want)
		}
		for name, want := range map[string]float64{
			"cxbridge_analytics_compacted_deltas_total":      3*compactStep + 5,
			"cxbridge_analytics_compaction_duration_seconds": 4,
			"cxbridge_analytics_pruned_rollups_total":        2 * pruneStep,
		} {
			if metrics[name] != want {
				t.Errorf("%s is %v, want %v", name, metrics[name], want)
			}
		}
	})
}

func TestCompactorGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{deltas: 7, failure: fmt.Errorf("%w: refused", store.ErrUnavailable)}
		log, _ := runCompactor(t, counts, time.Minute, func() {
			time.Sleep(30 * time.Second)
			if left := counts.fail(nil); left != 7 {
				t.Errorf("%d deltas are left, want 7", left)
			}
		})
		if counts.deltas != 0 {
			t.Errorf("%d deltas are left after the database was back", counts.deltas)
		}
		if n := strings.Count(log, "compaction of the counts failed"); n != 1 {
			t.Errorf("the log tells of it %d times, want once:\n%s", n, log)
		}
	})
}
