package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
)

// Who guesses is soon told to wait. Who shows a right token is signed in all the while.
func TestSignInIsLimited(t *testing.T) {
	b := newBench()
	b.Failures = access.NewFailures(access.LoginBurst)
	c := b.console(t)
	now := time.Now()
	c.now = func() time.Time { return now }
	statuses := make(map[int]int)
	for i := range 30 {
		r := httptest.NewRequest("POST", "/login", strings.NewReader(fmt.Sprintf("token=guess%d", i)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := ask(c, r)
		statuses[w.Code]++
		if w.Code == http.StatusTooManyRequests && (w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), "too many wrong tokens")) {
			t.Errorf("limited: %v %s", w.Header(), w.Body)
		}
		signedIn(t, c, viewerToken)
	}
	if statuses[http.StatusUnauthorized] != 10 || statuses[http.StatusTooManyRequests] != 20 {
		t.Errorf("statuses %v", statuses)
	}
	if log := b.log.String(); strings.Count(log, "wrong token") != 10 || !strings.Contains(log, "client=192.0.2.1") || strings.Contains(log, "guess") {
		t.Errorf("logged %s", log)
	}
}

// A tool reads pages with a Bearer token, as it asks the API, and gets no session for it.
func TestPagesByToken(t *testing.T) {
	c := newConsole(t)
	for _, tt := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/", viewerToken, 200},
		{"HEAD", "/", viewerToken, 200},
		{"GET", "/carriers.csv", viewerToken, 200},
		{"GET", "/dead-letters", viewerToken, 403},
		{"GET", "/dead-letters", adminToken, 200},
		{"GET", "/", "wrong", 401},
		{"HEAD", "/", "wrong", 401},
		{"GET", "/live?page=/none", "wrong", 401},
		{"GET", "/live?page=/none", viewerToken, 404},
		{"POST", "/dead-letters/7/delete", adminToken, 401}, // it needs a session
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Authorization", "Bearer "+tt.token)
		if w := ask(c, r); w.Code != tt.status || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s %s with %s: %d %v", tt.method, tt.path, tt.token, w.Code, w.Header())
		}
	}
	// What a proxy adds to the requests of somebody who is signed in does not matter.
	r := httptest.NewRequest("GET", "/dead-letters", nil)
	r.AddCookie(signedIn(t, c, adminToken))
	r.Header.Set("Authorization", "Bearer of-the-proxy")
	if w := ask(c, r); w.Code != http.StatusOK {
		t.Errorf("a session and another token: %d", w.Code)
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth("somebody", "of-the-proxy")
	if w := ask(c, r); w.Code != http.StatusSeeOther {
		t.Errorf("credentials of a proxy: %d", w.Code)
	}
}

// A proxy that signs people in may add its own token to what their browsers send. Whoever has no session is sent
// to sign in all the same, and what the proxy added is no wrong token.
func TestBrowserBehindAProxy(t *testing.T) {
	b := newBench()
	b.TokenFailures = access.NewFailures(1)
	c := b.console(t)
	get := func(path, accept, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept", accept)
		r.Header.Set("Authorization", "Bearer "+token)
		return ask(c, r)
	}
	const html = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for range 3 {
		if w := get("/dead-letters", html, "of-the-proxy"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login?next=%2Fdead-letters" {
			t.Errorf("a page: %d %v", w.Code, w.Header())
		}
		if w := get("/live?page=/", "text/event-stream", "of-the-proxy"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "sign in first") {
			t.Errorf("a stream: %d %s", w.Code, w.Body)
		}
	}
	if log := b.log.String(); log != "" {
		t.Errorf("logged %s", log)
	}
	if w := get("/", html, viewerToken); w.Code != http.StatusOK {
		t.Errorf("a token of ours: %d", w.Code)
	}
	if w := get("/", "*/*", "wrong"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `href="/login"`) {
		t.Errorf("a tool's first wrong token: %d %s", w.Code, w.Body)
	}
}

// Wrong tokens of tools count with those of the API, and apart from those of people who sign in.
func TestWrongTokensAreLimited(t *testing.T) {
	b := newBench()
	b.Failures, b.TokenFailures = access.NewFailures(access.LoginBurst), access.NewFailures(access.RequestBurst)
	c := b.console(t)
	now := time.Now()
	c.now = func() time.Time { return now }
	statuses := make(map[int]int)
	for i := range 60 {
		r := httptest.NewRequest("GET", []string{"/", "/live?page=/"}[i%2], nil)
		r.Header.Set("Authorization", "Bearer wrong")
		w := ask(c, r)
		statuses[w.Code]++
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "2" {
			t.Errorf("limited: %v", w.Header())
		}
	}
	if statuses[http.StatusUnauthorized] != access.RequestBurst || statuses[http.StatusTooManyRequests] != 60-access.RequestBurst {
		t.Errorf("statuses %v", statuses)
	}
	if wait := b.Failures.Failed(httptest.NewRequest("POST", "/login", nil), now); wait > 0 {
		t.Error("nobody can mistype their token any more")
	}
}

// The cookie goes over TLS alone when it came by TLS.
func TestSecureCookie(t *testing.T) {
	c := newConsole(t)
	for proto, want := range map[string]bool{"": false, "http": false, "https": true, "HTTPS": true} {
		r := httptest.NewRequest("POST", "/login", nil)
		r.Header.Set("X-Forwarded-Proto", proto)
		if got := c.cookie(r, "x", 1).Secure; got != want {
			t.Errorf("%q: secure is %t", proto, got)
		}
	}
	if !c.cookie(httptest.NewRequest("POST", "https://localhost/login", nil), "x", 1).Secure {
		t.Error("by TLS: not secure")
	}
}
