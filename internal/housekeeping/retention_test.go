package housekeeping

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/store"
)

// fakeArchive has so many rows of each kind to delete, and tells when it was asked.
type fakeArchive struct {
	store.Archive
	mu     sync.Mutex
	rows   map[store.Expirable]int
	asked  []string
	fails  store.Expirable
	starts time.Time
}

func (f *fakeArchive) Now(context.Context) (time.Time, error) { return time.Now().Add(aheadBy), nil }

func (f *fakeArchive) Expire(_ context.Context, kind store.Expirable, before time.Time, cursor string, limit int) (store.Expired, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf("%v %s before %v at %q", time.Since(f.starts), kind, before.Sub(f.starts), cursor))
	if kind == f.fails {
		return store.Expired{}, fmt.Errorf("%w: gone", store.ErrUnavailable)
	}
	step, _ := strconv.Atoi(cursor)
	n := min(limit, f.rows[kind])
	if f.rows[kind] -= n; f.rows[kind] == 0 {
		return store.Expired{Deleted: n}, nil
	}
	return store.Expired{Deleted: n, Cursor: strconv.Itoa(step + 1)}, nil
}

// calls returns what was asked since the last time.
func (f *fakeArchive) calls() (asked string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked, f.asked = strings.Join(f.asked, "\n"), nil
	return asked
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeArchive{rows: map[store.Expirable]int{store.ExpireMessages: 2001, store.ExpireJournal: 1}, starts: time.Now()}
		var log bytes.Buffer
		registry := prometheus.NewPedanticRegistry()
		keep := map[store.Expirable]time.Duration{store.ExpireMessages: 10 * time.Minute, store.ExpireJournal: time.Hour, store.ExpireThreads: time.Hour}
		r := NewRetention(f, keep, registry, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })

		time.Sleep(59 * time.Second)
		synctest.Wait()
		if asked := f.calls(); asked != "" {
			t.Errorf("before a minute is over it asks\n%s", asked)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want := `1m0s journal before 1m0s at ""
1m0s messages before 51m0s at ""
1m0.05s messages before 51m0s at "1"
1m0.1s messages before 51m0s at "2"
1m0.1s threads before 1m0s at ""`
		if asked := f.calls(); asked != want {
			t.Errorf("it asks\n%s\nwant\n%s", asked, want)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "journal=1 messages=2001") {
			t.Errorf("the log is %q", text)
		}
		log.Reset()

		f.mu.Lock()
		f.fails, f.rows[store.ExpireMessages] = store.ExpireJournal, 5
		f.mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if asked := f.calls(); strings.Count(asked, "messages") != 2 || !strings.HasPrefix(asked, "1h1m0s journal") {
			t.Errorf("in two hours it asks\n%s", asked)
		}
		if text := log.String(); strings.Count(text, "failed") != 1 || !strings.Contains(text, "messages=5") {
			t.Errorf("the log of a database that fails twice is %q", text)
		}
		cancel()
		running.Wait()

		families, err := registry.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "cxbridge_expired_rows_total" {
			t.Fatalf("metrics %v, %v", families, err)
		}
		told := make(map[string]float64)
		for _, m := range families[0].GetMetric() {
			told[m.GetLabel()[0].GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
		if want := map[string]float64{"kind journal": 1, "kind messages": 2006, "kind threads": 0}; !maps.Equal(told, want) {
			t.Errorf("metrics %v, want %v", told, want)
		}
	})
}

// A stop does not wait for the end of a long deletion, and nothing is done where nothing is too old
// ever.
func TestRetentionStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeArchive{rows: map[store.Expirable]int{store.ExpireMessages: 1 << 40}, starts: time.Now()}
		log := slog.New(slog.DiscardHandler)
		NewRetention(f, nil, prometheus.NewRegistry(), log).Run(t.Context())
		r := NewRetention(f, map[store.Expirable]time.Duration{store.ExpireMessages: time.Hour}, prometheus.NewRegistry(), log)
		for _, after := range []time.Duration{time.Second, time.Minute + time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			start := time.Now()
			r.Run(ctx)
			if took := time.Since(start); took != after || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("it runs for %v, and was stopped after %v", took, after)
			}
			cancel()
		}
		if len(f.asked) < 10 {
			t.Errorf("it asked %d times", len(f.asked))
		}
	})
}
