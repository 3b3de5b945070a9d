package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeAPI is the part of cxbridge's API that `reconcile` asks.
type fakeAPI struct {
	answers map[string]string   // by thread id; UP_TO_DATE for others
	pages   map[string][]string // ids of changed threads, by cursor; the next cursor is the last id
	begun   chan string         // when not nil: is told of each reconciliation,
	proceed chan struct{}       // which then waits for this

	mu         sync.Mutex
	reconciled []string
	listed     []url.Values
	running    int
	mostAtOnce int
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+needed["ADMIN_TOKEN"] {
		problemJSON(w, http.StatusUnauthorized, "a valid token is needed")
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == "/base/api/threads" {
		f.list(w, r.URL.Query())
		return
	}
	escaped, ok := strings.CutPrefix(r.URL.EscapedPath(), "/base/api/reconcile/")
	id, err := url.PathUnescape(escaped)
	if r.Method != http.MethodPost || !ok || err != nil || strings.Contains(escaped, "/") {
		problemJSON(w, http.StatusNotFound, "there is nothing at this path")
		return
	}
	f.reconcile(w, r, id)
}

func (f *fakeAPI) list(w http.ResponseWriter, query url.Values) {
	f.mu.Lock()
	f.listed = append(f.listed, query)
	f.mu.Unlock()
	type item struct {
		ThreadID string `json:"threadId"`
	}
	var page struct {
		Items []item  `json:"items"`
		Next  *string `json:"next"`
	}
	for _, id := range f.pages[query.Get("cursor")] {
		page.Items = append(page.Items, item{id})
		if _, more := f.pages[id]; more {
			page.Next = &id
		}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (f *fakeAPI) reconcile(w http.ResponseWriter, r *http.Request, id string) {
	f.mu.Lock()
	f.reconciled = append(f.reconciled, id)
	f.running++
	f.mostAtOnce = max(f.mostAtOnce, f.running)
	f.mu.Unlock()
	if f.begun != nil {
		f.begun <- id
		select {
		case <-f.proceed:
		case <-r.Context().Done():
		}
	}
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	switch answer := f.answers[id]; {
	case strings.HasPrefix(answer, "{"):
		fmt.Fprint(w, answer)
	case answer != "":
		problemJSON(w, http.StatusBadGateway, answer)
	default:
		fmt.Fprint(w, `{"status":"UP_TO_DATE"}`)
	}
}

func problemJSON(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "detail": detail})
}

// reconcileWith runs the command against the API.
func reconcileWith(t *testing.T, ctx context.Context, api http.Handler, stdin string, args ...string) (*trial, int) {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	p := newTrial(needed)
	p.stdin = strings.NewReader(stdin)
	return p, p.run(ctx, append([]string{"reconcile", "--server", server.URL + "/base/"}, args...))
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	file := write(t, "ids", "T3\n\n  T1 \r\nT4")
	tests := map[string]struct {
		args    []string
		stdin   string
		answers map[string]string
		pages   map[string][]string
		code    int
		asked   []string
		out     string
	}{
		"one":       {args: []string{"T1"}, asked: []string{"T1"}, out: "1 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n"},
		"odd ids":   {args: []string{"a/b?c#d", "ä %2F", "..", "."}, asked: []string{".", "..", "a/b?c#d", "ä %2F"}, out: "4 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n"},
		"each once": {args: []string{"T1", "T2", "T1", "--from", file}, asked: []string{"T1", "T2", "T3", "T4"}, out: "4 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n"},
		"standard input": {
			args: []string{"--from", "-"}, stdin: "T1\nT2\n", asked: []string{"T1", "T2"},
			out: "2 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n",
		},
		"empty list": {args: []string{"--from", "-"}, out: "0 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n"},
		"changed since": {
			args:  []string{"--since", "2026-03-01T10:00:00+01:00", "T9"},
			pages: map[string][]string{"": {"A", "B"}, "B": {"C", "D"}, "D": {"T9"}}, asked: []string{"A", "B", "C", "D", "T9"},
			out: "5 up to date, 0 reconciled, 0 stored without the CRM, 0 failed\n",
		},
		"what differs": {
			args: []string{"T3", "T2", "T1"}, asked: []string{"T1", "T2", "T3"},
			answers: map[string]string{
				"T1": `{"status":"RECONCILED","version":7}`, "T2": `{"status":"STORED"}`, "T3": `{"status":"RECONCILED","version":2}`,
			},
			out: "2 differed, and are reconciled:\n  T1: brought to version 7\n  T3: brought to version 2\n" +
				"0 up to date, 2 reconciled, 1 stored without the CRM, 0 failed\n",
		},
		"set aside": {
			args: []string{"T1", "T2"}, asked: []string{"T1", "T2"}, answers: map[string]string{"T2": `{"status":"SET_ASIDE"}`},
			out: "1 with messages or participants that the CRM would not take (see the dead letters):\n  T2\n" +
				"1 up to date, 0 reconciled, 0 stored without the CRM, 0 failed, 1 in the CRM but for what is set aside\n",
		},
		"failures": {
			args: []string{"T1", "T2", "T3"}, asked: []string{"T1", "T2", "T3"}, code: exitFailure,
			answers: map[string]string{"T2": "the CRM does not have the thread yet", "T3": "{broken"},
			out: "2 failed:\n  T2: 502: the CRM does not have the thread yet\n  T3: HOST does not answer as cxbridge does: invalid character 'b' looking for beginning of object key string\n" +
				"1 up to date, 0 reconciled, 0 stored without the CRM, 2 failed\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &fakeAPI{answers: tt.answers, pages: tt.pages}
			p, code := reconcileWith(t, t.Context(), api, tt.stdin, tt.args...)
			if code != tt.code || p.err.Len() > 0 {
				t.Errorf("exit code %d, want %d; stderr %q", code, tt.code, &p.err)
			}
			if diff := cmp.Diff(tt.out, hideHost(p.out.String())); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			slices.Sort(api.reconciled)
			if diff := cmp.Diff(tt.asked, api.reconciled); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

// hideHost replaces the address of the server of a test.
func hideHost(text string) string {
	before, rest, ok := strings.Cut(text, "127.0.0.1:")
	if !ok {
		return text
	}
	return before + "HOST" + hideHost(strings.TrimLeft(rest, "0123456789"))
}

func TestReconcileListsByTime(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{pages: map[string][]string{"": {"A"}, "A": {"B"}}}
	if p, code := reconcileWith(t, t.Context(), api, "", "--since", "2026-03-01T10:00:00+01:00"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &p.err)
	}
	since := "2026-03-01T09:00:00Z"
	want := []url.Values{{"since": {since}, "limit": {"500"}}, {"since": {since}, "limit": {"500"}, "cursor": {"A"}}}
	if diff := cmp.Diff(want, api.listed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReconcileIsParallelWithinBounds(t *testing.T) {
	t.Parallel()
	const parallel, threads = 3, 10
	api := &fakeAPI{begun: make(chan string), proceed: make(chan struct{})}
	args := []string{"--parallel", fmt.Sprint(parallel)}
	for i := range threads {
		args = append(args, fmt.Sprint("T", i))
	}
	ended := make(chan int)
	go func() {
		_, code := reconcileWith(t, t.Context(), api, "", args...)
		ended <- code
	}()
	for range parallel { // all of them begin before the first one may end
		<-api.begun
	}
	for range threads - parallel {
		api.proceed <- struct{}{}
		<-api.begun
	}
	for range parallel {
		api.proceed <- struct{}{}
	}
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if api.mostAtOnce != parallel || len(api.reconciled) != threads {
		t.Errorf("%d at once, want %d; %d in all, want %d", api.mostAtOnce, parallel, len(api.reconciled), threads)
	}
}

func TestReconcileInterrupted(t *testing.T) {
	t.Parallel()
	api := &fakeAPI{begun: make(chan string), proceed: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(t.Context())
	type ending struct {
		p    *trial
		code int
	}
	ended := make(chan ending)
	go func() {
		p, code := reconcileWith(t, ctx, api, "", "--parallel", "1", "T1", "T2", "T3")
		ended <- ending{p, code}
	}()
	<-api.begun
	api.proceed <- struct{}{}
	<-api.begun
	cancel(fmt.Errorf("received the signal %q", "interrupt"))
	e := <-ended
	if e.code != exitFailure || !strings.Contains(e.p.err.String(), `received the signal "interrupt"`) {
		t.Errorf("exit code %d: %s", e.code, &e.p.err)
	}
	if !strings.HasSuffix(e.p.out.String(), "1 up to date, 0 reconciled, 0 stored without the CRM, 1 failed, 1 not begun\n") {
		t.Errorf("printed %s", &e.p.out)
	}
}

func TestReconcileRefused(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	api := httptest.NewServer(&fakeAPI{})
	t.Cleanup(api.Close)
	tests := map[string]struct {
		args []string
		env  map[string]string
		code int
		want string // in what is printed
	}{
		"no threads":         {nil, needed, exitUsage, "which threads"},
		"no parallel":        {[]string{"T1", "--parallel", "0"}, needed, exitUsage, "from 1 to 64"},
		"too parallel":       {[]string{"T1", "--parallel", "65"}, needed, exitUsage, "from 1 to 64"},
		"server without URL": {[]string{"T1", "--server", "localhost:3000"}, needed, exitUsage, "http or https URL"},
		"no time":            {[]string{"T1", "--timeout", "0s"}, needed, exitUsage, "above 0"},
		"odd since":          {[]string{"--since", "yesterday"}, needed, exitUsage, "RFC 3339"},
		"future since":       {[]string{"--since=-24h"}, needed, exitUsage, "RFC 3339"},
		"no file":            {[]string{"--from", "/nonexistent/ids"}, needed, exitFailure, "no such file"},
		"no token":           {[]string{"T1"}, nil, exitUsage, "ADMIN_TOKEN is not set"},
		"wrong token":        {[]string{"T1", "--server", api.URL}, map[string]string{"ADMIN_TOKEN": "x"}, exitFailure, "401: a valid token is needed"},
		"wrong token, list":  {[]string{"--since", "1h", "--server", api.URL}, map[string]string{"ADMIN_TOKEN": "x"}, exitFailure, "list the threads that changed: 401"},
		"nobody there":       {[]string{"T1", "--server", nobodyListens}, needed, exitFailure, "connection refused"},
		"another service":    {[]string{"T1", "--server", plain.URL}, needed, exitFailure, "answers 404 Not Found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(tt.env)
			if code := p.run(t.Context(), append([]string{"reconcile"}, tt.args...)); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if text := p.out.String() + p.err.String(); !strings.Contains(text, tt.want) {
				t.Errorf("printed %q, want %q in it", text, tt.want)
			}
		})
	}
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"24h":                  now.Add(-24 * time.Hour),
		"90m":                  now.Add(-90 * time.Minute),
		"0s":                   now,
		"2026-03-01T10:00:00Z": now.Add(-24 * time.Hour),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
}
