package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/telemetry/telemetrytest"
)

func TestCheckCRM(t *testing.T) {
	t.Parallel()
	const token = "a81d07c3f95e4b26"
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	tests := map[string]struct {
		crm   http.Handler // nil: nobody listens
		token string
		want  string // in the error; "" for none
	}{
		"it has no such thread": {sim.NewCRM(token), token, ""},
		"wrong token":           {sim.NewCRM("another"), token, "CRM_API_TOKEN"},
		"token may not":         {status(http.StatusForbidden), token, "CRM_API_TOKEN"},
		"another method":        {status(http.StatusMethodNotAllowed), token, "CRM_API_URL"},
		"trouble":               {status(http.StatusBadGateway), token, "502"},
		"redirect":              {http.RedirectHandler("https://login.example.com/", http.StatusFound), token, "login.example.com"},
		"nobody":                {nil, token, "no answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := nobodyListens
			if tt.crm != nil {
				server := httptest.NewServer(tt.crm)
				t.Cleanup(server.Close)
				base = server.URL
			}
			err := checkCRM(t.Context(), Config{CRM: &CRM{BaseURL: base, Token: Secret(tt.token), Timeout: 5 * time.Second}})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q in it", err, tt.want)
			case err != nil && strings.Contains(err.Error(), tt.token):
				t.Errorf("the token shows: %v", err)
			}
		})
	}
}

// A pause that CXone asks for reaches those who reconcile as one, with what is left of it.
func TestThreadSourceTellsOfPauses(t *testing.T) {
	t.Parallel()
	remote, err := startRemotes()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remote.close)
	remote.cxone.Fail(sim.Fault{Path: "/api/v2/interactions/social/threads/T1", Status: http.StatusTooManyRequests, RetryAfter: "30"})
	client, err := newCXone(Config{CXone: &CXone{BaseURL: remote.cxoneURL, ClientID: demoClientID, ClientSecret: Secret(remote.cxoneSecret)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"T1", "T2"} {
		_, err := threadSource{client}.Thread(t.Context(), id)
		pause, ok := errors.AsType[*reconcile.PauseError](err)
		if !ok || pause.Left <= 0 || pause.Left > 30*time.Second || !strings.Contains(pause.Error(), "CXone asks for a pause") {
			t.Errorf("%s: got %v", id, err)
		}
	}
}

func TestCheckCollector(t *testing.T) {
	t.Parallel()
	var collector telemetrytest.Collector
	server := httptest.NewServer(&collector)
	if err := checkCollector(t.Context(), Config{OTLPEndpoint: server.URL}); err != nil {
		t.Error(err)
	}
	server.Close()
	if err := checkCollector(t.Context(), Config{OTLPEndpoint: server.URL}); err == nil {
		t.Error("nobody takes traces")
	}
}

func TestCheckCRMHeedsItsContext(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if err := checkCRM(ctx, Config{CRM: &CRM{BaseURL: server.URL, Token: "x", Timeout: time.Minute}}); err == nil {
		t.Error("no error though it was cancelled")
	}
}
