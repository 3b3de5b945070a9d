package api

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/access"
)

// Who guesses is soon told to wait. Who shows a right token, or none, is answered as ever.
func TestWrongTokensAreLimited(t *testing.T) {
	b := stockedBench()
	var out bytes.Buffer
	b.Failures, b.Log = access.NewFailures(access.RequestBurst), slog.New(slog.NewTextHandler(&out, nil))
	statuses := make(map[int]int)
	for range 60 {
		w := b.ask(t, "GET", "/api/metrics", "wrong-token")
		statuses[w.Code]++
		if w.Code == http.StatusTooManyRequests {
			wantProblem(t, w, http.StatusTooManyRequests)
			if wait := w.Header().Get("Retry-After"); wait != "1" && wait != "2" {
				t.Errorf("Retry-After %q", wait)
			}
		}
		if w := b.ask(t, "GET", "/api/metrics", viewerToken); w.Code != http.StatusOK {
			t.Errorf("a right token: %d", w.Code)
		}
		wantProblem(t, b.ask(t, "GET", "/api/metrics", ""), http.StatusUnauthorized)
		wantProblem(t, b.ask(t, "GET", "/api/dead-letters", viewerToken), http.StatusForbidden)
	}
	// On a slow machine some seconds pass meanwhile, which let a few more through.
	if statuses[http.StatusUnauthorized] < 40 || statuses[http.StatusTooManyRequests] == 0 {
		t.Errorf("statuses %v", statuses)
	}
	if text := out.String(); strings.Count(text, "wrong token") != statuses[http.StatusUnauthorized] || !strings.Contains(text, "client=192.0.2.1") || strings.Contains(text, "wrong-token") {
		t.Errorf("logged %s", text)
	}
}
