package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/simulator"
	"github.com/cxbridge/cxbridge/internal/webhook"
)

// fakeSimulator keeps what it was asked for.
type fakeSimulator struct {
	err     error
	sms     []simulator.SMS
	stories []simulator.Story
}

func (f *fakeSimulator) SMS(_ context.Context, ask simulator.SMS) (simulator.Posted, error) {
	f.sms = append(f.sms, ask)
	posted := simulator.Posted{Events: ask.Count, Spooled: 1, Quarantined: 2}
	for i := range ask.Count {
		posted.IDs = append(posted.IDs, fmt.Sprintf("SIM/%d", i))
	}
	return posted, f.err
}

func (f *fakeSimulator) Story(_ context.Context, ask simulator.Story) (simulator.Posted, error) {
	f.stories = append(f.stories, ask)
	return simulator.Posted{IDs: []string{"t-1", "t-2"}, Events: 9}, f.err
}

// submitForm posts a form, as the bearer of a token.
func (b *bench) submitForm(t *testing.T, path, form, token string) *httptest.ResponseRecorder {
	t.Helper()
	c := b.console(t)
	r := httptest.NewRequest("POST", path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(signedIn(t, c, token))
	return ask(c, r)
}

// makeTraffic posts a form as the operator, and returns the address that it leads to and the page there.
func (b *bench) makeTraffic(t *testing.T, path, form string) (location, page string) {
	t.Helper()
	c := b.console(t)
	session := signedIn(t, c, adminToken)
	r := httptest.NewRequest("POST", makePath+"/"+path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(session)
	answer := ask(c, r)
	location = answer.Header().Get("Location")
	if answer.Code != http.StatusSeeOther || location == "" {
		t.Fatalf("%s %s: %d %s", path, form, answer.Code, answer.Body)
	}
	r = httptest.NewRequest("GET", location, nil)
	r.AddCookie(session)
	for _, cookie := range answer.Result().Cookies() {
		r.AddCookie(cookie)
	}
	return location, ask(c, r).Body.String()
}

func TestSimulatorForms(t *testing.T) {
	for _, test := range []struct {
		path, form string
		sms        []simulator.SMS
		stories    []simulator.Story
	}{
		{path: "receipts", form: "", sms: []simulator.SMS{{Count: 1}}},
		{path: "receipts", form: "status=&carrier=&region=&count=", sms: []simulator.SMS{{Count: 1}}},
		{path: "receipts", form: "status=FAILED&carrier=+O2+UK+&region=GB&count=1000", sms: []simulator.SMS{{Status: "FAILED", Carrier: "O2 UK", Region: "GB", Count: 1000}}},
		{path: "threads", form: "scenario=merge&seed=7&size=8", stories: []simulator.Story{{Scenario: simulator.Merge, Seed: 7, Size: 8}}},
		{path: "threads", form: "scenario=storm&seed=9007199254740991&size=", stories: []simulator.Story{{Scenario: simulator.Storm, Seed: simulator.MaxSeed, Size: 100}}},
		{path: "ready/bad-carrier", sms: []simulator.SMS{
			{Status: "FAILED", Carrier: "BADROUTE", Region: "GB", Count: 67}, {Status: "DELIVERED", Carrier: "BADROUTE", Region: "GB", Count: 133},
		}},
	} {
		b, fake := newBench(), new(fakeSimulator)
		b.Simulator = fake
		w := b.submitForm(t, makePath+"/"+test.path, test.form, adminToken)
		if w.Code != http.StatusSeeOther {
			t.Errorf("%s %s: %d %s", test.path, test.form, w.Code, w.Body)
		}
		if diff := cmp.Diff(test.sms, fake.sms) + cmp.Diff(test.stories, fake.stories); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.path, test.form, diff)
		}
	}
}

// A story without a seed is a new one, and the page tells its seed.
func TestSimulatorDrawsASeed(t *testing.T) {
	b, fake := newBench(), new(fakeSimulator)
	b.Simulator = fake
	_, page := b.makeTraffic(t, "ready/storm", "")
	if got := fake.stories[0]; got.Scenario != simulator.Storm || got.Seed == 0 || got.Size != 100 {
		t.Errorf("asked for %+v", got)
	}
	want(t, page, "9 events are durable.", fmt.Sprintf("<code>%d</code>", fake.stories[0].Seed), `href="/threads/t-1"`, `href="/threads/t-2"`)
}

func TestSimulatorTellsWhatWasMade(t *testing.T) {
	b := newBench()
	b.Simulator = new(fakeSimulator)
	location, page := b.makeTraffic(t, "receipts", "count=300&carrier=%3Cb%3EBT")
	if n := len(location); n > 2000 {
		t.Errorf("a URL of %d bytes", n)
	}
	want(t, page, "300 receipts are durable.", "2 of them are kept as dead letters", "1 of them waits in the spool",
		`href="/messages/SIM%2F0"`, `href="/messages/SIM%2F11"`, "and 288 more", "&lt;b&gt;BT", `href="/carriers?carrier=%3Cb%3EBT&amp;window=1h"`)
	wantNot(t, page, "SIM%2F12")
}

func TestSimulatorRefuses(t *testing.T) {
	for path, forms := range map[string][]string{
		"receipts": {"status=LOST", "region=ZZ", "count=0", "count=1001", "count=x", "count=1.5", "carrier=" + strings.Repeat("x", 65), "carrier=%C3%BC", "carrier=a%00b"},
		"threads": {"", "scenario=flood", "scenario=storm&size=1", "scenario=storm&size=501", "scenario=storm&seed=-1",
			"scenario=storm&seed=9007199254740992", "scenario=storm&seed=99999999999999999999"},
		"ready/flood": {""},
	} {
		for _, form := range forms {
			b, fake := newBench(), new(fakeSimulator)
			b.Simulator = fake
			status := http.StatusUnprocessableEntity
			if path == "ready/flood" {
				status = http.StatusNotFound
			}
			if w := b.submitForm(t, makePath+"/"+path, form, adminToken); w.Code != status {
				t.Errorf("%s %q: %d", path, form, w.Code)
			}
			if len(fake.sms)+len(fake.stories) > 0 {
				t.Errorf("%s %q was simulated", path, form)
			}
		}
	}
}

func TestSimulatorErrors(t *testing.T) {
	b := newBench()
	b.Simulator = &fakeSimulator{err: &simulator.BusyError{Accepted: 3, Events: 200, RetryAfter: time.Second}}
	w := b.submitForm(t, makePath+"/ready/mixed", "", adminToken)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "it took 3 of 200") || b.log.Len() > 0 {
		t.Errorf("busy: %d %s, log %s", w.Code, w.Body, b.log.String())
	}
	b.Simulator = &fakeSimulator{err: errors.New("a fault")}
	w = b.submitForm(t, makePath+"/ready/mixed", "", adminToken)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "a fault") || b.log.Len() == 0 {
		t.Errorf("a fault: %d %s", w.Code, w.Body)
	}
}

func TestSimulatorIsForOperators(t *testing.T) {
	b, fake := newBench(), new(fakeSimulator)
	b.Simulator = fake
	if w := b.get(t, simulatorPath, viewerToken); w.Code != http.StatusForbidden {
		t.Errorf("a viewer gets %d", w.Code)
	}
	for _, path := range []string{"receipts", "threads", "ready/storm"} {
		if w := b.submitForm(t, makePath+"/"+path, "scenario=storm", viewerToken); w.Code != http.StatusForbidden || len(fake.sms)+len(fake.stories) > 0 {
			t.Errorf("a viewer who posts %s gets %d", path, w.Code)
		}
	}
	want(t, b.get(t, "/", adminToken).Body.String(), `href="/simulator"`)
	wantNot(t, b.get(t, "/", viewerToken).Body.String(), `href="/simulator"`)

	// What is the API's stays the API's, and what is off is not there.
	c := b.console(t)
	for _, path := range []string{"/simulator/sms", "/simulator/threads"} {
		if c.Serves(httptest.NewRequest("POST", path, nil)) {
			t.Errorf("%s is the API's", path)
		}
	}
	b.Simulator = nil
	if b.console(t).Serves(httptest.NewRequest("GET", simulatorPath, nil)) {
		t.Error("a simulator that is off has a page")
	}
	wantNot(t, b.get(t, "/", adminToken).Body.String(), `href="/simulator"`)
}

// Through the real intake: what a button makes is in the database, and its links lead to it.
func TestSimulatorOnSQLite(t *testing.T) {
	secrets, err := webhook.NewSecrets("secret-for-tests")
	if err != nil {
		t.Fatal(err)
	}
	gate := webhook.NewGate(webhook.Options{Secrets: secrets})
	var w *world
	w = newWorld(t, func(c *Config) {
		c.Simulator = &simulator.Simulator{
			Receipts: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { gate.SMS(w.in).ServeHTTP(rw, r) }),
			Threads:  http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { gate.Threads(w.in, nil).ServeHTTP(rw, r) }),
			Secret:   "secret-for-tests",
		}
	})
	for recipe, list := range map[string]string{"bad-carrier": "/messages/SIM-", "merge": "/threads/", "split": "/threads/"} {
		made := w.get(t, adminToken, w.post(t, makePath+"/ready/"+recipe).String(), http.StatusOK)
		_, made, _ = strings.Cut(made, `id="made"`)
		path, _, _ := strings.Cut(made[strings.Index(made, `href="`+list)+len(`href="`):], `"`)
		w.get(t, viewerToken, path, http.StatusOK)
	}
	tallies, err := w.db.Tally(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int64)
	for _, one := range tallies {
		count[one.Carrier+" "+one.Region+" "+one.Status.String()] += one.Messages
	}
	if diff := cmp.Diff(map[string]int64{"BADROUTE GB DELIVERED": 133, "BADROUTE GB FAILED": 67}, count); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want(t, w.get(t, adminToken, "/messages?"+url.Values{"q": {"SIM-none"}}.Encode(), http.StatusOK), "No message has this id")
}
