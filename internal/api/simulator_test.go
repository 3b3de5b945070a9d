package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/simulator"
)

func (b *bench) simulate(t *testing.T, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.handler(t).ServeHTTP(w, r)
	return w
}

func TestSimulateSMS(t *testing.T) {
	for _, test := range []struct {
		body   string
		ask    simulator.SMS
		posted simulator.Posted
		want   string
	}{
		{"", simulator.SMS{Count: 1}, simulator.Posted{IDs: []string{"a"}, Events: 1}, `{"success":true,"simulatedMessageId":"a"}`},
		{"{}", simulator.SMS{Count: 1}, simulator.Posted{IDs: []string{"a"}, Events: 1}, `{"success":true,"simulatedMessageId":"a"}`},
		{
			`{"status":"FAILED","carrier":"O2 UK","region":"UK","count":2}`,
			simulator.SMS{Status: "FAILED", Carrier: "O2 UK", Region: "UK", Count: 2},
			simulator.Posted{IDs: []string{"a", "b"}, Events: 2, Spooled: 1, Quarantined: 1},
			`{"success":true,"simulatedMessageId":"a","count":2,"simulatedMessageIds":["a","b"],"queuedForRetry":true,"quarantined":1}`,
		},
		{
			`{"status":"UNDELIV","carrier":"","region":"ca"}`, simulator.SMS{Status: "UNDELIV", Region: "ca", Count: 1},
			simulator.Posted{IDs: []string{"a"}, Events: 1}, `{"success":true,"simulatedMessageId":"a"}`,
		},
		{
			`{"status":"not a status, 7","region":"uk"}`, simulator.SMS{Status: "not a status, 7", Region: "uk", Count: 1},
			simulator.Posted{IDs: []string{"a"}, Events: 1}, `{"success":true,"simulatedMessageId":"a"}`,
		},
		{
			`{"status":"","region":""}`, simulator.SMS{Count: 1},
			simulator.Posted{IDs: []string{"a"}, Events: 1}, `{"success":true,"simulatedMessageId":"a"}`,
		},
	} {
		b := newBench()
		b.simulator.posted = test.posted
		w := b.simulate(t, "/simulator/sms", test.body)
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != test.want {
			t.Errorf("%s: %d %s, want %s", test.body, w.Code, got, test.want)
		}
		if diff := cmp.Diff([]simulator.SMS{test.ask}, b.simulator.sms); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.body, diff)
		}
	}
}

func TestSimulateThreads(t *testing.T) {
	for _, test := range []struct {
		body string
		ask  simulator.Story
	}{
		{`{"scenario":"split","seed":7,"size":20}`, simulator.Story{Scenario: simulator.Split, Seed: 7, Size: 20}},
		{`{"scenario":"merge","seed":9007199254740991}`, simulator.Story{Scenario: simulator.Merge, Seed: simulator.MaxSeed, Size: 6}},
		{`{"scenario":"storm","seed":1}`, simulator.Story{Scenario: simulator.Storm, Seed: 1, Size: 100}},
	} {
		b := newBench()
		b.simulator.posted = simulator.Posted{IDs: []string{"a", "b"}, Events: 7}
		got := decode[struct {
			Success   bool
			ThreadIDs []string
			Events    int
			Seed      uint64
		}](t, b.simulate(t, "/simulator/threads", test.body), http.StatusOK)
		if !got.Success || strings.Join(got.ThreadIDs, " ") != "a b" || got.Events != 7 || got.Seed != test.ask.Seed {
			t.Errorf("%s: %+v", test.body, got)
		}
		if diff := cmp.Diff([]simulator.Story{test.ask}, b.simulator.stories); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.body, diff)
		}
	}
}

// Without a seed the story is a new one, and its seed is told.
func TestSimulateThreadsDrawsASeed(t *testing.T) {
	b := newBench()
	for range 2 {
		got := decode[struct{ Seed uint64 }](t, b.simulate(t, "/simulator/threads", `{"scenario":"merge"}`), http.StatusOK)
		if last := b.simulator.stories[len(b.simulator.stories)-1]; got.Seed == 0 || got.Seed > simulator.MaxSeed || got.Seed != last.Seed {
			t.Errorf("seed %d, asked with %d", got.Seed, last.Seed)
		}
	}
	if b.simulator.stories[0].Seed == b.simulator.stories[1].Seed {
		t.Error("two stories have one seed")
	}
}

func TestSimulateRefuses(t *testing.T) {
	b := newBench()
	for _, test := range []struct{ path, body string }{
		{"/simulator/sms", `{"status":" "}`}, {"/simulator/sms", `{"status":"SENT\n"}`}, {"/simulator/sms", `{"status":7}`},
		{"/simulator/sms", `{"status":"` + strings.Repeat("x", 65) + `"}`}, {"/simulator/sms", `{"region":"Germany"}`},
		{"/simulator/sms", `{"carrier":"\u0000"}`}, {"/simulator/sms", `{"carrier":"` + strings.Repeat("x", 65) + `"}`},
		{"/simulator/sms", `{"region":"ZZ"}`}, {"/simulator/sms", `{"count":0}`}, {"/simulator/sms", `{"count":1001}`},
		{"/simulator/sms", `{"count":"many"}`}, {"/simulator/sms", `{"counts":2}`}, {"/simulator/sms", `[]`},
		{"/simulator/threads", `{}`}, {"/simulator/threads", `{"scenario":"flood"}`},
		{"/simulator/threads", `{"scenario":"storm","size":1}`}, {"/simulator/threads", `{"scenario":"storm","size":501}`},
		{"/simulator/threads", `{"scenario":"storm","seed":-1}`}, {"/simulator/threads", `{"scenario":"storm","seed":1.5}`},
		{"/simulator/threads", `{"scenario":"storm","seed":9007199254740993}`},
	} {
		t.Run(test.path+test.body, func(t *testing.T) {
			wantProblem(t, b.simulate(t, test.path, test.body), http.StatusUnprocessableEntity)
		})
		if b.simulator.calls() != 0 {
			t.Errorf("%s %s was simulated", test.path, test.body)
		}
	}
	wantProblem(t, b.simulate(t, "/simulator/sms", `{"count":`), http.StatusBadRequest)
}

func TestSimulateErrors(t *testing.T) {
	for path, body := range map[string]string{"/simulator/sms": "", "/simulator/threads": bodies["/simulator/threads"]} {
		b := newBench()
		b.simulator.err = &simulator.BusyError{Accepted: 3, Events: 10, RetryAfter: 7 * time.Second}
		w := b.simulate(t, path, body)
		if detail := wantProblem(t, w, http.StatusServiceUnavailable); !strings.Contains(detail, "3 of 10") || w.Header().Get("Retry-After") != "7" {
			t.Errorf("%s: %q, Retry-After %q", path, detail, w.Header().Get("Retry-After"))
		}
		if b.log.Len() > 0 {
			t.Errorf("%s: what the caller can mend was logged: %s", path, &b.log)
		}
		b.simulator.err = errors.New("a fault")
		wantProblem(t, b.simulate(t, path, body), http.StatusServiceUnavailable)
		if b.log.Len() == 0 {
			t.Errorf("%s: a fault was not logged", path)
		}
	}
}

// What is asked for comes through the intake as it is, and the API shows what became of it.
func TestSimulatedReceiptIsWhatWasAskedFor(t *testing.T) {
	w := newContractWorld(t)
	for _, test := range []struct{ body, status, raw, region string }{
		{`{"status":"UNDELIV","region":"CA"}`, "FAILED", "UNDELIV", "CA"},
		{`{"status":"sent","region":"uk"}`, "PENDING", "sent", "GB"},
		{`{"status":"Handset away","region":"jp"}`, "UNKNOWN", "Handset away", "JP"},
	} {
		made := decode[struct {
			SimulatedMessageID string
			Quarantined        int
		}](t, w.simulate(t, "/simulator/sms", test.body), http.StatusOK)
		m := decode[struct{ Status, RawStatus, Region, Compliance string }](t, w.ask(t, "GET", "/api/messages/"+made.SimulatedMessageID, viewerToken), http.StatusOK)
		if m.Status != test.status || m.RawStatus != test.raw || m.Region != test.region || m.Compliance == "violation" || made.Quarantined > 0 {
			t.Errorf("%s: %+v", test.body, m)
		}
	}
	refused := decode[struct{ Errors []struct{ Location string } }](t, w.simulate(t, "/simulator/sms", `{"region":"ZZ"}`), http.StatusUnprocessableEntity)
	if len(refused.Errors) != 1 || refused.Errors[0].Location != "body.region" {
		t.Errorf("an unknown region: %+v", refused)
	}
}

// What is off does not exist: for nobody, by no method, and not in the description.
func TestWithoutSimulator(t *testing.T) {
	b := newBench()
	b.Simulator = nil
	for _, path := range []string{"/simulator/sms", "/simulator/threads", "/simulator"} {
		for _, method := range []string{"POST", "GET", "PUT"} {
			for _, token := range []string{"", viewerToken, adminToken} {
				if detail := wantProblem(t, b.ask(t, method, path, token), http.StatusNotFound); detail != "there is nothing at this path" {
					t.Errorf("%s %s: %q", method, path, detail)
				}
			}
		}
	}
	if strings.Contains(b.ask(t, "GET", "/openapi.json", viewerToken).Body.String(), "simulat") {
		t.Error("the description tells of a simulator")
	}
}

// The bounds in the description are those of the simulator.
func TestSimulatorBounds(t *testing.T) {
	field := func(v any, name, tag string) string {
		f, _ := reflect.TypeOf(v).FieldByName(name)
		return f.Tag.Get(tag)
	}
	if got := field(simulateSMSBody{}, "Count", "maximum"); got != "1000" || simulator.MaxReceipts != 1000 {
		t.Errorf("count up to %s", got)
	}
	if got := field(simulateThreadsBody{}, "Size", "maximum"); got != "500" || simulator.MaxSize != 500 {
		t.Errorf("size up to %s", got)
	}
}
