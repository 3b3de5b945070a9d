package cxone_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientID      = "client/id"
	clientSecret  = "s3cr=t&+%"
	webhookSecret = "hook secret"
)

// inProcess carries requests to a handler without a network, so that time in a synctest bubble
// stands still while one is under way.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// newClient returns a client of the handler. Each change is made to its settings.
func newClient(t *testing.T, h http.Handler, changes ...func(*cxone.Config)) *cxone.Client {
	t.Helper()
	config := cxone.Config{
		BaseURL: "cxone.test", ClientID: clientID, ClientSecret: clientSecret,
		ServerURL: "https://bridge.test/base/", WebhookSecret: webhookSecret,
		HTTP: &http.Client{Transport: inProcess{h}},
	}
	for _, change := range changes {
		change(&config)
	}
	c, err := cxone.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newSim() *sim.CXone { return sim.NewCXone(clientID, clientSecret) }

// smsStatus is the subscription to SMS receipts.
func smsStatus(t *testing.T) cxone.Subscription { return subscription(t, "sms-status-webhook") }

func subscription(t *testing.T, name string) cxone.Subscription {
	t.Helper()
	for _, s := range cxone.Subscriptions() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no subscription %s", name)
	return cxone.Subscription{}
}

// wantError checks that err is an *Error of the status whose text holds all the words, and none of
// the secrets.
func wantError(t *testing.T, err error, status int, words ...string) {
	t.Helper()
	var e *cxone.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Status != status {
		t.Errorf("status %d, want %d: %v", e.Status, status, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	for _, secret := range []string{clientSecret, webhookSecret} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q reveals a secret", err)
		}
	}
}
