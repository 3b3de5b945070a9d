package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/status"
)

func TestHealth(t *testing.T) {
	w := newBench().ask(t, "GET", "/healthz", "")
	if diff := cmp.Diff(normal(t, `{"status":"ok"}`), normal(t, w.Body.String())); w.Code != http.StatusOK || diff != "" {
		t.Errorf("%d %s", w.Code, diff)
	}
}

func TestReadiness(t *testing.T) {
	parts := map[string]status.Part{
		"database": {State: "down"},
		"spool":    {State: "up", Detail: "12 events wait"},
	}
	for _, test := range []struct {
		ready      bool
		status     int
		retryAfter string
		want       string
	}{
		{true, 200, "", `{"status":"ready", "parts":{"database":{"state":"down"}, "spool":{"state":"up","detail":"12 events wait"}}}`},
		{false, 503, "5", `{"status":"unready", "parts":{"database":{"state":"down"}, "spool":{"state":"up","detail":"12 events wait"}}}`},
	} {
		b := newBench()
		b.Health = healthFunc(func() (bool, map[string]status.Part) {
			return test.ready, parts
		})
		w := b.ask(t, "GET", "/readyz", "")
		if diff := cmp.Diff(normal(t, test.want), normal(t, w.Body.String())); w.Code != test.status || diff != "" {
			t.Errorf("%d %s", w.Code, diff)
		}
		if got := w.Header().Get("Retry-After"); got != test.retryAfter {
			t.Errorf("Retry-After %q, want %q", got, test.retryAfter)
		}
	}
}
