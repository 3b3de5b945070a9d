package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// simulated is the answer of the simulator.
type simulated struct {
	Success             bool
	SimulatedMessageID  string
	SimulatedMessageIDs []string
	Count, Events       int
	ThreadIDs           []string
}

// simulate asks the simulator and wants a status.
func (p *process) simulate(t testing.TB, want int, path, token, body string) (s simulated) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, p.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil || response.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d: %s (%v)", path, body, response.StatusCode, want, text, err)
	}
	return s
}

// Simulated events come in through the real intake: they are stored, audited and pushed like any others.
func TestSimulator(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		_, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM).with(settings{"SIMULATOR": "true", "THREAD_ID_FORMAT": "uuid"}))
		for _, path := range []string{"/simulator/sms", "/simulator/threads"} {
			p.simulate(t, http.StatusForbidden, path, viewerToken, `{}`)
			p.simulate(t, http.StatusUnauthorized, path, "wrong", `{}`)
		}
		one := p.simulate(t, http.StatusOK, "/simulator/sms", adminToken, `{"status":"FAILED","carrier":"VODAFONE","region":"UK"}`)
		m, found := p.message(t, one.SimulatedMessageID)
		if !one.Success || !found || m.Status != "FAILED" || m.ErrorCode != "404" || m.Carrier != "VODAFONE" || m.Region != "GB" || m.Compliance == "violation" {
			t.Errorf("%+v: %+v", one, m)
		}
		many := p.simulate(t, http.StatusOK, "/simulator/sms", adminToken, `{"count":40}`)
		if many.Count != 40 || len(many.SimulatedMessageIDs) != 40 || many.SimulatedMessageID != many.SimulatedMessageIDs[0] {
			t.Errorf("%+v", many)
		}
		for _, id := range many.SimulatedMessageIDs {
			if _, found := p.message(t, id); !found {
				t.Errorf("message %s is not there", id)
			}
		}
		if n := len(s.messages(t)); n != 41 {
			t.Errorf("%d messages, want 41", n)
		}

		story := func(scenario string) []string {
			told := p.simulate(t, http.StatusOK, "/simulator/threads", adminToken, `{"scenario":"`+scenario+`"}`)
			listed := p.threadIDs(t, "")
			for _, id := range told.ThreadIDs {
				if !slices.Contains(listed, id) {
					t.Errorf("%s: thread %s is not listed", scenario, id)
				}
			}
			return told.ThreadIDs
		}
		if alone := story("conversation"); len(p.thread(t, alone[0]).Messages) != 6 {
			t.Errorf("conversation: %+v", p.thread(t, alone[0]))
		}
		merge := story("merge")
		if child := p.thread(t, merge[1]); child.ParentThreadID != merge[0] || child.Link != "merged" || len(p.timeline(t, merge[0])) != 6 {
			t.Errorf("merge: %+v, timeline %v", child, p.timeline(t, merge[0]))
		}
		split := story("split")
		if child := p.thread(t, split[1]); child.ParentThreadID != split[0] || child.Link != "split" || len(child.Messages) != 3 || len(p.timeline(t, split[0])) != 3 {
			t.Errorf("split: %+v, timeline %v", child, p.timeline(t, split[0]))
		}
		story("storm")
		p.awaitSynced(t)
		if letters := p.deadLetters(t); len(letters) != 0 {
			t.Errorf("dead letters %+v", letters)
		}
		wantAuditVerified(t, s.settings)
	})
}

func TestSimulatorIsOff(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings)
	for _, path := range []string{"/simulator/sms", "/simulator/threads"} {
		for _, token := range []string{"wrong", viewerToken, adminToken} {
			p.simulate(t, http.StatusNotFound, path, token, `{"scenario":"storm"}`)
		}
	}
}
