package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

const (
	clientID     = "e2e-client"
	clientSecret = "d1c2b3a4-client-0e9f8a7b"
	subscription = "cxone sms-status-webhook" // as /readyz calls it
)

// platform is a CXone that can be away. It is at first.
type platform struct {
	*sim.CXone
	url  string
	here atomic.Bool
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{CXone: sim.NewCXone(clientID, clientSecret)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.here.Load() {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// settings are those of a cxbridge that CXone reaches at https://bridge.example.com/inbound.
func (p *platform) settings() settings {
	return settings{
		"CXONE_DOMAIN": p.url, "CXONE_CLIENT_ID": clientID, "CXONE_CLIENT_SECRET": clientSecret,
		"SERVER_URL": "https://bridge.example.com/inbound",
	}
}

func awaitSubscribed(t *testing.T, p *process) {
	t.Helper()
	eventually(t, "CXone has the subscription", func() bool {
		_, parts := p.ready(t)
		return parts[subscription] == "subscribed"
	})
}

// CXone learns where to post and how to prove itself, and what it then posts is accepted.
func TestSubscription(t *testing.T) {
	t.Parallel()
	platform := newPlatform(t)
	platform.here.Store(true)
	s := onSQLite(t)
	configured := s.settings.with(platform.settings()).with(settings{"WEBHOOK_SECRET": webhookSecret + ",another-one-0e9f8a7b"})
	p := serve(t, configured)
	awaitSubscribed(t, p)
	hooks := platform.Webhooks()
	if len(hooks) != 1 {
		t.Fatalf("webhooks %+v", hooks)
	}
	hook := hooks[0]
	if hook.CallbackURL != "https://bridge.example.com/inbound/webhooks/cxone/sms" || hook.HTTPMethod != "POST" || !hook.Enabled ||
		len(hook.EventTypes) != 1 || hook.EventTypes[0] != "messaging.status.update" || hook.Headers["X-Webhook-Secret"] != webhookSecret {
		t.Errorf("the webhook is %+v", hook)
	}
	asCXone := func(h http.Header, _ []byte, _ time.Time) {
		for name, value := range hook.Headers {
			h.Set(name, value)
		}
	}
	if a, err := p.send(`{"eventType":"messaging.status.update","payload":{"messageId":"x","status":"SENT"}}`, asCXone); err != nil || a.Status != 200 {
		t.Errorf("what CXone posts is answered with %d %s, %v", a.Status, a.Text, err)
	}

	// Another start finds the subscription there.
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	awaitSubscribed(t, serve(t, configured))
	if n := len(platform.Webhooks()); n != 1 {
		t.Errorf("%d webhooks after another start", n)
	}
}

// While CXone is away everything else works. The subscription is made when CXone is back.
func TestCXoneIsAwayAtStart(t *testing.T) {
	t.Parallel()
	platform := newPlatform(t)
	p := serve(t, onSQLite(t).settings.with(platform.settings()))
	eventually(t, "the first attempt has failed", func() bool {
		status, parts := p.ready(t)
		if status != 200 {
			t.Fatalf("/readyz: %d", status)
		}
		return parts[subscription] == "failing"
	})
	wantDirect(t, p, `{"messageId":"meanwhile","status":"SENT"}`)
	platform.Fail(sim.Fault{Path: "/api/v2/webhooks", Status: 503, RetryAfter: "1"})
	platform.here.Store(true)
	awaitSubscribed(t, p)
	if hooks := platform.Webhooks(); len(hooks) != 1 {
		t.Errorf("webhooks %+v", hooks)
	}
}
