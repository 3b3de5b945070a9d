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
	b.Failures = access.NewFailures()
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
