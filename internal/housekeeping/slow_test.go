package housekeeping

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	diff "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

// fakeStore is what SlowCarriers of several replicas share.
type fakeStore struct {
	mu     sync.Mutex
	delta  analytics.Delta
	alarms map[string]store.Alarm // by subject
	told   []string               // changes of alarms
	err    error                  // every method fails with it, when set
}

func newFakeStore() *fakeStore { return &fakeStore{alarms: make(map[string]store.Alarm)} }

// deliver adds messages of a carrier whose final receipts come now and that took so long.
func (f *fakeStore) deliver(carrier string, n int, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.delta.Add(analytics.Contribution{
			Key:    analytics.Key{Second: time.Now().Unix(), Carrier: carrier, Region: "DE"},
			Status: sms.Delivered, Segments: 1, Timed: true, Took: took, Came: time.Now().Unix(),
		})
	}
}

func (f *fakeStore) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeStore) Counts(_ context.Context, _ []analytics.Range, add func([]byte) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return add(f.delta.Encode())
}

func (f *fakeStore) Raise(_ context.Context, a store.Alarm) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if was, known := f.alarms[a.Subject]; f.err != nil || known && was.Cleared.IsZero() {
		return false, f.err
	}
	f.alarms[a.Subject] = a
	f.told = append(f.told, fmt.Sprintf("%s is slow: %v of %v", a.Subject, a.Detail["slow"], a.Detail["timed"]))
	return true, nil
}

func (f *fakeStore) Clear(_ context.Context, a store.Alarm) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, known := f.alarms[a.Subject]
	if f.err != nil || !known || !was.Cleared.IsZero() {
		return false, f.err
	}
	a.Raised = was.Raised
	f.alarms[a.Subject] = a
	f.told = append(f.told, fmt.Sprintf("%s is well: %v of %v", a.Subject, a.Detail["slow"], a.Detail["timed"]))
	return true, nil
}

func (f *fakeStore) Alarms(_ context.Context, limit int) (all []store.Alarm, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.alarms {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b store.Alarm) int {
		return cmp.Or(b.Cleared.Compare(a.Cleared), cmp.Compare(a.Subject, b.Subject))
	})
	return all[:min(limit, len(all))], f.err
}

// changes returns what was done since it was asked last.
func (f *fakeStore) changes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	told := f.told
	f.told = nil
	slices.Sort(told)
	return told
}

// lockedBuffer is a log that several replicas write to.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const slowWindow = 30 * time.Minute

func newSlowCarriers(f *fakeStore, registry prometheus.Registerer, log *slog.Logger) *SlowCarriers {
	return &SlowCarriers{
		Counts: f, Alarms: f, After: 5 * time.Minute, Share: 0.2, Window: slowWindow, MinSample: 20,
		Metrics: NewSlowMetrics(registry), Log: log,
	}
}

// world is two replicas on one store.
type world struct {
	*fakeStore
	log      lockedBuffer
	registry *prometheus.Registry // of the first
}

// inWorld runs a test in a bubble, on two replicas that look for slow carriers.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{fakeStore: newFakeStore(), registry: prometheus.NewRegistry()}
		log := slog.New(slog.NewTextHandler(&w.log, nil))
		ctx, stop := context.WithCancel(t.Context())
		var replicas sync.WaitGroup
		for _, registry := range []*prometheus.Registry{w.registry, prometheus.NewRegistry()} {
			replicas.Go(newSlowCarriers(w.fakeStore, registry, log).run(ctx))
		}
		test(t, w)
		stop()
		replicas.Wait()
	})
}

func (s *SlowCarriers) run(ctx context.Context) func() { return func() { s.Run(ctx) } }

// look lets every replica look once.
func (w *world) look() {
	time.Sleep(lookEvery)
	synctest.Wait()
}

func (w *world) requireChanges(t *testing.T, want ...string) {
	t.Helper()
	w.look()
	if got := w.changes(); diff.Diff(want, got) != "" {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// requireMetrics requires that Prometheus is told of so many slow carriers, and of these shares.
func requireMetrics(t *testing.T, registry *prometheus.Registry, slow float64, shares map[string]float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told, toldShares := 0.0, make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "cxbridge_slow_carriers":
				told = m.GetGauge().GetValue()
			case "cxbridge_carrier_slow_share":
				toldShares[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if d := diff.Diff(shares, toldShares, cmpopts.EquateEmpty()); told != slow || d != "" {
		t.Errorf("%v slow carriers, want %v; shares (-want +got):\n%s", told, slow, d)
	}
}

func TestSlowCarrier(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliver("FAST", 100, time.Second)
		w.deliver("SLOW", 80, time.Second)
		w.deliver("SLOW", 20, time.Hour)
		w.requireChanges(t) // exactly the share is not above it
		requireMetrics(t, w.registry, 0, map[string]float64{"FAST": 0, "SLOW": 0.2})
		raisedAt := time.Now()
		w.deliver("SLOW", 1, time.Hour)
		w.requireChanges(t, "SLOW is slow: 21 of 101")
		requireMetrics(t, w.registry, 1, map[string]float64{"FAST": 0, "SLOW": 21.0 / 101})
		if a := w.alarms["SLOW"]; a.Name != store.SlowCarrier || a.Raised.Before(raisedAt) || a.Raised.After(time.Now()) {
			t.Errorf("alarm %+v", a)
		}
		want := audit.Detail{"timed": int64(101), "slow": int64(21), "share": 0.2079, "limit": 0.2, "after": "5m0s", "window": "30m0s"}
		if d := diff.Diff(want, w.alarms["SLOW"].Detail); d != "" {
			t.Errorf("detail (-want +got):\n%s", d)
		}

		// Below the limit it is not well yet; below half of it, it is.
		w.deliver("SLOW", 109, time.Second)
		w.requireChanges(t) // 21 of 210 are exactly half
		w.deliver("SLOW", 1, time.Second)
		w.requireChanges(t, "SLOW is well: 21 of 211")
		requireMetrics(t, w.registry, 0, map[string]float64{"FAST": 0, "SLOW": 21.0 / 211})
		w.requireChanges(t)
		for _, line := range []string{"WARN msg=\"the messages of a carrier take long\" carrier=SLOW slow=21 of=101", "INFO msg=\"the messages of a carrier no longer take long\" carrier=SLOW slow=21 of=211"} {
			if n := strings.Count(w.log.String(), line); n != 1 {
				t.Errorf("%q is logged %d times:\n%s", line, n, w.log.String())
			}
		}
		if n := strings.Count(w.log.String(), "\n"); n != 2 {
			t.Errorf("%d lines are logged:\n%s", n, w.log.String())
		}
	})
}

func TestFewMessagesProveNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliver("A", 19, time.Hour)
		w.requireChanges(t)
		w.deliver("A", 1, time.Hour)
		w.requireChanges(t, "A is slow: 20 of 20")

		// A few that are quick come; then the slow ones leave the window.
		time.Sleep(slowWindow / 2)
		w.deliver("A", 5, time.Second)
		time.Sleep(slowWindow / 2)
		w.requireChanges(t)
		requireMetrics(t, w.registry, 1, map[string]float64{"A": 0})
		time.Sleep(slowWindow / 2)
		w.requireChanges(t, "A is well: 0 of 0")
		requireMetrics(t, w.registry, 0, nil)
	})
}

// While the database is away nothing is told of carriers, and the log tells of it once. Then all goes on.
func TestSlowCarriersOutliveAnOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliver("A", 20, time.Hour)
		w.look()
		w.changes()
		w.fail(fmt.Errorf("%w: dial", store.ErrUnavailable))
		w.deliver("B", 20, time.Hour)
		for range 5 {
			w.requireChanges(t)
		}
		if n := strings.Count(w.log.String(), "search for slow carriers failed"); n != 2 {
			t.Errorf("two replicas tell %d times that the database is away:\n%s", n, w.log.String())
		}
		requireMetrics(t, w.registry, 1, map[string]float64{"A": 1})
		w.fail(nil)
		w.requireChanges(t, "B is slow: 20 of 20")
		w.fail(errors.New("another fault"))
		w.look()
		w.look()
		if n := strings.Count(w.log.String(), "another fault"); n != 4 {
			t.Errorf("a fault is told %d times, want each time", n)
		}
	})
}

// The number of carriers in the metrics is bounded, and those that have gone leave it.
func TestSlowMetricsAreBounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewSlowMetrics(registry)
	var shares []analytics.SlowShare
	for i := range maxCarriers + 10 {
		shares = append(shares, analytics.SlowShare{Carrier: fmt.Sprintf("C%02d", i), Timed: int64(i), Slow: 1})
	}
	m.show(shares, 3)
	want := make(map[string]float64)
	for _, c := range shares[10:] {
		want[c.Carrier] = shareOf(c)
	}
	requireMetrics(t, registry, 3, want)
	m.show([]analytics.SlowShare{{Carrier: "C59", Timed: 4, Slow: 1}, {Carrier: "a\xffb", Timed: 2, Slow: 2}, {Carrier: "none"}}, 0)
	requireMetrics(t, registry, 0, map[string]float64{"C59": 0.25, "a\uFFFDb": 1})
}
