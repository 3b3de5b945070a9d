package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/console"
	simulation "github.com/cxbridge/cxbridge/internal/simulator"
)

// caller is who knocks at a door, and with what.
type caller int

const (
	nobody caller = iota
	guesser
	webhookSender // with the webhook secret
	viewer
	operator
	viewerCookie
	operatorCookie
	expiredCookie
	forgedCookie
	callers
)

func (c caller) String() string {
	return [...]string{"nobody", "a wrong token and secret", "the webhook secret", "the viewer's token", "the operator's token",
		"the viewer's session", "the operator's session", "a session that is over", "a forged session"}[c]
}

// door is an endpoint, and what each caller gets there.
type door struct {
	endpoint string // method and pattern
	path     string // to ask for; "" is that of the pattern
	body     string
	answers  [callers]int
}

// The kinds of doors. The API is open to bearers of a token alone. The console shows its pages to them, too,
// but lets only sessions act.
var (
	open       = [callers]int{200, 200, 200, 200, 200, 200, 200, 200, 200}
	forViewer  = [callers]int{401, 401, 401, 200, 200, 401, 401, 401, 401}
	forReader  = [callers]int{303, 401, 303, 200, 200, 200, 200, 303, 303} // a page
	forManager = [callers]int{303, 401, 303, 403, 200, 403, 200, 303, 303} // a page of the operator
	forSender  = [callers]int{401, 401, 400, 401, 401, 401, 401, 401, 401} // an empty body from the right sender
)

// forOperator is an operation of the operator, who gets a status.
func forOperator(status int) [callers]int {
	return [callers]int{401, 401, 401, 403, status, 401, 401, 401, 401}
}

// byOperator is an action of the console, which the operator gets a status from.
func byOperator(status int) [callers]int {
	return [callers]int{401, 401, 401, 401, 401, 403, status, 401, 401}
}

// insteadOf returns the answers with one of the statuses in place of 200.
func insteadOf(answers [callers]int, status int) [callers]int {
	for i, a := range answers {
		if a == 200 {
			answers[i] = status
		}
	}
	return answers
}

// doors is every endpoint there is. What the operator may change is not there, so nothing is changed.
var doors = []door{
	{endpoint: "POST /webhooks/cxone/sms", answers: forSender},
	{endpoint: "POST /api/webhooks/cxone-threads", answers: forSender},

	{endpoint: "GET /healthz", answers: open},
	{endpoint: "GET /readyz", answers: open},
	{endpoint: "GET /metrics", answers: forViewer},
	{endpoint: "GET /openapi.json", answers: forViewer},
	{endpoint: "GET /analytics/delivery", answers: forViewer},
	{endpoint: "GET /api/alarms", answers: forViewer},
	{endpoint: "GET /api/audit", answers: forViewer},
	{endpoint: "GET /api/messages", path: "/api/messages?to=%2B12025550188", answers: forViewer},
	{endpoint: "GET /api/messages/{id}", answers: insteadOf(forViewer, 404)},
	{endpoint: "GET /api/metrics", answers: forViewer},
	{endpoint: "GET /api/system", answers: forViewer},
	{endpoint: "GET /api/threads", answers: forViewer},
	{endpoint: "GET /api/threads/{id}", answers: insteadOf(forViewer, 404)},
	{endpoint: "GET /api/threads/{id}/timeline", answers: insteadOf(forViewer, 404)},
	{endpoint: "GET /api/dead-letters", answers: forOperator(200)},
	{endpoint: "GET /api/dead-letters/{id}", path: "/api/dead-letters/7", answers: forOperator(404)},
	{endpoint: "DELETE /api/dead-letters/{id}", path: "/api/dead-letters/7", answers: forOperator(404)},
	{endpoint: "POST /api/dead-letters/{id}/replay", path: "/api/dead-letters/7/replay", answers: forOperator(404)},
	{endpoint: "POST /api/dead-letters/replay", body: `{}`, answers: forOperator(200)},
	{endpoint: "POST /api/dead-letters/delete", body: `{}`, answers: forOperator(200)},
	{endpoint: "GET /api/reconcile/{id}", answers: forOperator(502)}, // there is no CXone
	{endpoint: "POST /api/reconcile/{id}", answers: forOperator(502)},
	{endpoint: "POST /simulator/sms", body: `{"count":0}`, answers: forOperator(422)},
	{endpoint: "POST /simulator/threads", body: `{}`, answers: forOperator(422)},

	{endpoint: "GET /login", answers: open},
	{endpoint: "POST /login", answers: insteadOf(open, 401)}, // without a token in the form
	{endpoint: "POST /logout", answers: insteadOf(open, 303)},
	{endpoint: "GET /static/console.css", answers: open},
	{endpoint: "GET /static/console.js", answers: open},
	{endpoint: "GET /static/icon.svg", answers: open},
	{endpoint: "GET /static/threads.css", answers: open},
	{endpoint: "GET /static/workshop.css", answers: open},
	// What streams would not end; here the page that is to stream is none.
	{endpoint: "GET /live", path: "/live?page=/none", answers: [callers]int{401, 401, 401, 404, 404, 404, 404, 401, 401}},
	{endpoint: "GET /{$}", path: "/", answers: forReader},
	{endpoint: "GET /carriers", answers: forReader},
	{endpoint: "GET /carriers.csv", answers: forReader},
	{endpoint: "GET /messages", answers: forReader},
	{endpoint: "GET /messages/{id...}", path: "/messages/none", answers: insteadOf(forReader, 404)},
	{endpoint: "GET /threads", answers: forReader},
	{endpoint: "GET /threads/{id...}", path: "/threads/none", answers: insteadOf(forReader, 404)},
	{endpoint: "POST /threads/wake", answers: byOperator(409)},
	{endpoint: "POST /threads/reconcile", answers: byOperator(409)}, // there is no CRM,
	{endpoint: "GET /system", answers: forReader},
	{endpoint: "GET /docs/api", answers: forReader},
	{endpoint: "GET /docs/openapi.json", answers: forReader},
	{endpoint: "GET /dead-letters", answers: forManager},
	{endpoint: "GET /dead-letters/{id}", path: "/dead-letters/7", answers: insteadOf(forManager, 404)},
	{endpoint: "POST /dead-letters/{id}/replay", path: "/dead-letters/7/replay", answers: byOperator(404)},
	{endpoint: "POST /dead-letters/{id}/delete", path: "/dead-letters/7/delete", answers: byOperator(404)},
	{endpoint: "GET /dead-letters/replay-all", answers: forManager},
	{endpoint: "POST /dead-letters/replay-all", answers: byOperator(303)},
	{endpoint: "GET /dead-letters/delete-all", answers: forManager},
	{endpoint: "POST /dead-letters/delete-all", answers: byOperator(303)},
	{endpoint: "GET /simulator", answers: forManager},
	{endpoint: "POST /simulator/make/receipts", body: "count=0", answers: byOperator(422)},
	{endpoint: "POST /simulator/make/threads", answers: byOperator(422)},
	{endpoint: "POST /simulator/make/ready/{recipe}", answers: byOperator(404)},
}

// endpoints lists what the process says it has, and what the console serves.
func endpoints(t *testing.T, p *process) (all []string) {
	t.Helper()
	var text json.RawMessage
	if status := p.call(t, http.MethodGet, "/openapi.json", viewerToken, &text); status != http.StatusOK {
		t.Fatalf("the description: %d", status)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for path, operations := range document.Paths {
		for method := range operations {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	pages, err := console.New(console.Config{AdminToken: adminToken, OpenAPI: text, Simulator: new(simulation.Simulator)})
	if err != nil {
		t.Fatal(err)
	}
	return append(all, pages.Routes()...)
}

// Every endpoint answers every caller as the table says, and the table has every endpoint.
func TestEveryDoor(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings.with(settings{"SIMULATOR": "true", "TRUSTED_PROXIES": "127.0.0.1"}))
	all := endpoints(t, p)
	var listed []string
	for _, d := range doors {
		listed = append(listed, d.endpoint)
	}
	slices.Sort(all)
	slices.Sort(listed)
	for _, endpoint := range all {
		if !slices.Contains(listed, endpoint) {
			t.Errorf("%s is not in the table", endpoint)
		}
	}
	for _, endpoint := range listed {
		if !slices.Contains(all, endpoint) {
			t.Errorf("%s is in the table, and is not there", endpoint)
		}
	}
	credentials := credentialsOf(t, p)
	knocks := 0
	for _, d := range doors {
		method, _, _ := strings.Cut(d.endpoint, " ")
		for who := range callers {
			// Each is another client, so that no guess is one too many.
			knocks++
			client := fmt.Sprintf("10.%d.%d.1", knocks/250, knocks%250)
			d.knock(t, p, method, who, credentials[who], client)
			if method == http.MethodGet {
				d.knock(t, p, http.MethodHead, who, credentials[who], client)
			}
		}
	}
}

// knock asks for the door, and wants what the table says: HEAD is answered as GET is.
func (d *door) knock(t *testing.T, p *process, method string, who caller, authenticate func(*http.Request), from string) {
	t.Helper()
	request := d.request(t, p)
	request.Method = method
	authenticate(request)
	request.Header.Set("X-Forwarded-For", from)
	response, err := p.client.Transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != d.answers[who] {
		t.Errorf("%s by %s with %v: status %d, want %d", d.endpoint, method, who, response.StatusCode, d.answers[who])
	}
	if (who == viewer || who == operator) && response.Header.Get("Set-Cookie") != "" && d.endpoint != "POST /logout" {
		t.Errorf("%s by %s with %v: a cookie", d.endpoint, method, who)
	}
	wantSafeHeaders(t, *d, response)
}

// Every path refuses a method that it does not have, and says which it has.
func TestOtherMethods(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings.with(settings{"SIMULATOR": "true"}))
	for _, d := range doors {
		request := d.request(t, p)
		request.Method = http.MethodPatch
		response, err := p.client.Transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		method, _, _ := strings.Cut(d.endpoint, " ")
		if allowed := response.Header.Get("Allow"); response.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(allowed, method) {
			t.Errorf("PATCH of %s: status %d, allowed are %q", d.endpoint, response.StatusCode, allowed)
		}
	}
}

// request asks for the door, with ids that do not exist.
func (d *door) request(t *testing.T, p *process) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(d.endpoint, " ")
	if d.path != "" {
		path = d.path
	}
	path = strings.NewReplacer("{id}", "none", "{recipe}", "none").Replace(path)
	request, err := http.NewRequest(method, p.address+path, strings.NewReader(d.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost && !strings.HasPrefix(d.body, "{") {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return request
}

// wantSafeHeaders wants the headers that prevent an answer from being cached or treated as another type.
func wantSafeHeaders(t *testing.T, d door, response *http.Response) {
	t.Helper()
	h := response.Header
	if strings.Contains(d.endpoint, "webhooks/") {
		return // no browser is to read their answers
	}
	if h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: its type may be guessed", d.endpoint)
	}
	if cache := h.Get("Cache-Control"); cache != "no-store" && !strings.Contains(d.endpoint, "/static/") {
		t.Errorf("%s: Cache-Control %q", d.endpoint, cache)
	}
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") && h.Get("Content-Security-Policy") == "" {
		t.Errorf("%s: a page without a policy", d.endpoint)
	}
}

// credentialsOf returns what each caller puts into a request.
func credentialsOf(t *testing.T, p *process) [callers]func(*http.Request) {
	t.Helper()
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	session := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "cxbridge_session", Value: text}) }
	}
	over, ok := access.NewSessions(adminToken, viewerToken).SignIn(adminToken, time.Now().Add(-access.SessionLength-time.Minute))
	if !ok {
		t.Fatal("no session")
	}
	forged, ok := access.NewSessions("another-token", viewerToken).SignIn("another-token", time.Now())
	if !ok {
		t.Fatal("no session")
	}
	return [callers]func(*http.Request){
		nobody: func(*http.Request) {},
		guesser: func(r *http.Request) {
			bearer("wrong")(r)
			r.Header.Set("X-Webhook-Secret", "wrong")
		},
		webhookSender:  func(r *http.Request) { r.Header.Set("X-Webhook-Secret", webhookSecret) },
		viewer:         bearer(viewerToken),
		operator:       bearer(adminToken),
		viewerCookie:   session(p.signIn(t, viewerToken)),
		operatorCookie: session(p.signIn(t, adminToken)),
		expiredCookie:  session(over),
		forgedCookie:   session(forged),
	}
}

// signIn signs in with a token and returns the session.
func (p *process) signIn(t testing.TB, token string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: patience, Transport: p.client.Transport}
	response, err := client.PostForm(p.address+"/login", url.Values{"token": {token}, "next": {"/login"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	address, err := url.Parse(p.address)
	if err != nil {
		t.Fatal(err)
	}
	cookies := jar.Cookies(address)
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0].Value
}
