package cxone_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestSubscribe(t *testing.T) {
	platform := newSim()
	c := newClient(t, platform)
	for i, want := range []bool{true, false, false} {
		created, err := c.Subscribe(t.Context(), smsStatus(t))
		if err != nil || created != want {
			t.Errorf("time %d: created is %t, %v", i+1, created, err)
		}
	}
	want := []sim.Webhook{{
		ID:          "wh-0001",
		Name:        "sms-status-webhook",
		CallbackURL: "https://bridge.test/base/webhooks/cxone/sms",
		EventTypes:  []string{"messaging.status.update"},
		HTTPMethod:  "POST",
		Headers:     map[string]string{"Content-Type": "application/json", "X-Webhook-Secret": webhookSecret},
		Enabled:     true,
	}}
	if diff := cmp.Diff(want, platform.Webhooks()); diff != "" {
		t.Error(diff)
	}
}

func TestSubscribeToThreads(t *testing.T) {
	platform := newSim()
	c := newClient(t, platform)
	for i, want := range []bool{true, false} {
		created, err := c.Subscribe(t.Context(), subscription(t, "crm-social-thread-sync"))
		if err != nil || created != want {
			t.Errorf("time %d: created is %t, %v", i+1, created, err)
		}
	}
	want := []sim.InteractionWebhook{{
		ID:      "iw-0001",
		Name:    "crm-social-thread-sync",
		URI:     "https://bridge.test/base/api/webhooks/cxone-threads",
		Events:  []string{"THREAD_UPDATED", "THREAD_MERGED", "THREAD_SPLIT"},
		Status:  "ACTIVE",
		Filter:  sim.InteractionFilter{Channel: "SOCIAL"},
		Headers: map[string]string{"Content-Type": "application/json", "X-Webhook-Secret": webhookSecret},
	}}
	if diff := cmp.Diff(want, platform.InteractionWebhooks()); diff != "" {
		t.Error(diff)
	}
}

func TestSubscribeNamesTheScope(t *testing.T) {
	c := newClient(t, newSim(), func(c *cxone.Config) { c.Scopes = []string{"messaging:read"} })
	_, err := c.Subscribe(t.Context(), smsStatus(t))
	wantError(t, err, 403, "subscribe sms-status-webhook", "lacks the scope webhooks:manage")
}

func TestSubscribeRepeatsWhatCXoneSays(t *testing.T) {
	platform := newSim()
	platform.Fail(sim.Fault{
		Path: "/api/v2/webhooks", Status: 422,
		Body: `{"errors":[{"field":"callbackUrl","message":"must\nbe public ` + strings.Repeat("x", 500) + `"}]}`,
	})
	_, err := newClient(t, platform).Subscribe(t.Context(), smsStatus(t))
	wantError(t, err, 422, "callbackUrl must be public")
	if n := len(err.Error()); n > 400 {
		t.Errorf("the error is %d bytes long", n)
	}
}

func TestSubscribeNeverRepeatsASecret(t *testing.T) {
	for name, secret := range map[string]func(bearer string) string{
		"Token":         func(bearer string) string { return bearer },
		"WebhookSecret": func(string) string { return webhookSecret },
	} {
		t.Run(name, func(t *testing.T) {
			platform := newSim()
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, bearer, ok := strings.Cut(r.Header.Get("Authorization"), "Bearer "); ok {
					platform.Fail(sim.Fault{Status: 400, Body: `{"message":"bad: ` + secret(bearer) + `"}`})
				}
				platform.ServeHTTP(w, r)
			}))
			_, err := c.Subscribe(t.Context(), smsStatus(t))
			wantError(t, err, 400)
			if strings.Contains(err.Error(), "CXone says") {
				t.Errorf("%q repeats an answer that holds a secret", err)
			}
		})
	}
}

// A call is answered with the token that it was made with, after another call has had that replaced.
func TestReplacedTokenIsNotRepeated(t *testing.T) {
	platform := newThreadSim()
	var c *cxone.Client
	c = newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v2/webhooks" {
			platform.RevokeTokens()
			if _, err := c.Thread(t.Context(), "t-1"); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"message":"bad: `+r.Header.Get("Authorization")+`"}`)
			return
		}
		platform.ServeHTTP(w, r)
	}))
	_, err := c.Subscribe(t.Context(), smsStatus(t))
	wantError(t, err, 400)
	if strings.Contains(err.Error(), "CXone says") || platform.TokenFetches() != 2 {
		t.Errorf("%q repeats a token, of %d", err, platform.TokenFetches())
	}
}

func TestPauseHoldsBackEveryCall(t *testing.T) {
	tests := map[string]struct {
		status     int
		retryAfter string
		pause      time.Duration
	}{
		"Seconds":     {429, "30", 30 * time.Second},
		"Date":        {429, "Sat, 01 Jan 2000 00:01:00 GMT", time.Minute}, // a bubble starts at midnight
		"Capped":      {429, "86400", 5 * time.Minute},
		"Unavailable": {503, "7", 7 * time.Second},
		"Silent":      {429, "", 0},
		"Unreadable":  {429, "soon", 0},
		"Other":       {500, "30", 0},
	}
	for name, tt := range tests {
		for _, path := range []string{"/api/v2/webhooks", "/api/v2/oauth/token"} {
			t.Run(name+path, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testPause(t, path, tt.status, tt.retryAfter, tt.pause) })
			})
		}
	}
}

func testPause(t *testing.T, path string, status int, retryAfter string, pause time.Duration) {
	var requests int
	platform := newSim()
	platform.Fail(sim.Fault{Path: path, Status: status, RetryAfter: retryAfter})
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		platform.ServeHTTP(w, r)
	}))
	_, err := c.Subscribe(t.Context(), smsStatus(t))
	wantError(t, err, status)
	if got := cxone.RetryAfter(err); got != pause {
		t.Errorf("RetryAfter is %s, want %s", got, pause)
	}
	if pause > 0 {
		time.Sleep(pause - time.Second)
		before := requests
		_, err = c.Subscribe(t.Context(), smsStatus(t))
		wantError(t, err, 429, "asks for a pause, which lasts another 1s")
		if got := cxone.RetryAfter(err); got != time.Second {
			t.Errorf("RetryAfter is %s in the pause, want 1s", got)
		}
		wantError(t, c.Check(t.Context()), 429)
		if requests != before {
			t.Error("a call went out during the pause")
		}
		time.Sleep(time.Second)
	}
	if _, err := c.Subscribe(t.Context(), smsStatus(t)); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}
