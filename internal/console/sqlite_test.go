package console

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

// world is a console on a real store, with a real ingest in front of it. What comes in is read under
// the policy Quarantine; replays are read under Flag, as if the operator had changed it.
type world struct {
	*Console
	db     *sqlite.Store
	in     *ingest.Ingest
	tokens map[string]*http.Cookie
	notice *http.Cookie // that the operator's browser has; nil for none
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "cx.db"))
	if err != nil {
		t.Fatal(err)
	}
	rules, ok := sms.BuiltinRules("default")
	if !ok {
		t.Fatal("the default sender rules are not built in")
	}
	strict := ingest.Reader{Judge: &sms.Judge{Rules: rules, DefaultRegion: "US"}, Policy: ingest.Quarantine}
	in := ingest.New(ingest.Config{
		Store: db, Reader: &strict, Metrics: ingest.NewMetrics(prometheus.NewRegistry()),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	t.Cleanup(func() {
		in.Stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := in.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	lenient := strict
	lenient.Policy = ingest.Flag
	replayer := &ingest.Replayer{Store: db, Reader: &lenient, Submit: in.Submit}
	cfg := Config{
		AdminToken: adminToken, ViewerToken: viewerToken, Store: db, Replayer: replayer, Waker: replayer,
		Figures: fakeFigures{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Console: c, db: db, in: in, tokens: make(map[string]*http.Cookie)}
	for _, token := range []string{adminToken, viewerToken} {
		w.tokens[token] = signedIn(t, c, token)
	}
	return w
}

// sms lets receipts come in.
func (w *world) sms(t *testing.T, received time.Time, raws ...string) {
	t.Helper()
	var readings []ingest.Reading
	for _, raw := range raws {
		readings = append(readings, w.in.ReadSMS([]byte(raw), received))
	}
	if _, err := w.in.Submit(context.Background(), readings); err != nil {
		t.Fatal(err)
	}
}

// threads lets events of threads come in.
func (w *world) threads(t *testing.T, raws ...string) {
	t.Helper()
	for i, raw := range raws {
		reading := w.in.ReadThread([]byte(raw), at("2026-03-01T10:00:00Z").Add(time.Duration(i)*time.Second))
		if reading.Refused != nil {
			t.Fatalf("%s: %v", raw, reading.Refused)
		}
		if _, err := w.in.Submit(context.Background(), []ingest.Reading{reading}); err != nil {
			t.Fatal(err)
		}
	}
}

// get returns the page at a path, as the bearer of a token sees it.
func (w *world) get(t *testing.T, token, path string, status int) string {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.AddCookie(w.tokens[token])
	if w.notice != nil && token == adminToken {
		r.AddCookie(w.notice)
	}
	answer := ask(w.Console, r)
	w.keep(answer)
	if answer.Code != status {
		t.Fatalf("%s: status %d, want %d: %s", path, answer.Code, status, answer.Body)
	}
	return answer.Body.String()
}

// post does something as the operator, and returns where it leads to.
func (w *world) post(t *testing.T, path string) *url.URL {
	t.Helper()
	answer := w.try(path, adminToken)
	location, err := answer.Result().Location()
	if answer.Code != http.StatusSeeOther || err != nil {
		t.Fatalf("%s: status %d: %s", path, answer.Code, answer.Body)
	}
	return location
}

func (w *world) try(path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(w.tokens[token])
	answer := ask(w.Console, r)
	w.keep(answer)
	return answer
}

// keep does with the cookie of a notice what a browser does.
func (w *world) keep(answer *httptest.ResponseRecorder) {
	for _, cookie := range answer.Result().Cookies() {
		if cookie.Name == noticeCookie {
			w.notice = cookie
			if cookie.MaxAge < 0 {
				w.notice = nil
			}
		}
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// wants checks that a page has some texts and lacks those that begin with "!".
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if unwanted, isUnwanted := strings.CutPrefix(text, "!"); isUnwanted == strings.Contains(page, unwanted) {
			t.Errorf("wanted %q in %s", text, page)
		}
	}
}

// liveRequest asks for the stream of what changes in a page.
func liveRequest(path string) *http.Request {
	return httptest.NewRequest("GET", "/live?page="+url.QueryEscape(path), nil)
}

// quoted writes a text as JSON.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}
