package cxone_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestSubscriberGoesOnTrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const failures = 12
		platform := newSim()
		platform.Fail(sim.Fault{Path: "/api/v2/webhooks", Times: failures, Status: 502})
		var log bytes.Buffer
		s := cxone.NewSubscriber(newClient(t, platform), slog.New(slog.NewTextHandler(&log, nil)))
		var bounds []time.Duration
		s.Jitter = func(bound time.Duration) time.Duration {
			bounds = append(bounds, bound)
			return bound
		}
		wantState(t, s, cxone.Pending, 0)
		began := time.Now()
		s.Run(t.Context())
		wantState(t, s, cxone.Subscribed, failures+1)

		var total time.Duration
		for i, b := range bounds {
			total += b
			if want := min(time.Second<<i, 5*time.Minute); b != want {
				t.Errorf("bound %d is %s, want %s", i, b, want)
			}
		}
		if took := time.Since(began); len(bounds) != failures || took != total {
			t.Errorf("%d waits, %s in all; took %s", len(bounds), total, took)
		}
		// The other subscription was made at once.
		if n := strings.Count(log.String(), "\n"); n != failures+2 {
			t.Errorf("%d log lines for %d attempts", n, failures+2)
		}
		for _, state := range s.State() {
			if state.State != cxone.Subscribed || state.Name != "sms-status-webhook" && state.Attempts != 1 {
				t.Errorf("got %+v", state)
			}
		}
		for _, secret := range []string{clientSecret, webhookSecret} {
			if strings.Contains(log.String(), secret) {
				t.Error("the log reveals a secret")
			}
		}
	})
}

// The log holds no bare nanoseconds.
func TestSubscriberLogsDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform := newSim()
		platform.Fail(sim.Fault{Path: "/api/v2/webhooks", Status: 502})
		var log bytes.Buffer
		s := cxone.NewSubscriber(newClient(t, platform), slog.New(slog.NewJSONHandler(&log, nil)))
		s.Jitter = func(bound time.Duration) time.Duration { return bound }
		s.Run(t.Context())
		for _, want := range []string{`"next_in":"1s"`, `"duration_us":0`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, &log)
			}
		}
	})
}

func TestSubscriberHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform := newSim()
		platform.Fail(sim.Fault{Path: "/api/v2/webhooks", Status: 429, RetryAfter: "90"})
		s := cxone.NewSubscriber(newClient(t, platform), slog.New(slog.DiscardHandler))
		s.Jitter = func(time.Duration) time.Duration { return 0 }
		began := time.Now()
		s.Run(t.Context())
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("tried again after %s, want 90s", took)
		}
		wantState(t, s, cxone.Subscribed, 2)
	})
}

func TestSubscriberSaysWhatIsWrongAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform := newSim()
		platform.Grant("webhooks:read")
		s := cxone.NewSubscriber(newClient(t, platform), slog.New(slog.DiscardHandler))
		s.Jitter = func(time.Duration) time.Duration { return time.Hour }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Run(ctx)
		}()
		synctest.Wait()
		state := wantState(t, s, cxone.Failing, 1)
		if !strings.Contains(state.LastError, "webhooks:manage") {
			t.Errorf("LastError is %q", state.LastError)
		}
		since := state.Since
		time.Sleep(time.Hour)
		synctest.Wait()
		if state := wantState(t, s, cxone.Failing, 2); !state.Since.Equal(since) {
			t.Errorf("failing since %s, want %s", state.Since, since)
		}
		stop()
		<-done
		wantState(t, s, cxone.Failing, 2)
	})
}

func TestSubscriberStopsDuringACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil, func(c *cxone.Config) { c.HTTP.Transport = silent{} })
		s := cxone.NewSubscriber(c, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began := time.Now()
		s.Run(ctx)
		if took := time.Since(began); took != time.Second {
			t.Errorf("stopped after %s, want 1s", took)
		}
		wantState(t, s, cxone.Pending, 0)
		time.Sleep(time.Minute) // the fetch that was everybody's ends by its own limit
	})
}

func TestSubscriberWaitsWithJitter(t *testing.T) {
	s := cxone.NewSubscriber(newClient(t, newSim()), slog.New(slog.DiscardHandler))
	var waits []time.Duration
	for range 100 {
		waits = append(waits, s.Jitter(time.Second))
	}
	if lo, hi := slices.Min(waits), slices.Max(waits); lo < 0 || hi > time.Second || lo == hi {
		t.Errorf("waits from %s to %s, want them spread over 1s", lo, hi)
	}
}

func TestSubscriberIsOff(t *testing.T) {
	unreachable := func(c *cxone.Config) { c.ServerURL = "" }
	calls := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("CXone was called") })
	for name, client := range map[string]*cxone.Client{
		"NoClient":    nil,
		"NoServerURL": newClient(t, calls, unreachable),
	} {
		t.Run(name, func(t *testing.T) {
			s := cxone.NewSubscriber(client, slog.New(slog.DiscardHandler))
			s.Run(t.Context())
			wantState(t, s, cxone.Off, 0)
		})
	}
}

func wantState(t *testing.T, s *cxone.Subscriber, progress cxone.Progress, attempts int) cxone.State {
	t.Helper()
	states := s.State()
	if len(states) != len(cxone.Subscriptions()) {
		t.Fatalf("%d states", len(states))
	}
	got := states[0]
	if got.Name != "sms-status-webhook" || got.State != progress || got.Attempts != attempts || got.Since.IsZero() {
		t.Errorf("got %+v, want %s after %d attempts", got, progress, attempts)
	}
	if (got.LastError != "") != (progress == cxone.Failing) {
		t.Errorf("%s with the error %q", got.State, got.LastError)
	}
	return got
}
