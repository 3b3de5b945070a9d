package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Several secrets are valid at once, each in every kind of proof, and nobody else gets in.
func TestWhoMayPost(t *testing.T) {
	const older, newer = "0a1b2c3d-older-webhook", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	standard := func(secret string) sim.Sign {
		sign, err := sim.ByStandardWebhooks(secret)
		if err != nil {
			t.Fatal(err)
		}
		return sign
	}
	fromThePast := func(h http.Header, body []byte, now time.Time) { standard(newer)(h, body, now.Add(-6*time.Minute)) }
	ofAnother := func(h http.Header, _ []byte, now time.Time) {
		sim.ByRequestSignature(older)(h, []byte(`{"messageId":"other","status":"SENT"}`), now)
	}
	tests := []struct {
		name string
		sign sim.Sign
		want int
	}{
		{"first secret", sim.BySecret(newer), 200},
		{"second secret", sim.BySecret(older), 200},
		{"Standard Webhooks, base64", standard(newer), 200},
		{"Standard Webhooks, plain", standard(older), 200},
		{"request signature", sim.ByRequestSignature(older), 200},
		{"nothing", nil, 401},
		{"empty secret", sim.BySecret(""), 401},
		{"wrong secret", sim.BySecret(older + "x"), 401},
		{"operator's token", sim.BySecret(adminToken), 401},
		{"Standard Webhooks, wrong secret", standard("another"), 401},
		{"Standard Webhooks, six minutes old", fromThePast, 401},
		{"request signature, wrong secret", sim.ByRequestSignature("another"), 401},
		{"request signature of another body", ofAnother, 401},
	}
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings.with(settings{"WEBHOOK_SECRET": newer + "," + older, "TRUSTED_PROXIES": "127.0.0.1"}))
		accepted := 0
		for i, test := range tests {
			test.sign = sentFrom(fmt.Sprintf("203.0.113.%d", i), test.sign) // an address may fail ten times at once
			a, err := p.send(fmt.Sprintf(`{"messageId":"who-%d","status":"SENT"}`, i), test.sign)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != test.want || a.Acknowledged != (test.want == 200) || (a.Error == "") != (test.want == 200) {
				t.Errorf("%s: %d %s, want %d", test.name, a.Status, a.Text, test.want)
			}
			if test.want == 200 {
				accepted++
				continue
			}
			if a, err := p.send(`{"messageId":`, test.sign); err != nil || a.Status != test.want {
				t.Errorf("%s, malformed: %d %v, want %d", test.name, a.Status, err, test.want)
			}
		}
		if messages, letters := len(s.messages(t)), s.deadLetterCount(t); messages != accepted || letters != 0 {
			t.Errorf("%d messages and %d dead letters, want %d and none", messages, letters, accepted)
		}
	})
}

func TestAnswers(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		good := `{"messageId":"a-1","status":"SENT","timestamp":"2026-03-02T10:00:00Z","from":"72727","to":"+12025550142"}`
		if a := p.post(t, 200, good); a.Text != `{"acknowledged":true,"messageId":"a-1"}` {
			t.Errorf("good: %s", a.Text)
		}
		if a := p.post(t, 200, good); a.Text != `{"acknowledged":true,"messageId":"a-1","duplicate":true}` {
			t.Errorf("duplicate: %s", a.Text)
		}
		flagged := p.post(t, 200, `{"messageId":"a-2","status":"SENT","from":"ACMEDEALS","to":"+12025550142"}`)
		if !flagged.Acknowledged || flagged.ValidationWarning == "" || flagged.Quarantined {
			t.Errorf("flagged: %s", flagged.Text)
		}
		if a := p.post(t, 400, `{"messageId":"a-3","status":`); a.Acknowledged || a.Error == "" {
			t.Errorf("malformed: %s", a.Text)
		}
		if a := p.post(t, 400, `[{"messageId":"a-4","status":"SENT"},`); a.Acknowledged || a.Error == "" {
			t.Errorf("malformed array: %s", a.Text)
		}
		if a := p.post(t, 422, `{"messageId":"a-5","carrier":"ATT"}`); a.Acknowledged || a.MessageID != "a-5" || !strings.Contains(a.Error, "/status") {
			t.Errorf("invalid: %s", a.Text)
		}
		mixed := p.post(t, 200, `[{"messageId":"a-6","status":"SENT"},`+good+`,{"status":"SENT"},7]`)
		if !mixed.Acknowledged || mixed.Accepted != 1 || mixed.Duplicates != 1 || len(mixed.Rejected) != 2 ||
			mixed.Rejected[0].Index != 2 || mixed.Rejected[1].Index != 3 {
			t.Errorf("array: %s", mixed.Text)
		}
		if a := p.post(t, 422, `[{"status":"SENT","n":1},{"status":"SENT","n":2}]`); a.Acknowledged || len(a.Rejected) != 2 {
			t.Errorf("array without a good item: %s", a.Text)
		}
		if n := len(s.messages(t)); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
		if n := s.deadLetterCount(t); n != 7 {
			t.Errorf("%d dead letters, want 7", n)
		}
	})
}

// A request that is too large is refused as a whole, and leaves nothing behind.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	p := serve(t, s.settings)
	items := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"messageId":"item-%d","status":"SENT"}`, i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	if a := p.post(t, 413, items(5001)); a.Error == "" {
		t.Errorf("5001 items: %s", a.Text)
	}
	// The server may hang up before it has read such a body: the sender gets the answer or is cut off.
	large := `{"messageId":"large","status":"SENT","note":"` + strings.Repeat("x", 9<<20) + `"}`
	if a, err := p.send(large, byDefault); err == nil && a.Status != 413 {
		t.Errorf("9 MiB: %d %s", a.Status, a.Text)
	}
	if messages, letters := len(s.messages(t)), s.deadLetterCount(t); messages != 0 || letters != 0 {
		t.Errorf("%d messages and %d dead letters are stored", messages, letters)
	}
	if a := p.post(t, 200, items(5000)); a.Accepted != 5000 {
		t.Errorf("5000 items: %d accepted", a.Accepted)
	}
	if n := len(s.messages(t)); n != 5000 {
		t.Errorf("%d messages, want 5000", n)
	}
}

// A dead letter is seen, replayed and deleted by the operator, and by nobody else.
func TestDeadLetters(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		strict := s.settings.with(settings{"SENDER_ID_POLICY": "quarantine"})
		p := serve(t, strict)
		quarantined := p.post(t, 200, `{"messageId":"d-1","status":"DELIVERED","from":"ACMEDEALS","to":"+12025550142"}`)
		if !quarantined.Acknowledged || !quarantined.Quarantined || quarantined.ValidationWarning == "" {
			t.Errorf("answer %s", quarantined.Text)
		}
		p.post(t, 422, `{"messageId":"d-2"}`)
		letters := p.deadLetters(t)
		if len(letters) != 2 || letters[0].Subject != "d-2" || letters[1].Subject != "d-1" {
			t.Fatalf("dead letters %+v", letters)
		}
		path := func(l deadLetter) string { return fmt.Sprintf("/api/dead-letters/%d", l.ID) }
		for token, want := range map[string]int{"": 401, webhookSecret: 401, viewerToken: 403} {
			for _, l := range letters {
				if got := p.call(t, "POST", path(l)+"/replay", token, nil); got != want {
					t.Errorf("replay with the token %q: %d, want %d", token, got, want)
				}
				if got := p.call(t, "DELETE", path(l), token, nil); got != want {
					t.Errorf("delete with the token %q: %d, want %d", token, got, want)
				}
			}
			if got := p.call(t, "GET", "/api/dead-letters", token, nil); got != want {
				t.Errorf("list with the token %q: %d, want %d", token, got, want)
			}
		}
		for _, l := range letters {
			if got := p.call(t, "POST", path(l)+"/replay", adminToken, nil); got != 422 {
				t.Errorf("replay of what is still wrong: %d", got)
			}
		}

		// The operator changes the policy; what was quarantined by it goes through now.
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		p = serve(t, s.settings)
		var replayed struct {
			Replayed  bool
			MessageID string
		}
		if got := p.call(t, "POST", path(letters[1])+"/replay", adminToken, &replayed); got != 200 || !replayed.Replayed || replayed.MessageID != "d-1" {
			t.Errorf("replay: %d %+v", got, replayed)
		}
		if m, found := p.message(t, "d-1"); !found || m.Status != "DELIVERED" || m.Compliance != "violation" {
			t.Errorf("the message is %+v", m)
		}
		if left := p.deadLetters(t); len(left) != 1 || left[0].ID != letters[0].ID || left[0].Replays != 1 {
			t.Errorf("dead letters left: %+v", left)
		}
		if got := p.call(t, "DELETE", path(letters[0]), adminToken, nil); got != 204 {
			t.Errorf("delete: %d", got)
		}
		if got := p.call(t, "DELETE", path(letters[0]), adminToken, nil); got != 404 {
			t.Errorf("delete again: %d", got)
		}
		if n := s.deadLetterCount(t); n != 0 {
			t.Errorf("%d dead letters are left", n)
		}
	})
}

// Without a token nothing can be read except whether the process lives and is ready.
func TestWhoMayRead(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	p.post(t, 200, `{"messageId":"read","status":"SENT"}`)
	for _, path := range []string{"/api/messages/read", "/api/metrics", "/metrics", "/openapi.json"} {
		for token, want := range map[string]int{"": 401, "wrong": 401, webhookSecret: 401, viewerToken: 200, adminToken: 200} {
			if got := p.call(t, "GET", path, token, nil); got != want {
				t.Errorf("%s with the token %q: %d, want %d", path, token, got, want)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := p.call(t, "GET", path, "", nil); got != 200 {
			t.Errorf("%s: %d", path, got)
		}
	}
}

// sentFrom is sign for requests that come from an address through a proxy.
func sentFrom(address string, sign sim.Sign) sim.Sign {
	return func(h http.Header, body []byte, now time.Time) {
		h.Set("X-Forwarded-For", address)
		if sign != nil {
			sign(h, body, now)
		}
	}
}
