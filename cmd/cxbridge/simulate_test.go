package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/simulator"
)

// meddler is a proxy in front of a cxbridge that does something wrong, or nothing.
type meddler struct {
	next http.Handler

	swallow  func(path, body string) bool                  // a post is acknowledged and goes nowhere
	distort  func(path, answer string) string              // what the API answers is changed
	intrude  func(path string, w http.ResponseWriter) bool // true: it has answered
	requests atomic.Int64
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.requests.Add(1)
	if m.intrude != nil && m.intrude(r.URL.Path, w) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if m.swallow != nil && m.swallow(r.URL.Path, string(body)) {
		_, _ = io.WriteString(w, `{"acknowledged":true,"status":"ACCEPTED"}`)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if m.distort == nil || r.Method != http.MethodGet {
		m.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	m.next.ServeHTTP(answer, r)
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	w.WriteHeader(answer.Code)
	_, _ = io.WriteString(w, m.distort(r.URL.Path, answer.Body.String()))
}

// before puts a meddler in front of a service of its own.
func before(t *testing.T, m *meddler, vars map[string]string) (address string) {
	t.Helper()
	service, err := url.Parse(startService(t, with(vars)).address())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(service)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	proxy.Transport = transport
	m.next = proxy
	server := httptest.NewServer(m)
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}

// simulate runs the command for a fraction of a second.
func simulate(t *testing.T, ctx context.Context, vars map[string]string, args ...string) (*trial, int) {
	t.Helper()
	p := newTrial(vars)
	return p, p.run(ctx, append([]string{"simulate", "--seed", "11"}, args...))
}

var brief = []string{"--duration", "400ms", "--rate", "600", "--workers", "8"}

func TestSimulate(t *testing.T) {
	t.Parallel()
	address := before(t, &meddler{}, nil)
	p, code := simulate(t, t.Context(), needed, append(brief, address+"/")...)
	if code != exitOK || p.err.Len() > 0 {
		t.Fatalf("exit code %d: %s%s", code, &p.out, &p.err)
	}
	for _, want := range []string{
		`^simulated steady traffic, with --seed 11\n`, `sent      [0-9]{3,} posts in .* per second: [0-9]{3} about messages, [0-9]{3} about threads\n`,
		`[0-9]+ smpp`, `answered  [0-9]{3} with 200, [0-9]+ with 400, [0-9]+ with 422; 0 were tried again, 0 times after a 503\n`,
		`events brought nothing new\n`, `latency   p50 [0-9.]+ ms, p95 [0-9.]+ ms, p99 [0-9.]+ ms, max [0-9.]+ ms, from`,
		`verified  all [0-9]{2,} messages, all [0-9]{2,} threads, all [0-9]+ dead letters: 0 wrong\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(p.out.String()) {
			t.Errorf("printed without %q:\n%s", want, &p.out)
		}
	}
}

// posted returns what is posted to a server that accepts everything, without the times.
func posted(t *testing.T, args ...string) map[string][]string {
	t.Helper()
	bodies := make(map[string][]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost {
			// One worker for each webhook: requests to one come one by one.
			bodies[r.URL.Path] = append(bodies[r.URL.Path], timeless.ReplaceAllString(string(body), "…"))
		}
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	p := newTrial(map[string]string{"WEBHOOK_SECRET": "8c1b0f5e7a9d4e63b2f1"})
	p.run(t.Context(), append([]string{"simulate", server.URL, "--workers", "1", "--retries", "0"}, args...))
	return bodies
}

// timeless matches what depends on the time: times of RFC 3339, dates of receipts, and these in UCS-2.
var timeless = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)?|date:[0-9]+|00640061007400650020?003a(003[0-9])+|"short_message_hex": ?"[0-9a-f]+"`)

// The same seed posts the same events in the same order.
func TestSimulateRepeats(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sms", "threads"} {
		args := []string{"--kind", kind, "--rate", "1000", "--duration", "300ms", "--seed"}
		first, again, other := posted(t, append(args, "5")...), posted(t, append(args, "5")...), posted(t, append(args, "6")...)
		if len(first) != 1 {
			t.Fatalf("%s: posted to %d paths", kind, len(first))
		}
		for path, bodies := range first {
			if len(bodies) < 300 {
				t.Errorf("%s: %d posts", path, len(bodies))
			}
			for i, body := range bodies {
				if i >= len(again[path]) || again[path][i] != body {
					t.Fatalf("%s: post %d differs:\n%s\n%s", path, i, body, again[path][min(i, len(again[path])-1)])
				}
			}
			if strings.Join(other[path], "\n") == strings.Join(bodies, "\n") {
				t.Errorf("%s: another seed posts the same", path)
			}
		}
	}
}

// Whatever a cxbridge does to events that it has acknowledged is detected.
func TestSimulateFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	var swallowed atomic.Int64
	// A single receipt could be a repeat, whose loss changes nothing.
	some := func(_, body string) bool { return json.Valid([]byte(body)) && swallowed.Add(1) <= 5 }
	replace := func(path, old, by string) func(string, string) string {
		return func(at, answer string) string {
			if !regexp.MustCompile(path).MatchString(at) {
				return answer
			}
			return regexp.MustCompile(old).ReplaceAllString(answer, by)
		}
	}
	tests := map[string]struct {
		meddler *meddler
		kind    string
		want    string
	}{
		"loses a receipt":       {&meddler{swallow: some}, "sms", `WRONG: message "[^"]+" is (missing|[A-Z]+ by )`},
		"doubles a receipt":     {&meddler{distort: replace("/api/messages/", `"receipts":\[(\{"status":"PENDING")`, `"receipts":[{"status":"PENDING"},$1`)}, "sms", `and must be [A-Z]+ by [A-Z0-9]+ in [A-Z]{2} with [0-9]+ receipts`},
		"changes a status":      {&meddler{distort: replace("/api/messages/", `^(.*?"status":)"DELIVERED"`, `$1"FAILED"`)}, "sms", `is FAILED by .* and must be DELIVERED by`},
		"loses letters":         {&meddler{distort: replace("/api/dead-letters", `"raw":"`, `"raw":"x`)}, "sms", `[0-9]+ events that were refused are not among the dead letters`},
		"loses a thread":        {&meddler{distort: replace("/api/threads/[^/]+$", `"messages":\[.*?\],"messagesNext"`, `"messages":[],"messagesNext"`)}, "threads", `WRONG: thread "[^"]+" lacks message "`},
		"changes a text":        {&meddler{distort: replace("/api/threads/[^/]+$", `"text":"Thanks!!`, `"text":"No thanks!!`)}, "threads", `WRONG: thread .* has message .* with another text`},
		"doubles a version":     {&meddler{distort: replace("/api/threads/[^/]+$", `"version":([0-9]+)`, `"version":1$1`)}, "threads", `WRONG: thread "[^"]+" has version 1`},
		"forgets a timeline":    {&meddler{distort: replace("/timeline$", `"items":\[.*\]`, `"items":[]`)}, "threads", `WRONG: thread "[^"]+" shows other messages than it must, or in another order: 0, and must show`},
		"takes what is invalid": {&meddler{swallow: func(_, body string) bool { return !json.Valid([]byte(body)) }}, "sms", `WRONG: [0-9]+ posts were answered with 200, want 400`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			address := before(t, tt.meddler, nil)
			p, code := simulate(t, t.Context(), needed, append(brief, address, "--kind", tt.kind)...)
			if code != exitFailure || p.err.Len() > 0 {
				t.Errorf("exit code %d: %s", code, &p.err)
			}
			if !regexp.MustCompile(tt.want).MatchString(p.out.String()) {
				t.Errorf("printed without %q:\n%s", tt.want, &p.out)
			}
		})
	}
}

// A quarantined receipt does not count as a missing message.
func TestSimulateWithQuarantine(t *testing.T) {
	t.Parallel()
	address := before(t, &meddler{}, map[string]string{"SENDER_ID_POLICY": "quarantine"})
	p, code := simulate(t, t.Context(), needed, append(brief, address, "--kind", "sms")...)
	if code != exitOK || !regexp.MustCompile(`[0-9]+ receipts are in quarantine\n`).MatchString(p.out.String()) {
		t.Errorf("exit code %d: %s%s", code, &p.out, &p.err)
	}
}

// With the viewer's token everything but dead letters is verified; without a token, nothing.
func TestSimulateWithoutToken(t *testing.T) {
	t.Parallel()
	const viewer = "77d1c0a9be5f42e3"
	address := before(t, &meddler{}, map[string]string{"VIEWER_TOKEN": viewer})
	secret := map[string]string{"WEBHOOK_SECRET": needed["WEBHOOK_SECRET"] + ",another-7a9d4e63"}
	for i, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--viewer-token", viewer}, `verified  all [0-9]+ messages, all [0-9]+ threads, 0 of [0-9]+ dead letters: 0 wrong\n +dead letters need ADMIN_TOKEN\n$`},
		{nil, `verified  nothing: that needs ADMIN_TOKEN or VIEWER_TOKEN\n$`},
		{[]string{"--admin-token", needed["ADMIN_TOKEN"], "--verify", "0"}, `verified  nothing: --verify is 0\n$`},
		{[]string{"--admin-token", needed["ADMIN_TOKEN"], "--verify", "5"}, `verified  [1-5] of [0-9]+ messages, 5 of [0-9]+ threads, 5 of [0-9]+ dead letters: 0 wrong\n$`},
	} {
		args := append(append(brief[:len(brief):len(brief)], address), tt.args...)
		args = append(args, "--seed", strconv.Itoa(41+i)) // the messages of each run are its own
		p, code := simulate(t, t.Context(), secret, args...)
		if code != exitOK || !regexp.MustCompile(tt.want).MatchString(p.out.String()) {
			t.Errorf("%v: exit code %d, %s, want %q in it:\n%s", tt.args, code, &p.err, tt.want, &p.out)
		}
	}
}

// A busy cxbridge gets its posts again after its Retry-After.
func TestSimulateTriesAgain(t *testing.T) {
	t.Parallel()
	var posts atomic.Int64
	address := before(t, &meddler{intrude: func(path string, w http.ResponseWriter) bool {
		if path != smsPath || posts.Add(1) > 20 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}}, nil)
	p, code := simulate(t, t.Context(), needed, append(brief, address, "--retries", "100")...)
	if code != exitOK || !strings.Contains(p.out.String(), "; 20 were tried again, 20 times after a 503\n") {
		t.Errorf("exit code %d: %s%s", code, &p.out, &p.err)
	}
}

// The verification waits for events in the spool.
func TestSimulateWaitsForTheSpool(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	spooled := make(map[string][]byte) // by message id
	m := &meddler{}
	before(t, m, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var event struct{ Payload struct{ MessageID string } }
		isEvent := json.Unmarshal(body, &event) == nil && event.Payload.MessageID != ""
		mu.Lock()
		defer mu.Unlock()
		if isEvent && len(spooled) < 5 && spooled[event.Payload.MessageID] == nil {
			spooled[event.Payload.MessageID] = body
			_, _ = io.WriteString(w, `{"acknowledged":true,"queuedForRetry":true}`)
			return
		}
		m.ServeHTTP(w, r)
		// The first look at a message comes too early.
		if id, isMessage := strings.CutPrefix(r.URL.Path, "/api/messages/"); isMessage && spooled[id] != nil {
			late := httptest.NewRequest(http.MethodPost, smsPath, bytes.NewReader(spooled[id]))
			late.Header.Set("X-Webhook-Secret", needed["WEBHOOK_SECRET"])
			m.ServeHTTP(httptest.NewRecorder(), late)
		}
	}))
	defer server.Close()
	p, code := simulate(t, t.Context(), needed, append(brief, server.URL, "--kind", "sms")...)
	if code != exitOK || !strings.Contains(p.out.String(), " 5 events were spooled\n") {
		t.Errorf("exit code %d: %s%s", code, &p.out, &p.err)
	}
}

// A simulation that is stopped says how far it came.
func TestSimulateInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	m := &meddler{}
	m.intrude = func(string, http.ResponseWriter) bool {
		// Requests run side by side: it may be that none sees exactly 40.
		if m.requests.Load() >= 40 {
			cancel(errors.New(`received the signal "interrupt"`))
		}
		return false
	}
	address := before(t, m, nil)
	p, code := simulate(t, ctx, needed, "--duration", "1h", address)
	if code != exitFailure || !strings.Contains(p.err.String(), `received the signal "interrupt"`) {
		t.Errorf("exit code %d: %s", code, &p.err)
	}
	for _, want := range []string{"sent      ", "latency   p50", "verified  nothing: the simulation was stopped\n"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("printed without %q:\n%s", want, &p.out)
		}
	}
}

func TestSimulateRefused(t *testing.T) {
	t.Parallel()
	address := before(t, &meddler{}, nil)
	another := before(t, &meddler{}, nil) // where no wrong secrets make the right answer 429
	file := write(t, "scenario.yaml", "phases:\n  - rate: much\n    duration: 1s\n")
	tests := map[string]struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		"no URL":             {[]string{"localhost:3000"}, needed, exitUsage, "http or https URL"},
		"no rate":            {[]string{"--rate", "0"}, needed, exitUsage, "--rate must be from 0.001 to 20000"},
		"too fast":           {[]string{"--rate", "20001"}, needed, exitUsage, "--rate must be from 0.001 to 20000"},
		"rate that is none":  {[]string{"--rate", "NaN"}, needed, exitUsage, "--rate must be from 0.001 to 20000"},
		"no time":            {[]string{"--duration", "0s"}, needed, exitUsage, "--duration must be above 0s"},
		"too long":           {[]string{"--duration", "25h"}, needed, exitUsage, "at most 24h"},
		"kind":               {[]string{"--kind", "mail"}, needed, exitUsage, "sms, threads or both"},
		"workers":            {[]string{"--workers", "1001"}, needed, exitUsage, "from 1 to 1000"},
		"retries":            {[]string{"--retries=-1"}, needed, exitUsage, "from 0 to 100"},
		"verify":             {[]string{"--verify=-1"}, needed, exitUsage, "from 0 to 100000"},
		"settle":             {[]string{"--settle=2h"}, needed, exitUsage, "from 0s to 1h"},
		"timeout":            {[]string{"--timeout=0s"}, needed, exitUsage, "--timeout must be above 0"},
		"thread ids":         {[]string{"--thread-ids=int"}, needed, exitUsage, "must be one of"},
		"scenario and rate":  {[]string{"--scenario", "bad-carrier", "--rate", "3"}, needed, exitUsage, "leave out --rate"},
		"all at once":        {[]string{"--workers", "0", "--retries=-1", "--timeout=0s", "--rate", "0", "--kind", "mail"}, needed, exitUsage, "--workers must be from 1 to 1000\n--retries must be from 0 to 100\n--timeout must be above 0\n--rate must be from 0.001 to 20000\n--kind must be sms, threads or both\n"},
		"unknown scenario":   {[]string{"--scenario", "bad-carriers"}, needed, exitUsage, "bad-carrier, black-friday, merge-and-split"},
		"mistake in a file":  {[]string{"--scenario", file}, needed, exitUsage, "line 2: phases[0].rate: must be a number"},
		"no secret":          {nil, nil, exitUsage, "WEBHOOK_SECRET is not set"},
		"nobody there":       {[]string{nobodyListens}, needed, exitFailure, "connection refused"},
		"nobody, no token":   {[]string{nobodyListens}, map[string]string{"WEBHOOK_SECRET": "x"}, exitFailure, "connection refused"},
		"wrong token":        {[]string{another}, map[string]string{"WEBHOOK_SECRET": "x", "ADMIN_TOKEN": "y"}, exitFailure, "401: a valid token is needed"},
		"wrong secret":       {[]string{address}, with(map[string]string{"WEBHOOK_SECRET": "x"}), exitFailure, "is WEBHOOK_SECRET that of this cxbridge"},
		"wrong place":        {[]string{address + "/base"}, map[string]string{"WEBHOOK_SECRET": needed["WEBHOOK_SECRET"]}, exitFailure, "404"},
		"secret that is bad": {nil, map[string]string{"WEBHOOK_SECRET": ",", "ADMIN_TOKEN": "two words"}, exitUsage, "2 errors in the settings"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTrial(tt.env)
			if code := p.run(t.Context(), append([]string{"simulate"}, tt.args...)); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if text := p.out.String() + p.err.String(); !strings.Contains(text, tt.want) || strings.Contains(text, needed["WEBHOOK_SECRET"]) {
				t.Errorf("printed %q, want %q in it", text, tt.want)
			}
		})
	}
}

// The phases of a script change what is posted from their start on.
func TestSimulationEntersPhases(t *testing.T) {
	t.Parallel()
	script, err := simulator.ParseScript([]byte(`
kind: sms
phases:
  - {duration: 1s, rate: 100, regions: [DE]}
  - pause: 1h
  - {duration: 1s, rate: 100, carriers: {LATER: }, regions: [FR]}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := &simulateCommand{Server: &url.URL{Scheme: "http", Host: "cxbridge.test"}, Seed: 3, Verify: 1000, script: script}
	s := newSimulation(c, "secret", nil)
	s.start = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	s.began = s.start.Add(20 * time.Second)
	next := s.planned(s.receipts)
	var posts []sim.Post
	for post, more := next(); more; post, more = next() {
		posts = append(posts, post)
	}
	if len(posts) != 200 {
		t.Fatalf("%d posts", len(posts))
	}
	if first, last := posts[100].Due, posts[199].Due; !first.Equal(s.began.Add(time.Hour+time.Second)) || last.Sub(first) != 990*time.Millisecond {
		t.Errorf("the last phase goes from %v to %v", first, last)
	}
	later := 0
	for i, post := range posts {
		for _, r := range post.Receipts {
			if r.Region == "FR" && i < 100 || r.Carrier == "LATER" && r.Region != "FR" {
				t.Errorf("post %d is of %s in %s", i, r.Carrier, r.Region)
			}
			if r.Carrier == "LATER" {
				later++
			}
		}
	}
	if later == 0 {
		t.Error("the last phase is not entered")
	}
}
