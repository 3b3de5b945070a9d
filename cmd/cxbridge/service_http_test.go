package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A browser that asks for a page that does not exist gets a page that says so; a tool gets problem+json, and
// so does a browser at a path of the API.
func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	s := startService(t, with(nil))
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	const page, problem = "text/html; charset=utf-8", "application/problem+json"
	for _, tt := range []struct {
		method, path, accept string
		status               int
		kind                 string
	}{
		{"GET", "/nope", browser, 404, page},
		{"GET", "/nope", "Text/HTML", 404, page},
		{"GET", "/api/nothing", browser, 404, page},
		{"GET", "//nope", browser, 404, page},
		{"GET", "/static/none.js", browser, 404, page},
		{"GET", "/nope", "", 404, problem},
		{"GET", "/nope", "*/*", 404, problem},
		{"GET", "/nope", "application/json", 404, problem},
		{"POST", "/nope", browser, 404, problem},
		{"GET", "/api/messages", browser, 401, problem},
		{"GET", "/api/dead-letters/7/replay", browser, 405, problem},
		{"GET", "/login", browser, 200, page},
		{"HEAD", "/nope", browser, 404, page},
		{"PUT", "/login", "", 405, page},
		{"POST", "/threads", "", 405, page},
	} {
		r := httptest.NewRequest(tt.method, "http://bridge.example"+tt.path, http.NoBody)
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		s.server.Handler.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); w.Code != tt.status || got != tt.kind {
			t.Errorf("%s %s for %q: %d of type %q, want %d of type %q", tt.method, tt.path, tt.accept, w.Code, got, tt.status, tt.kind)
		}
		isErrorPage := strings.Contains(w.Body.String(), "There is no page at this address.")
		if isErrorPage != (tt.status == 404 && tt.kind == page) || tt.kind == page && w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s %s: %v\n%s", tt.method, tt.path, w.Header(), w.Body)
		}
	}
}

// Mistakes at one door do not count at another, except that the pages and the API know the same tokens.
func TestDoorsCountMistakesApart(t *testing.T) {
	t.Parallel()
	s := startService(t, with(nil))
	mistake := func(method, path, body string) int {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if path != "/login" {
			r.Header.Set("Authorization", "Bearer wrong")
			r.Header.Set("X-Webhook-Secret", "wrong")
		} else {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		s.server.Handler.ServeHTTP(w, r)
		return w.Code
	}
	// On a slow machine some seconds pass meanwhile, which let a few more through.
	exhaust := func(burst int, method, path string) {
		t.Helper()
		n := 0
		for ; mistake(method, path, "token=wrong") == http.StatusUnauthorized; n++ {
		}
		if n < burst || n > 2*burst {
			t.Errorf("%s: %d mistakes are answered 401, want %d", path, n, burst)
		}
	}
	exhausted := func(method, path string) {
		t.Helper()
		status := http.StatusUnauthorized
		for n := 0; n < 5 && status == http.StatusUnauthorized; n++ {
			status = mistake(method, path, "")
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("%s: after the mistakes at another door, one more is answered %d", path, status)
		}
	}
	exhaust(10, http.MethodPost, "/login")
	exhaust(40, http.MethodPost, smsPath)
	exhausted(http.MethodPost, threadsPath)
	exhaust(40, http.MethodGet, "/api/metrics")
	exhausted(http.MethodGet, "/")
}

// The error page of somebody who is signed in has the menu.
func TestUnknownPathSignedIn(t *testing.T) {
	t.Parallel()
	s := startService(t, with(nil))
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("token="+s.config.AdminToken.Reveal()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	r = httptest.NewRequest(http.MethodGet, "/nope", http.NoBody)
	r.Header.Set("Accept", "text/html")
	for _, cookie := range w.Result().Cookies() {
		r.AddCookie(cookie)
	}
	w = httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `href="/dead-letters"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A panic may quote a message, so its value is not logged: neither by us nor by net/http.
func TestPanicsAreLoggedWithoutTheirValue(t *testing.T) {
	var log bytes.Buffer
	h := logPanics(slog.New(slog.NewJSONHandler(&log, nil)), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("Is it on its way?")
	}))
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("net/http is told %v", p)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/threads", nil))
	}()
	if text := log.String(); !strings.Contains(text, `"path":"/threads"`) || !strings.Contains(text, "a fault of the program: string") ||
		strings.Contains(text, "on its way") {
		t.Errorf("logged: %s", text)
	}
}
