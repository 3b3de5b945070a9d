package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	adminToken  = "admin-token-for-tests"
	viewerToken = "viewer-token-for-tests"
)

var (
	_ Store    = store.Store(nil)
	_ Delivery = (*answers.Delivery)(nil)
)

type fakeFigures struct{}

func (fakeFigures) Figures() status.Figures { return status.Figures{TotalProcessed: 4321} }

// fakeStore tells of the whole what a test puts into it.
type fakeStore struct {
	Store   // nil: what a test does not ask for
	mu      sync.Mutex
	backlog store.Backlog
	alarms  []store.Alarm
	letters int
	err     error
}

// fail lets every method fail with an error, or none.
func (f *fakeStore) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeStore) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fakeStore) Backlog(context.Context, int) (store.Backlog, error) { return f.backlog, f.fault() }

func (f *fakeStore) Alarms(context.Context, int) ([]store.Alarm, error) { return f.alarms, f.fault() }

func (f *fakeStore) CountDeadLetters(_ context.Context, _ store.LetterFilter, most int) (int, error) {
	return min(f.letters, most), f.fault()
}

func (f *fakeStore) FindDeadLetters(context.Context, store.LetterFilter, int64, int) ([]store.DeadLetter, error) {
	return nil, f.fault()
}

// bench is a console on fakes, with everything in order until a test says otherwise.
type bench struct {
	Config
	store   *fakeStore
	mu      sync.Mutex
	report  analytics.Report
	asked   []answers.Question
	recent  int // of them, those that may be answered with what was known a moment ago
	figures status.Figures
	parts   map[string]status.Part
	unready bool
	log     strings.Builder
}

func newBench() *bench {
	b := &bench{store: new(fakeStore), parts: map[string]status.Part{"database": {State: "up"}, "crm": {State: "up"}}}
	b.report = analytics.Report{Costs: []analytics.Cost{}, Carriers: []analytics.Carrier{}}
	b.Config = Config{
		AdminToken: adminToken, ViewerToken: viewerToken, Store: b.store, Delivery: b, Figures: b, Health: b,
		HasCRM: true, SLA: 500 * time.Millisecond, Policy: analytics.DefaultPolicy(), Version: "test",
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
	return b
}

func (b *bench) Report(_ context.Context, q answers.Question) (*analytics.Report, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, q)
	report := b.report
	return &report, b.store.fault()
}

func (b *bench) Recent(ctx context.Context, q answers.Question) (*analytics.Report, error) {
	b.mu.Lock()
	b.recent++
	b.mu.Unlock()
	return b.Report(ctx, q)
}

// questions returns what was asked so far.
func (b *bench) questions() []answers.Question {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// answer changes what is answered from now on.
func (b *bench) answer(report analytics.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report = report
}

func (b *bench) Figures() status.Figures { return b.figures }

func (b *bench) Ready() (bool, map[string]status.Part) { return !b.unready, b.parts }

func (b *bench) console(t *testing.T) *Console {
	t.Helper()
	c, err := New(b.Config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get returns a page as the bearer of a token sees it, and nothing when there is no token.
func (b *bench) get(t *testing.T, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	c := b.console(t)
	r := httptest.NewRequest("GET", path, nil)
	if token != "" {
		r.AddCookie(signedIn(t, c, token))
	}
	return ask(c, r)
}

func newConsole(t *testing.T) *Console {
	t.Helper()
	return newBench().console(t)
}

func ask(c *Console, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// signedIn returns the cookie of who signs in with a token.
func signedIn(t *testing.T, c *Console, token string) *http.Cookie {
	t.Helper()
	form := url.Values{"token": {token}, "next": {"/"}}
	r := httptest.NewRequest("POST", "/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := ask(c, r)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func TestSignIn(t *testing.T) {
	b := newBench()
	w := b.get(t, "/carriers?window=1h", "")
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/login?next=%2Fcarriers%3Fwindow%3D1h" {
		t.Fatalf("a stranger gets %d to %q", w.Code, got)
	}
	for _, role := range []struct{ token, name string }{{viewerToken, "viewer"}, {adminToken, "operator"}} {
		w := b.get(t, "/", role.token)
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, ">"+role.name+"<") {
			t.Errorf("a %s gets %d %s", role.name, w.Code, body)
		}
	}
	cookie := signedIn(t, b.console(t), adminToken)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != int(access.SessionLength.Seconds()) {
		t.Errorf("the cookie is %v", cookie)
	}
}

// HEAD answers as GET does. A method that a path does not have is refused with those that it has.
func TestMethods(t *testing.T) {
	c := newConsole(t)
	cookie := signedIn(t, c, adminToken)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"HEAD", "/", 200, ""},
		{"HEAD", "/carriers", 200, ""},
		{"HEAD", "/live?page=/", 200, ""}, // it does not stream
		{"HEAD", "/login", 200, ""},
		{"HEAD", "/none", 404, ""},
		{"PUT", "/none", 404, ""},
		{"PUT", "/", 405, "GET, HEAD"},
		{"OPTIONS", "/", 405, "GET, HEAD"},
		{"POST", "/threads", 405, "GET, HEAD"},
		{"DELETE", "/login", 405, "GET, HEAD, POST"},
		{"GET", "/logout", 405, "POST"},
		{"HEAD", "/dead-letters/7/replay", 405, "POST"},
		{"POST", "/static/console.css", 405, "GET, HEAD"},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.AddCookie(cookie)
		if w := ask(c, r); w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, allowed are %q", tt.method, tt.path, w.Code, w.Header().Get("Allow"))
		}
	}
	w := ask(c, httptest.NewRequest("HEAD", "/carriers?window=1h", nil))
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/login?next=%2Fcarriers%3Fwindow%3D1h" {
		t.Errorf("a stranger's HEAD gets %d to %q", w.Code, got)
	}
}

func TestSignInRefuses(t *testing.T) {
	c := newConsole(t)
	for form, status := range map[string]int{
		"token=wrong": 401, "": 401, "token=" + strings.Repeat("x", maxForm): 413, "token=%zz": 400,
	} {
		r := httptest.NewRequest("POST", "/login", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if w := ask(c, r); w.Code != status || w.Header().Get("Set-Cookie") != "" || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Errorf("%.20q: %d %v", form, w.Code, w.Header())
		}
	}
}

// What another site posts is refused, whoever is signed in.
func TestForeignPost(t *testing.T) {
	c := newConsole(t)
	for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"} {
		r := httptest.NewRequest("POST", "/logout", nil)
		r.Header.Set(header, value)
		r.AddCookie(signedIn(t, c, adminToken))
		if w := ask(c, r); w.Code != http.StatusForbidden || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s %s: %d", header, value, w.Code)
		}
	}
}

func TestLocalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/a?b=c": "/a?b=c", "": "/", "a": "/", "//elsewhere": "/", "https://elsewhere": "/", "/\\elsewhere": "/", "/a\nb": "/",
	} {
		if got := localPath(path); got != want {
			t.Errorf("%q leads to %q", path, got)
		}
	}
}

var inline = regexp.MustCompile(`(?i)<style|<script(?: defer| src="[^"]*")*>[^<]|\s(style|on[a-z]+)\s*=\s*["']|javascript:|https?://`)

// No page has a style or a script of its own, or loads anything from elsewhere.
func TestPagesObeyThePolicy(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	b.store.alarms = []store.Alarm{slowAlarm("VODAFONE")}
	for _, path := range []string{"/", "/?window=7d", "/carriers", "/carriers?sort=-cost", "/login", "/carriers?window=never"} {
		w := b.get(t, path, adminToken)
		if got := w.Header().Get("Content-Security-Policy"); got != contentSecurityPolicy {
			t.Errorf("%s has the policy %q", path, got)
		}
		body := strings.ReplaceAll(w.Body.String(), `xmlns="http://www.w3.org/2000/svg"`, "")
		if found := inline.FindString(body); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
}

func TestErrors(t *testing.T) {
	b := newBench()
	for _, test := range []struct {
		err      error
		status   int
		isLogged bool
	}{
		{store.ErrUnavailable, 503, false}, {store.ErrNotFound, 404, false}, {answers.Refuse(errors.New("the step is short")), 422, false},
		{&visitorError{409, "Not now."}, 409, false}, {errors.New("a fault"), 500, true},
		{answers.ErrSlow, 503, false},
	} {
		b.log.Reset()
		b.store.err = test.err
		w := b.get(t, "/carriers", viewerToken)
		if w.Code != test.status || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Errorf("%v: %d %s", test.err, w.Code, w.Body)
		}
		if again := w.Header().Get("Retry-After"); (again != "") != (w.Code == http.StatusServiceUnavailable) {
			t.Errorf("%v: Retry-After: %q", test.err, again)
		}
		if isLogged := b.log.Len() > 0; isLogged != test.isLogged {
			t.Errorf("%v: logged: %q", test.err, b.log.String())
		}
		if strings.Contains(w.Body.String(), "a fault") {
			t.Error("the page tells of an inner fault")
		}
	}
}

func TestStatic(t *testing.T) {
	c := newConsole(t)
	w := ask(c, httptest.NewRequest("GET", "/static/console.css", nil))
	tag := w.Header().Get("ETag")
	if w.Code != http.StatusOK || tag == "" || w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	r := httptest.NewRequest("GET", "/static/console.css", nil)
	r.Header.Set("If-None-Match", tag)
	if w := ask(c, r); w.Code != http.StatusNotModified {
		t.Errorf("a file that is known is sent again: %d", w.Code)
	}
	for _, path := range []string{"/static/", "/static/nothing.css", "/static/../console.go"} {
		if c.Serves(httptest.NewRequest("GET", path, nil)) {
			t.Errorf("%s is served", path)
		}
	}
}
