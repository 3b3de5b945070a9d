package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"

	"github.com/cxbridge/cxbridge/internal/access"
)

// endpoints are all there are, each with what it answers to a caller who may use it.
var endpoints = []struct {
	method, target string
	need           access.Role
	status         int
}{
	{"GET", "/api/messages", access.Viewer, 200},
	{"GET", "/api/messages/m-1", access.Viewer, 200},
	{"GET", "/api/threads", access.Viewer, 200},
	{"GET", "/api/threads/t-1", access.Viewer, 200},
	{"GET", "/api/threads/t-1/timeline", access.Viewer, 200},
	{"GET", "/api/reconcile/t-1", access.Operator, 200},
	{"POST", "/api/reconcile/t-1", access.Operator, 200},
	{"GET", "/api/audit", access.Viewer, 200},
	{"GET", "/api/dead-letters", access.Operator, 200},
	{"GET", "/api/dead-letters/7", access.Operator, 200},
	{"POST", "/api/dead-letters/7/replay", access.Operator, 200},
	{"DELETE", "/api/dead-letters/7", access.Operator, 204},
	{"POST", "/api/dead-letters/replay", access.Operator, 200},
	{"POST", "/api/dead-letters/delete", access.Operator, 200},
	{"GET", "/analytics/delivery", access.Viewer, 200},
	{"GET", "/api/alarms", access.Viewer, 200},
	{"GET", "/api/system", access.Viewer, 200},
	{"POST", "/simulator/sms", access.Operator, 200},
	{"POST", "/simulator/threads", access.Operator, 200},
	{"GET", "/api/metrics", access.Viewer, 200},
	{"GET", "/metrics", access.Viewer, 200},
	{"GET", "/openapi.json", access.Viewer, 200},
	{"GET", "/healthz", access.Anyone, 200},
	{"GET", "/readyz", access.Anyone, 200},
}

// bodies are those of the endpoints that need one.
var bodies = map[string]string{
	"/simulator/threads": `{"scenario":"conversation"}`, "/api/dead-letters/replay": `{}`, "/api/dead-letters/delete": `{}`,
}

func stockedBench() *bench {
	b := newBench()
	b.store.messages["m-1"] = &sms.Message{ID: "m-1", Status: sms.Delivered, Carrier: sms.UnknownCarrier}
	b.store.letters[7] = store.DeadLetter{ID: 7, Kind: store.KindSMS, Reason: "no id", Raw: []byte(`{}`)}
	return b
}

func TestAccess(t *testing.T) {
	callers := []struct {
		name, authorization string
		is                  access.Role
	}{
		{"nobody", "", access.Anyone},
		{"wrong token", "Bearer admin-token-for-test", access.Anyone},
		{"longer token", "Bearer " + adminToken + "x", access.Anyone},
		{"empty token", "Bearer ", access.Anyone},
		{"other scheme", "Basic " + adminToken, access.Anyone},
		{"no scheme", adminToken, access.Anyone},
		{"viewer", "Bearer " + viewerToken, access.Viewer},
		{"viewer in capitals", "BEARER  " + viewerToken + " ", access.Viewer},
		{"operator", "Bearer " + adminToken, access.Operator},
	}
	for _, e := range endpoints {
		b := stockedBench() // only one of the callers can change it
		for _, caller := range callers {
			t.Run(e.method+e.target+" by "+caller.name, func(t *testing.T) {
				r := httptest.NewRequest(e.method, e.target, strings.NewReader(bodies[e.target]))
				if caller.authorization != "" {
					r.Header.Set("Authorization", caller.authorization)
				}
				w := httptest.NewRecorder()
				b.handler(t).ServeHTTP(w, r)
				switch {
				case caller.is >= e.need:
					if w.Code != e.status {
						t.Errorf("status %d, want %d: %s", w.Code, e.status, w.Body)
					}
				case caller.is == access.Anyone:
					wantProblem(t, w, http.StatusUnauthorized)
					if got := w.Header().Get("WWW-Authenticate"); got != "Bearer" {
						t.Errorf("WWW-Authenticate %q", got)
					}
				default:
					wantProblem(t, w, http.StatusForbidden)
				}
				if caller.is < e.need && len(b.store.letters) != 1 {
					t.Error("a caller without the right changed something")
				}
				if caller.is < e.need && b.simulator.calls() != 0 {
					t.Error("a caller without the right simulated something")
				}
			})
		}
	}
}

// A token is asked for before anything else, so that a stranger learns nothing from the answers.
func TestAccessComesFirst(t *testing.T) {
	b := newBench()
	b.store.err = errors.New("not to be asked")
	for _, target := range []string{"/api/dead-letters?limit=0", "/api/dead-letters?cursor=x", "/api/dead-letters/x", "/api/messages/none"} {
		wantProblem(t, b.ask(t, "GET", target, ""), http.StatusUnauthorized)
	}
}

func TestWithoutViewerToken(t *testing.T) {
	b := stockedBench()
	b.ViewerToken = ""
	for _, token := range []string{"", " ", viewerToken} {
		r := httptest.NewRequest("GET", "/api/metrics", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		b.handler(t).ServeHTTP(w, r)
		wantProblem(t, w, http.StatusUnauthorized)
	}
	if w := b.ask(t, "GET", "/api/metrics", adminToken); w.Code != http.StatusOK {
		t.Errorf("operator: %d", w.Code)
	}
}

func TestWithoutAdminToken(t *testing.T) {
	b := newBench()
	b.AdminToken = ""
	if _, err := New(b.Config); err == nil {
		t.Error("an API without an admin token was made")
	}
}

func TestUnknownPaths(t *testing.T) {
	b := newBench()
	for _, target := range []string{
		"/", "/api", "/api/", "/api/nothing", "/api/messages/", "/api/messages/a/b", "/api/messages//a",
		"/api/messages/..", "/api/../metrics", "//", "/api/dead-letters/", "/docs", "/schemas/Message.json",
		"/openapi.yaml", "/openapi", "/metrics/",
	} {
		t.Run(target, func(t *testing.T) {
			wantProblem(t, b.ask(t, "GET", "http://api.example"+target, adminToken), http.StatusNotFound)
		})
	}
}

func TestUnknownMethods(t *testing.T) {
	b := stockedBench()
	for _, e := range endpoints {
		for _, method := range []string{"PUT", "PATCH", "OPTIONS", "BREW"} {
			w := b.ask(t, method, e.target, adminToken)
			wantProblem(t, w, http.StatusMethodNotAllowed)
			if allow := w.Header().Get("Allow"); !strings.Contains(allow, e.method) {
				t.Errorf("%s %s: Allow %q", method, e.target, allow)
			}
		}
	}
	if allow := b.ask(t, "POST", "/api/dead-letters/7", adminToken).Header().Get("Allow"); allow != "GET, HEAD, DELETE" {
		t.Errorf("Allow %q", allow)
	}
}

func TestHead(t *testing.T) {
	server := httptest.NewServer(stockedBench().handler(t))
	defer server.Close()
	answer, err := server.Client().Head(server.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
}

// The second of these made the negotiation of huma panic.
func TestAcceptIsIgnored(t *testing.T) {
	b := newBench()
	for _, accept := range []string{"text/html", "a;,b", "application/cbor", ";", ",", "*/*;q=", "json"} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		b.handler(t).ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d, %s", accept, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestDatabaseErrors(t *testing.T) {
	secret := "postgres://user:hunter2@db.internal/cx"
	for _, test := range []struct {
		name   string
		err    error
		logged bool
	}{
		{"unavailable", fmt.Errorf("%w: dial %s", store.ErrUnavailable, secret), false},
		{"unknown", errors.New("relation missing at " + secret), true},
		{"timeout", context.DeadlineExceeded, true},
	} {
		for _, e := range endpoints[:5] {
			if strings.HasSuffix(e.target, "replay") {
				continue
			}
			t.Run(test.name+e.method+e.target, func(t *testing.T) {
				b := stockedBench()
				b.store.err = test.err
				w := b.ask(t, e.method, e.target, adminToken)
				if detail := wantProblem(t, w, http.StatusServiceUnavailable); detail != "the database is unavailable" {
					t.Errorf("detail %q", detail)
				}
				if got := w.Header().Get("Retry-After"); got != "5" {
					t.Errorf("Retry-After %q", got)
				}
				if strings.Contains(w.Body.String(), "hunter2") {
					t.Errorf("the cause leaked: %s", w.Body)
				}
				if logged := b.log.Len() > 0; logged != test.logged {
					t.Errorf("logged %t: %s", logged, b.log.String())
				}
			})
		}
	}
}

func TestOpenAPI(t *testing.T) {
	w := newBench().ask(t, "GET", "http://api.example/openapi.json", viewerToken)
	document := decode[struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
			Responses   map[string]json.RawMessage
		}
	}](t, w, http.StatusOK)
	if document.OpenAPI != "3.1.0" || document.Info.Version != "test" {
		t.Errorf("document %q, version %q", document.OpenAPI, document.Info.Version)
	}
	if strings.Contains(w.Body.String(), "api.example") {
		t.Error("the document repeats the Host header")
	}
	operations := 0
	for _, path := range document.Paths {
		operations += len(path)
	}
	if webhooks := 2; operations != len(endpoints)+webhooks {
		t.Errorf("%d operations, want %d and %d webhooks", operations, len(endpoints), webhooks)
	}
	for _, e := range endpoints {
		route := strings.NewReplacer("m-1", "{id}", "t-1", "{id}", "7", "{id}").Replace(e.target)
		op, ok := document.Paths[route][strings.ToLower(e.method)]
		if !ok || op.OperationID == "" || len(op.Responses) == 0 {
			t.Errorf("%s %s is not described: %+v", e.method, route, op)
		}
		if got, want := fmt.Sprint(op.Security), fmt.Sprint(security(e.need)); got != want {
			t.Errorf("%s %s: security %s, want %s", e.method, route, got, want)
		}
	}
}
