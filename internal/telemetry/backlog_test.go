package telemetry

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/store"
)

// database is a fake database with a backlog.
type database struct {
	backlog store.Backlog
	letters int
	hangs   bool
	err     error
	asked   int
}

func (d *database) Backlog(ctx context.Context, most int) (store.Backlog, error) {
	d.asked++
	if d.hangs {
		<-ctx.Done()
		return store.Backlog{}, ctx.Err()
	}
	b := d.backlog
	b.Pending, b.Retrying, b.Parked = min(b.Pending, most), min(b.Retrying, most), min(b.Parked, most)
	return b, d.err
}

func (d *database) CountDeadLetters(_ context.Context, f store.LetterFilter, most int) (int, error) {
	if f != (store.LetterFilter{}) {
		return 0, errors.New("not all of them")
	}
	return min(d.letters, most), d.err
}

// samples are the gauges of a registry, by name and labels.
func samples(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			found[name] = m.GetGauge().GetValue()
		}
	}
	return found
}

// scrape checks the values of the metrics.
func scrape(t *testing.T, registry *prometheus.Registry, letters, parked, pending, retrying, oldest float64) {
	t.Helper()
	want := map[string]float64{
		"cxbridge_dead_letters": letters, "cxbridge_sync_oldest_seconds": oldest, "cxbridge_sync_backlog_threads parked": parked,
		"cxbridge_sync_backlog_threads pending": pending, "cxbridge_sync_backlog_threads retrying": retrying,
	}
	if diff := cmp.Diff(want, samples(t, registry)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		registry := prometheus.NewRegistry()
		RegisterBacklog(registry, d)
		scrape(t, registry, 0, 0, 0, 0, 0)

		d.backlog = store.Backlog{Pending: 7, Retrying: 3, Parked: 20_000, Oldest: time.Now().Add(-time.Minute)}
		d.letters = 5
		time.Sleep(backlogFor - 1)
		scrape(t, registry, 0, 0, 0, 0, 0)
		if d.asked != 1 {
			t.Errorf("the database was asked %d times", d.asked)
		}
		time.Sleep(time.Nanosecond)
		scrape(t, registry, 5, 10_000, 4, 3, 65)
		time.Sleep(2 * time.Second)
		scrape(t, registry, 5, 10_000, 4, 3, 67) // the age goes on
		if d.asked != 2 {
			t.Errorf("the database was asked %d times", d.asked)
		}
	})
}

// While the database is away its metrics are missing, and it is not asked more often.
func TestBacklogOfNoDatabase(t *testing.T) {
	for name, d := range map[string]*database{"away": {err: store.ErrUnavailable}, "hangs": {hangs: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewRegistry()
				RegisterBacklog(registry, d)
				start := time.Now()
				for range 3 {
					if found := samples(t, registry); len(found) > 0 {
						t.Errorf("metrics of no database: %v", found)
					}
				}
				if took := time.Since(start); d.asked != 1 || took > backlogTimeout {
					t.Errorf("the database was asked %d times, within %v", d.asked, took)
				}
				d.err, d.hangs = nil, false
				time.Sleep(backlogFor)
				scrape(t, registry, 0, 0, 0, 0, 0)
			})
		})
	}
}

func TestBuild(t *testing.T) {
	registry := prometheus.NewRegistry()
	RegisterBuild(registry, "v1")
	want := map[string]float64{"cxbridge_build_info " + runtime.Version() + " v1": 1}
	if diff := cmp.Diff(want, samples(t, registry)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
