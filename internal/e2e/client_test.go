package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// answer is what the webhook answered, of one event or of many.
type answer struct {
	Status int
	Header http.Header
	Text   string // the body as it came

	Acknowledged      bool
	MessageID         string
	Duplicate         bool
	QueuedForRetry    bool
	Quarantined       bool
	ValidationWarning string
	Error             string
	Accepted          int
	Duplicates        int
	Rejected          []struct {
		Index int
		Error string
	}
}

// send posts a body to the webhook. It may be called from any goroutine. An answer that breaks off
// behind its status is an answer: the status is what the sender goes by.
func (p *process) send(body string, sign sim.Sign) (answer, error) {
	request, err := http.NewRequest(http.MethodPost, p.address+"/webhooks/cxone/sms", strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if sign != nil {
		sign(request.Header, []byte(body), time.Now())
	}
	response, err := p.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{Status: response.StatusCode, Header: response.Header}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return a, nil
	}
	a.Text = string(text)
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("the answer is no JSON: %w: %s", err, text)
	}
	return a, nil
}

// byDefault is the proof that a process of serve takes.
var byDefault = sim.BySecret(webhookSecret)

// post posts a body and wants a status.
func (p *process) post(t testing.TB, want int, body string) answer {
	t.Helper()
	a, err := p.send(body, byDefault)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != want {
		t.Fatalf("status %d, want %d: %s\n%.300s", a.Status, want, a.Text, body)
	}
	return a
}

// call makes a request to the API and reads its answer into out, unless that is nil.
func (p *process) call(t testing.TB, method, path, token string, out any) (status int) {
	t.Helper()
	request, err := http.NewRequest(method, p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(out); err != nil {
			t.Fatalf("%s %s: %v: %.300s", method, path, err, body)
		}
	}
	return response.StatusCode
}

// message is a message as the API shows it; what is null is "".
type message struct {
	MessageID, Status, RawStatus, StatusAt, Carrier, ErrorCode, SenderID, Recipient, Region, Compliance string

	Receipts []struct{ Status, RawStatus, At string }
}

// message asks for a message.
func (p *process) message(t testing.TB, id string) (m message, found bool) {
	t.Helper()
	var body json.RawMessage
	switch status := p.call(t, http.MethodGet, "/api/messages/"+url.PathEscape(id), viewerToken, &body); status {
	case http.StatusNotFound:
		return m, false
	case http.StatusOK:
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		return m, true
	default:
		t.Fatalf("message %s: status %d: %s", id, status, body)
		return m, false
	}
}

type deadLetter struct {
	ID                   int64
	Subject, Reason, Raw string
	Replays              int
}

// deadLetters lists all dead letters, newest first.
func (p *process) deadLetters(t testing.TB) []deadLetter {
	t.Helper()
	var all []deadLetter
	path := "/api/dead-letters?limit=500"
	for {
		var page struct {
			Items []deadLetter
			Next  string
		}
		if status := p.call(t, http.MethodGet, path, adminToken, &page); status != http.StatusOK {
			t.Fatalf("%s: status %d", path, status)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		path = "/api/dead-letters?limit=500&cursor=" + url.QueryEscape(page.Next)
	}
}

// ready asks for the readiness, and returns the state of each part.
func (p *process) ready(t testing.TB) (status int, parts map[string]string) {
	t.Helper()
	var r struct {
		Parts map[string]struct{ State string }
	}
	status = p.call(t, http.MethodGet, "/readyz", "", &r)
	parts = make(map[string]string)
	for name, part := range r.Parts {
		parts[name] = part.State
	}
	return status, parts
}

// metrics returns what /metrics says.
func (p *process) metrics(t testing.TB) string { return p.text(t, "/metrics") }

// text returns what a viewer gets at a path.
func (p *process) text(t testing.TB, path string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+viewerToken)
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metric returns the value of a metric without labels.
func (p *process) metric(t testing.TB, name string) float64 {
	t.Helper()
	for line := range strings.Lines(p.metrics(t)) {
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			value, err := strconv.ParseFloat(number, 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
