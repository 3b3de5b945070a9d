package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

// requireObserved compares what the store was given with what it should have been.
func requireObserved(t *testing.T, st *fakeStore, want func(d *analytics.Delta)) {
	t.Helper()
	var expected analytics.Delta
	want(&expected)
	st.mu.Lock()
	defer st.mu.Unlock()
	if got := st.observed.Encode(); string(got) != string(expected.Encode()) {
		t.Errorf("got %s, want %s", latencies(t, got), latencies(t, expected.Encode()))
	}
}

// latencies sums up what was observed.
func latencies(t testing.TB, encoded []byte) string {
	t.Helper()
	return fmt.Sprintf("%+v", processing(t, encoded))
}

func processing(t testing.TB, encoded []byte) analytics.Processing {
	t.Helper()
	window, err := analytics.NewWindow(time.Now(), 24*time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := analytics.NewSum(window, analytics.Filter{}, nil)
	if err := sum.Add(encoded); err != nil {
		t.Fatal(err)
	}
	return sum.Report(analytics.DefaultPolicy()).Processing
}

// receipts returns how many receipts the store was told of.
func (f *fakeStore) receipts(t testing.TB) int64 {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	return processing(t, f.observed.Encode()).Receipts
}

const testSLA = 500 * time.Millisecond

// takes lets each commit take a time.
func takes(d time.Duration) func(context.Context, []store.Entry) error {
	return func(context.Context, []store.Entry) error {
		time.Sleep(d)
		return nil
	}
}

func TestLatencyGoesAlongWithTheNextCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{before: takes(200 * time.Millisecond)}
		in := startWith(t, Config{Store: st, SLA: testSLA})
		mustSubmit(t, in, "a", "b")
		first := time.Now()
		requireObserved(t, st, func(*analytics.Delta) {})
		mustSubmit(t, in, "c")
		one := func(d *analytics.Delta) { d.Observe(first, 200*time.Millisecond, testSLA, 2) }
		requireObserved(t, st, one)

		second := time.Now()
		time.Sleep(3 * observedInterval) // no other commit comes along
		requireObserved(t, st, func(d *analytics.Delta) {
			one(d)
			d.Observe(second, 200*time.Millisecond, testSLA, 1)
		})
	})
}

func TestStopCommitsWhatWasObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		in := startWith(t, Config{Store: st, SLA: testSLA})
		mustSubmit(t, in, "a")
		at := time.Now()
		in.Stop()
		requireObserved(t, st, func(d *analytics.Delta) { d.Observe(at, 0, testSLA, 1) })
	})
}

// Of a commit that fails nothing is lost and nothing is counted twice.
func TestLatencyOutlivesACommitThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{poison: "poison"}
		in := startWith(t, Config{Store: st, SLA: testSLA})
		mustSubmit(t, in, "a")
		at := time.Now()
		st.setAway(true)
		if _, err := submit(in, "b"); !isUnstored(err) {
			t.Fatalf("got %v, want one that tells of the storage", err)
		}
		time.Sleep(3 * observedInterval)
		requireObserved(t, st, func(*analytics.Delta) {})
		st.setAway(false)
		mustSubmit(t, in, "c", "poison", "d") // is halved until the one stands alone
		later := time.Now()
		time.Sleep(3 * observedInterval)
		requireObserved(t, st, func(d *analytics.Delta) {
			d.Observe(at, 0, testSLA, 1)
			d.Observe(later, 0, testSLA, 2)
		})
	})
}

// A receipt is durable in the spool. To drain it, however late, is no new latency.
func TestLatencyOfSpooledReceipts(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		in := startWith(t, Config{Store: st, Spool: spool, SLA: testSLA})
		synctest.Wait()
		st.setAway(true)
		for i := range 10 {
			mustSubmit(t, in, fmt.Sprint("m", i))
			time.Sleep(time.Second)
		}
		minute := time.Now().Truncate(time.Minute)
		time.Sleep(time.Hour)
		st.setAway(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(st.ids()); got != 10 {
			t.Fatalf("%d receipts are drained, want 10", got)
		}
		requireObserved(t, st, func(d *analytics.Delta) { d.Observe(minute, 0, testSLA, 10) })
	})
}

// What is no receipt, was refused, or is replayed has no latency.
func TestWhatHasNoLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{poison: "poison"}
		in := startWith(t, Config{Store: st, SLA: testSLA})
		old := time.Now().Add(-time.Hour)
		replayed := in.ReadSMS(receipt("old"), old)
		replayed.Entry.Resolves = 7
		readings := []Reading{
			in.ReadSMS(receipt("poison"), old), in.ReadSMS([]byte("{"), old), in.ReadThread(event("t-1", 1), old), replayed,
			in.ReadSMS(receipt("slow"), old), in.ReadSMS(receipt("early"), time.Now().Add(time.Minute)),
		}
		if _, err := in.Submit(t.Context(), readings); err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		in.Stop()
		requireObserved(t, st, func(d *analytics.Delta) {
			d.Observe(at, time.Hour, testSLA, 1)
			d.Observe(at, 0, testSLA, 1)
		})
	})
}

// Two writers observe at the same time, and each takes along what there is.
func TestTwoWritersObserve(t *testing.T) {
	st := &fakeStore{}
	in := startWith(t, Config{Store: st, Writers: 2, SLA: testSLA})
	const requests = 200
	var senders sync.WaitGroup
	for i := range requests {
		senders.Go(func() {
			if _, err := submit(in, fmt.Sprint("m", i), fmt.Sprint("n", i)); err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	in.Stop()
	if got := st.receipts(t); got != 2*requests {
		t.Errorf("%d receipts are observed, want %d", got, 2*requests)
	}
}

func TestLatencyMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		st := &fakeStore{before: func(_ context.Context, entries []store.Entry) error {
			if entries[0].Receipt.MessageID == "lost" {
				return errors.Join(store.ErrUnavailable)
			}
			time.Sleep(700 * time.Millisecond)
			return nil
		}}
		in := startWith(t, Config{Store: st, SLA: testSLA, Metrics: NewMetrics(registry)})
		mustSubmit(t, in, "a", "b", "c")
		if _, err := submit(in, "lost"); !isUnstored(err) {
			t.Fatalf("got %v, want one that tells of the storage", err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range families {
			found++
			switch m := f.GetMetric()[0]; f.GetName() {
			case "cxbridge_receipt_latency_seconds":
				if h := m.GetHistogram(); h.GetSampleCount() != 3 || math.Abs(h.GetSampleSum()-2.1) > 1e-9 {
					t.Errorf("%d receipts took %v s, want 3 and 2.1", h.GetSampleCount(), h.GetSampleSum())
				}
			case "cxbridge_receipts_over_sla_total":
				if n := m.GetCounter().GetValue(); n != 3 {
					t.Errorf("%v receipts took too long, want 3", n)
				}
			default:
				found--
			}
		}
		if found != 2 {
			t.Errorf("%d metrics are there, want 2", found)
		}
	})
}
