package sim_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// exchange sends a request to the fake and returns its status and its answer.
func exchange(t *testing.T, c *sim.CXone, method, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	var answer map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("the answer is not JSON: %s", w.Body)
		}
	}
	return w.Code, answer
}

// form sends a token request.
func form(t *testing.T, c *sim.CXone, pairs ...string) (int, map[string]any) {
	t.Helper()
	values := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return exchange(t, c, "POST", "/api/v2/oauth/token", values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// bearer fetches a token with the scopes and returns the header that carries it.
func bearer(t *testing.T, c *sim.CXone, scopes string) string {
	t.Helper()
	status, answer := form(t, c, "grant_type", "client_credentials", "client_id", "id", "client_secret", "secret", "scope", scopes)
	if status != 200 {
		t.Fatalf("no token: %d %v", status, answer)
	}
	return "Bearer " + answer["access_token"].(string)
}

func TestCXoneTokens(t *testing.T) {
	c := sim.NewCXone("id", "secret")
	tests := []struct {
		name   string
		form   []string
		status int
		want   map[string]any // "access_token" left out
	}{
		{"Good", []string{"grant_type", "client_credentials", "client_id", "id", "client_secret", "secret", "scope", "messaging:read"},
			200, map[string]any{"token_type": "Bearer", "scope": "messaging:read", "expires_in": 3600.}},
		{"NoGrant", []string{"client_id", "id"}, 400, map[string]any{"error": "invalid_request"}},
		{"OtherGrant", []string{"grant_type", "password"}, 400, map[string]any{"error": "unsupported_grant_type"}},
		{"Stranger", []string{"grant_type", "client_credentials", "client_id", "id", "client_secret", "guess"},
			401, map[string]any{"error": "invalid_client"}},
		{"OtherScope", []string{"grant_type", "client_credentials", "client_id", "id", "client_secret", "secret", "scope", "everything"},
			400, map[string]any{"error": "invalid_scope"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := form(t, c, tt.form...)
			if token, _ := answer["access_token"].(string); (token != "") != (tt.status == 200) {
				t.Errorf("the token is %q", token)
			}
			delete(answer, "access_token")
			if diff := cmp.Diff(tt.want, answer); status != tt.status || diff != "" {
				t.Errorf("status %d\n%s", status, diff)
			}
		})
	}
	if n := c.TokenFetches(); n != len(tests) {
		t.Errorf("%d token fetches, want %d", n, len(tests))
	}
}

func TestCXoneTokenRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sim.NewCXone("id", "secret")
		c.SetTokenLife(time.Minute)
		auth := bearer(t, c, "webhooks:read")
		for _, want := range []int{200, 401} {
			if status, _ := exchange(t, c, "GET", "/api/v2/webhooks", "", "Authorization", auth); status != want {
				t.Errorf("status %d, want %d", status, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

const goodWebhook = `{"name":"n","callbackUrl":"https://bridge.test/in","eventTypes":["messaging.status.update"],
	"httpMethod":"POST","headers":{"X-Webhook-Secret":"s"},"enabled":true}`

func TestCXoneWebhooks(t *testing.T) {
	c := sim.NewCXone("id", "secret")
	manage, read := bearer(t, c, "webhooks:manage"), bearer(t, c, "webhooks:read")
	change := func(old, new string) string { return strings.Replace(goodWebhook, old, new, 1) }
	tests := []struct {
		name, auth, body string
		status           int
	}{
		{"Stranger", "Bearer guess", goodWebhook, 401},
		{"NoToken", "", goodWebhook, 401},
		{"OtherScope", read, goodWebhook, 403},
		{"NoJSON", manage, `{`, 400},
		{"UnknownField", manage, change(`"name"`, `"nom"`), 400},
		{"OwnID", manage, change(`"name"`, `"id":"x","name"`), 400},
		{"NoName", manage, change(`"n"`, `""`), 400},
		{"NoURL", manage, change(`https://bridge.test/in`, `/in`), 400},
		{"NoEvents", manage, change(`"messaging.status.update"`, ``), 400},
		{"OtherEvents", manage, change(`messaging.status.update`, `all`), 400},
		{"OtherMethod", manage, change(`POST`, `GET`), 400},
		{"Good", manage, goodWebhook, 201},
		{"Again", manage, goodWebhook, 409},
		{"SameName", manage, change(`/in`, `/other`), 409},
		{"SameURL", manage, change(`"n"`, `"m"`), 409},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := exchange(t, c, "POST", "/api/v2/webhooks", tt.body, "Authorization", tt.auth)
			if status != tt.status {
				t.Errorf("status %d, want %d: %v", status, tt.status, answer)
			}
		})
	}
	want := []sim.Webhook{{
		ID: "wh-0001", Name: "n", CallbackURL: "https://bridge.test/in", EventTypes: []string{"messaging.status.update"},
		HTTPMethod: "POST", Headers: map[string]string{"X-Webhook-Secret": "s"}, Enabled: true,
	}}
	if diff := cmp.Diff(want, c.Webhooks()); diff != "" {
		t.Error(diff)
	}
	status, answer := exchange(t, c, "GET", "/api/v2/webhooks", "", "Authorization", read)
	if list, _ := answer["webhooks"].([]any); status != 200 || len(list) != 1 {
		t.Errorf("got %d %v", status, answer)
	}
}

func TestCXoneFaults(t *testing.T) {
	c := sim.NewCXone("id", "secret")
	auth := bearer(t, c, "webhooks:read")
	c.Fail(sim.Fault{Path: "/elsewhere", Status: 500})
	c.Fail(sim.Fault{Path: "/api/v2/webhooks", Times: 2, Status: 503, RetryAfter: "9"})
	c.Fail(sim.Fault{Status: 302, Location: "https://evil.test/"})
	for _, want := range []http.Header{
		{"Retry-After": {"9"}}, {"Retry-After": {"9"}}, {"Location": {"https://evil.test/"}}, {"Content-Type": {"application/json"}},
	} {
		r := httptest.NewRequest("GET", "/api/v2/webhooks", nil)
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if diff := cmp.Diff(want, w.Header()); diff != "" {
			t.Errorf("status %d\n%s", w.Code, diff)
		}
	}
}
