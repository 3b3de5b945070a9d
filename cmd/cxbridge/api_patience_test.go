package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pausing is a service that answers with a status, and asks to wait, until a time.
type pausing struct {
	status int
	until  time.Time
	silent bool // it does not say how long

	mu    sync.Mutex
	asked int
}

// RoundTrip implements http.RoundTripper.
func (s *pausing) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	left := time.Until(s.until)
	if left <= 0 {
		return answerOf(http.StatusOK, `{"status":"UP_TO_DATE"}`), nil
	}
	r := answerOf(s.status, `{"detail":"please wait"}`)
	if !s.silent {
		r.Header.Set("Retry-After", strconv.Itoa(int(left/time.Second)))
	}
	return r, nil
}

func answerOf(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body))}
}

// clientOf returns a client of a service, which tells of its waits on out.
func clientOf(service http.RoundTripper, out io.Writer) *apiClient {
	return &apiClient{
		server: &url.URL{Scheme: "http", Host: "service"}, token: "t",
		http: &http.Client{Transport: service}, patience: newPatience(out, nil),
	}
}

func TestPatience(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		pause  time.Duration
		silent bool
		asked  int
		took   time.Duration
		err    string
	}{
		"CXone asks for a pause": {status: 502, pause: 30 * time.Second, asked: 2, took: 30 * time.Second},
		"the database is away":   {status: 503, pause: 5 * time.Second, asked: 2, took: 5 * time.Second},
		"a proxy limits":         {status: 429, pause: time.Second, asked: 2, took: time.Second},
		"most":                   {status: 503, pause: 20 * time.Minute, asked: maxTries, took: 20 * time.Minute},
		"more":                   {status: 503, pause: 20*time.Minute + time.Second, asked: maxTries, took: 20 * time.Minute, err: "503: please wait"},
		"CXone fails":            {status: 502, pause: time.Hour, silent: true, asked: 1, err: "502: please wait"},
		"another status":         {status: 500, pause: time.Hour, asked: 1, err: "500: please wait"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &pausing{status: tt.status, until: time.Now().Add(tt.pause), silent: tt.silent}
				began := time.Now()
				_, err := clientOf(service, io.Discard).reconcile(t.Context(), "T1")
				if took := time.Since(began); took != tt.took || service.asked != tt.asked {
					t.Errorf("took %s and %d requests, want %s and %d", took, service.asked, tt.took, tt.asked)
				}
				if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
					t.Errorf("error %v, want %q", err, tt.err)
				}
			})
		})
	}
}

// All threads are reconciled after a pause, and one line tells of it, however many wait.
func TestReconcileWaitsWhenAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &pausing{status: http.StatusBadGateway, until: time.Now().Add(20 * time.Second)}
		var out bytes.Buffer
		c := &reconcileCommand{Parallel: 3}
		done := c.reconcileAll(t.Context(), clientOf(service, &out), []string{"T1", "T2", "T3", "T4", "T5"}, func() {})
		var summary bytes.Buffer
		if done.print(&summary); summary.String() != "5 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n" {
			t.Errorf("printed %s", &summary)
		}
		if want := "waiting 20s, as asked (502: please wait)\n"; out.String() != want {
			t.Errorf("it says %q, want %q", &out, want)
		}
	})
}

// Whoever waits is interrupted at once.
func TestPatienceInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &pausing{status: http.StatusServiceUnavailable, until: time.Now().Add(time.Minute)}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		began := time.Now()
		_, err := clientOf(service, io.Discard).reconcile(ctx, "T1")
		if took := time.Since(began); err == nil || took != 1500*time.Millisecond || service.asked != 1 {
			t.Errorf("%v after %s and %d requests", err, took, service.asked)
		}
	})
}

// A bar says how long there is to wait, and nothing more of it afterwards.
func TestPatienceInBar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var drawn, lines bytes.Buffer
		bar := drawProgress(&drawn, 2, "threads")
		time.Sleep(time.Second)
		p := newPatience(&lines, bar)
		if !p.wait(t.Context(), &apiError{status: 502, text: "502: please wait", pause: 3 * time.Second}) {
			t.Error("it did not wait")
		}
		for _, want := range []string{"waiting 3s, as asked", "waiting 2s, as asked", "waiting 1s, as asked"} {
			if !strings.Contains(drawn.String(), want) {
				t.Errorf("drew %q, want %q in it", &drawn, want)
			}
		}
		drawn.Reset()
		time.Sleep(time.Second)
		bar.step()
		if strings.Contains(drawn.String(), "waiting") || lines.Len() > 0 {
			t.Errorf("drew %q, and printed %q", &drawn, &lines)
		}
	})
}

// Once the token is known to be wrong, no other thread is tried with it.
func TestReconcileEndsWithWrongToken(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeAPI{})
	t.Cleanup(server.Close)
	p := newTrial(map[string]string{"ADMIN_TOKEN": "another-0e9f8a7b"})
	code := p.run(t.Context(), []string{"reconcile", "--server", server.URL, "--parallel", "1", "T1", "T2", "T3"})
	if code != exitFailure || !strings.Contains(p.out.String(), "1 failed, 2 not begun\n") {
		t.Errorf("exit code %d, printed %s", code, &p.out)
	}
}
