package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// private is what must never be logged. Each text occurs nowhere else.
var private = map[string]string{
	"first webhook secret":  "whsec_c2VjcmV0LXF1YWdnYS1zZWNyZXQtcXVhZ2dh",
	"second webhook secret": "zebra-webhook-77f1",
	"operator's token":      "okapi-operator-77f2",
	"viewer's token":        "tapir-viewer-77f3",
	"client secret":         "gnu-client-77f4",
	"database password":     "lemur-database-77f5",
	"access token":          "civet-access-77f6",
	"wrong secret":          "dingo-wrong-77f7",
	"wrong token":           "koala-wrong-77f8",
	"sender":                "WOMBAT77F9",
	"message text":          "numbat in the text",
	"recipient":             "2025550188",
	"long number":           "447700900188",
	"raw status":            "QUOLL_77FA",
	"unknown field":         "bilby-77fb",
}

// The log contains none of it, at its most detailed level, whatever goes wrong.
func TestNothingPrivateIsLogged(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	address, err := url.Parse(o.settings["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("postgres", private["database password"])
	all := o.settings.with(settings{
		"DATABASE_URL":   address.String(),
		"WEBHOOK_SECRET": private["first webhook secret"] + "," + private["second webhook secret"],
		"ADMIN_TOKEN":    private["operator's token"], "VIEWER_TOKEN": private["viewer's token"],
		"CXONE_DOMAIN": newParrot(t, private["access token"]), "CXONE_CLIENT_ID": "id",
		"CXONE_CLIENT_SECRET": private["client secret"], "SERVER_URL": "https://bridge.example.com",
		"LOG_LEVEL": "debug",
	})
	p := serve(t, all)
	goThroughEverything(t, p)
	eventually(t, "CXone has refused the subscription", func() bool {
		_, parts := p.ready(t)
		return parts[subscription] == "failing"
	})
	o.stop(t)
	goThroughEverything(t, p)
	eventually(t, "the database is missed", func() bool { return strings.Contains(p.log.String(), "still away") })
	p.kill(t)
	quiet := p.log.String()

	p = serveWithout(t, all.with(settings{"LOG_FORMAT": "text"}))
	goThroughEverything(t, p)
	o.resume(t)
	wantReady(t, p, http.StatusOK, "up", "empty")
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	_, doctor, complaints := finish(t, all, "doctor")
	for name, said := range map[string]string{"log": quiet, "log as text": p.log.String(), "doctor": doctor + complaints} {
		if said == "" {
			t.Errorf("there is no %s", name)
		}
		for what, text := range private {
			if strings.Contains(said, text) {
				t.Errorf("the %s shows the %s", name, what)
			}
		}
	}
}

// goThroughEverything gets the process to answer in every way, with private texts in every place.
func goThroughEverything(t *testing.T, p *process) {
	t.Helper()
	from, to := private["sender"], "+1"+private["recipient"]
	bodies := []string{
		fmt.Sprintf(`{"messageId":"p-1","status":"SENT","from":%q,"to":%q,"x":%q}`, from, to, private["unknown field"]),
		fmt.Sprintf(`{"messageId":"p-2","status":%q,"from":%q,"to":"+%s"}`, private["raw status"], from, private["long number"]),
		fmt.Sprintf(`{"messageId":"p-3","from":%q,"to":%q}`, from, to),
		fmt.Sprintf(`{"messageId":"p-4","status":%q,"from":[%q],"to":{%q:1}}`, private["raw status"]+strings.Repeat("x", 300), from, to),
		fmt.Sprintf(`{"messageId":"p-5","from":%q,"to":%q,`, from, to),
		fmt.Sprintf(`{"from":%q} %q`, from, private["message text"]),
		fmt.Sprintf(`{"smpp":{"short_message":%q,"source_addr":%q,"destination_addr":%q}}`, private["message text"], private["long number"], from),
		fmt.Sprintf(`{"smpp":{"short_message":"id:p-8 stat:DELIVRD text:%s","source_addr":%q,"destination_addr":%q}}`, private["message text"], private["long number"], from),
		fmt.Sprintf(`[{"messageId":"p-9","status":"SENT","to":%q},{"to":%q}]`, to, to),
		fmt.Sprintf(`[{"to":%q}`, to),
		private["message text"],
	}
	first := sim.BySecret(private["first webhook secret"])
	for _, sign := range []sim.Sign{first, sim.BySecret(private["wrong secret"]), sim.ByRequestSignature(private["second webhook secret"]), nil} {
		for _, body := range bodies {
			if _, err := p.send(body, sign); err != nil {
				t.Fatal(err)
			}
		}
	}
	misplaced := func(h http.Header, body []byte, now time.Time) {
		first(h, body, now)
		h.Set("Authorization", "Bearer "+private["wrong token"])
		h.Set("Content-Encoding", private["unknown field"])
	}
	if a, err := p.send(bodies[0], misplaced); err != nil || a.Status != 415 {
		t.Errorf("an unknown encoding: %d, %v", a.Status, err)
	}
	for _, token := range []string{private["operator's token"], private["viewer's token"], private["wrong token"]} {
		for _, path := range []string{"/api/messages/p-1", "/api/dead-letters", "/api/metrics", "/metrics", "/none?token=" + private["wrong token"]} {
			p.call(t, "GET", path, token, nil)
		}
		p.call(t, "POST", "/api/dead-letters/1/replay", token, nil)
	}
}

// newParrot returns the URL of a CXone that repeats in its errors everything that it was sent.
func newParrot(t *testing.T, token string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/api/v2/oauth/token" {
			w.Write([]byte(`{"access_token":` + quoted(token) + `,"token_type":"Bearer","expires_in":3600}`))
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusBadRequest)
		said := r.Header.Get("Authorization") + " " + string(body)
		w.Write([]byte(`{"message":` + quoted(said) + `,"errors":[{"field":"headers","message":` + quoted(said) + `}]}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}
