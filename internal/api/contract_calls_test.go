package api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// call is one of an operation. What it leaves out is as it should be. The id "letter SUBJECT" is that of
// a dead letter.
type call struct {
	operation string
	id, query string
	body      string
	status    int
	change    func(w *contractWorld)
}

// goodCalls are answered with success. They come in their order.
var goodCalls = []call{
	{operation: "list-messages", status: 200}, {operation: "list-messages", query: "limit=1", status: 200},
	{operation: "list-messages", query: "recipient=12025550101&limit=1", status: 200},
	{operation: "get-message", id: "m-1", status: 200}, {operation: "get-message", id: "m-2", status: 200},
	{operation: "list-threads", status: 200}, {operation: "list-threads", query: "limit=1", status: 200},
	{operation: "list-threads", query: "state=parked", status: 200}, {operation: "list-threads", query: "state=retrying", status: 200},
	{operation: "list-threads", query: "since=2026-03-01T10:00:00Z&text=t-", status: 200},
	{operation: "get-thread", id: "t-1", status: 200}, {operation: "get-thread", id: "t-3", query: "limit=1", status: 200},
	{operation: "get-timeline", id: "t-1", status: 200}, {operation: "get-timeline", id: "t-1", query: "limit=1", status: 200},
	{operation: "reconcile-thread", id: "t-1", status: 200}, {operation: "reconcile-thread-by-get", id: "t-1", status: 200},
	{operation: "list-dead-letters", status: 200}, {operation: "list-dead-letters", query: "kind=sms&limit=1", status: 200},
	{operation: "get-dead-letter", id: "letter m-3", status: 200},
	{operation: "replay-dead-letter", id: "letter m-3", status: 200},
	{operation: "replay-dead-letter", id: "letter m-4", status: 202, change: func(w *contractWorld) {
		w.Replayer = replayFunc(func(context.Context, int64) (ingest.Replayed, error) {
			return ingest.Replayed{Kind: store.KindSMS, Subject: "m-1", Spooled: true}, nil
		})
	}},
	{operation: "delete-dead-letter", id: "letter m-4", status: 204},
	{operation: "replay-dead-letters", body: `{"kind":"sms"}`, status: 200},
	{operation: "delete-dead-letters", body: `{}`, status: 200},
	{operation: "list-audit", status: 200}, {operation: "list-audit", query: "limit=1&subject=t-1", status: 200},
	{operation: "get-delivery", query: "window=1h&step=10m", status: 200}, {operation: "get-delivery", query: "format=csv", status: 200},
	{operation: "get-delivery", query: "step=1h&series=csv", status: 200}, {operation: "get-delivery", query: "carrier=nobody&region=FR", status: 200},
	{operation: "list-alarms", status: 200}, {operation: "get-system", status: 200},
	{operation: "simulate-sms", status: 200}, {operation: "simulate-sms", body: `{"count":3,"region":"GB"}`, status: 200},
	{operation: "simulate-threads", body: `{"scenario":"storm","size":5}`, status: 200},
	{operation: "get-metrics", status: 200},
	{operation: "get-metrics", status: 200, change: func(w *contractWorld) { w.Figures = figuresFunc(func() status.Figures { return status.Figures{} }) }},
	{operation: "get-prometheus-metrics", status: 200}, {operation: "get-openapi", status: 200},
	{operation: "get-health", status: 200}, {operation: "get-readiness", status: 200},
	{operation: "get-message", id: "a/b c%", status: 404}, {operation: "get-thread", id: "t-none", status: 404},
	{operation: "reconcile-thread", id: "t-1", status: 502, change: upstreamFails},
	{operation: "reconcile-thread-by-get", id: "t-1", status: 502, change: upstreamFails},
	{operation: "reconcile-thread", id: "t-1", status: 502, change: func(w *contractWorld) { w.Reconciler = nil }},
}

func upstreamFails(w *contractWorld) {
	w.Reconciler = reconcileFunc(func(context.Context, string) (reconcile.Outcome, error) {
		return reconcile.Outcome{}, &reconcile.UpstreamError{Reason: "CXone: 500"}
	})
}

// What the API and the webhooks answer is what the description says: every operation, with every
// status that it is said to have.
func TestContract(t *testing.T) {
	w := newContractWorld(t)
	w.fill(t)
	c := readContract(t, w.bench.ask(t, "GET", "/openapi.json", viewerToken).Body.Bytes())
	for _, one := range goodCalls {
		if one.change == nil {
			w.call(t, c, one)
			continue
		}
		before := w.Config
		one.change(w)
		w.call(t, c, one)
		w.Config = before
	}
	for _, op := range c.byID {
		if op.Tags[0] != webhooksTag {
			w.callBadly(t, c, op)
		}
	}
	w.callWebhooks(t, c)
	w.away(t)
	for _, op := range c.byID {
		if op.Responses["503"] != nil {
			w.callInVain(t, c, op)
		}
	}
	w.guess(t)
	for _, op := range c.byID {
		if op.Responses["429"] != nil {
			r := httptest.NewRequest(op.method, op.target("1", ""), nil)
			r.Header.Set("Authorization", "Bearer nobody")
			r.Header.Set("X-Webhook-Secret", "nobody's")
			w.requireStatus(t, c, op, r, http.StatusTooManyRequests)
		}
	}
	c.requireAll(t)
}

// call makes a call as an operator.
func (w *contractWorld) call(t *testing.T, c *contract, one call) {
	t.Helper()
	op := c.byID[one.operation]
	if op == nil {
		t.Fatalf("there is no operation %s", one.operation)
	}
	id := one.id
	if subject, isLetter := strings.CutPrefix(id, "letter "); isLetter {
		id = w.letter(t, subject)
	}
	r := httptest.NewRequest(op.method, op.target(id, one.query), strings.NewReader(one.body))
	if one.body != "" {
		r.Header.Set("Content-Type", jsonType)
	}
	w.requireStatus(t, c, op, r, one.status)
}

// letter returns the id of the dead letter about a message.
func (w *contractWorld) letter(t *testing.T, subject string) string {
	t.Helper()
	found, err := w.Store.FindDeadLetters(t.Context(), store.LetterFilter{Text: subject}, 0, 1)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d dead letters about %s, %v", len(found), subject, err)
	}
	return strconv.FormatInt(found[0].ID, 10)
}

func (w *contractWorld) requireStatus(t *testing.T, c *contract, op *operation, r *http.Request, status int) {
	t.Helper()
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+adminToken)
	}
	answer := httptest.NewRecorder()
	w.handler(t).ServeHTTP(answer, r)
	if answer.Code != status {
		t.Errorf("%s: %d, want %d: %s", r.URL, answer.Code, status, answer.Body)
	}
	c.requireAnswer(t, op, answer)
}

// callBadly makes the calls whose errors come from the caller, the path, the parameters and the body.
func (w *contractWorld) callBadly(t *testing.T, c *contract, op *operation) {
	t.Helper()
	id, good := "none", ""
	if strings.Contains(op.path, "dead-letters") {
		id = "999999"
	}
	if op.OperationID == "simulate-threads" {
		good = `{"scenario":"merge"}`
	} else if op.RequestBody != nil {
		good = `{}`
	}
	for status := range op.Responses {
		r := httptest.NewRequest(op.method, op.target(id, ""), strings.NewReader(good))
		if good != "" {
			r.Header.Set("Content-Type", jsonType)
		}
		switch status {
		case "400":
			r.Body = io.NopCloser(strings.NewReader(`{"`))
		case "401":
			r.Header.Set("Authorization", "Bearer nobody")
		case "403":
			r.Header.Set("Authorization", "Bearer "+viewerToken)
		case "404":
		case "408":
			r.Body = io.NopCloser(slowBody{})
		case "413":
			r.Body = io.NopCloser(bytes.NewReader(make([]byte, 1<<20+1)))
		case "415":
			r.Header.Set("Content-Type", csvType)
		case "422":
			r = httptest.NewRequest(op.method, wrongTarget(op), strings.NewReader(`{"nonsense":1}`))
		default:
			continue
		}
		want, _ := strconv.Atoi(status)
		w.requireStatus(t, c, op, r, want)
	}
}

// slowBody does not arrive in time.
type slowBody struct{}

func (slowBody) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// wrongTarget is one whose parameter is wrong, where there is such a one.
func wrongTarget(op *operation) string {
	for _, p := range op.Parameters {
		switch p.Name {
		case "limit", "window":
			return op.target("t-1", p.Name+"=never")
		}
	}
	return op.target("x", "")
}

// callInVain makes a call while the database is away.
func (w *contractWorld) callInVain(t *testing.T, c *contract, op *operation) {
	t.Helper()
	body := ""
	if op.RequestBody != nil {
		for _, sample := range op.RequestBody.Content[jsonType].samples() {
			body = string(sample)
		}
	}
	r := httptest.NewRequest(op.method, op.target("1", ""), strings.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("X-Webhook-Secret", webhookSecret)
	w.requireStatus(t, c, op, r, http.StatusServiceUnavailable)
}

// callWebhooks posts what the webhooks take, as each of those who may, and what they refuse.
func (w *contractWorld) callWebhooks(t *testing.T, c *contract) {
	t.Helper()
	for _, op := range c.byID {
		if op.Tags[0] != webhooksTag {
			continue
		}
		var body []byte
		post := func(body []byte, status int, change func(r *http.Request)) {
			t.Helper()
			r := httptest.NewRequest(op.method, op.path, bytes.NewReader(body))
			r.Header.Set("X-Webhook-Secret", webhookSecret)
			if change != nil {
				change(r)
			}
			w.requireStatus(t, c, op, r, status)
		}
		for name, sample := range op.RequestBody.Content[jsonType].samples() {
			post(sample, 200, nil)
			if name == "several" {
				body = sample
			}
		}
		for _, proof := range op.Security {
			post(body, 200, func(r *http.Request) { prove(t, c, r, proof, body) })
		}
		post([]byte(`[]`), 200, nil)
		post([]byte(`{"`), 400, nil)
		post(body, 401, func(r *http.Request) { r.Header.Del("X-Webhook-Secret") })
		post(body, 413, func(r *http.Request) {
			r.Body = io.NopCloser(bytes.NewReader(make([]byte, 9<<20)))
			r.ContentLength = 9 << 20
		})
		post([]byte("["+strings.Repeat("{},", maxEvents)+"{}]"), 413, nil)
		post(body, 415, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
		for _, bad := range []string{`{}`, `[{},7]`, `{"messageId":"m-9","event":"THREAD_UPDATED","data":{"threadId":"t-9","version":-1}}`} {
			post([]byte(bad), 422, nil)
		}
	}
	w.waitForCRM(t, c)
}

// waitForCRM asks to be answered once the CRM has an event.
func (w *contractWorld) waitForCRM(t *testing.T, c *contract) {
	t.Helper()
	op := c.byID["receive-thread-events"]
	for i, isArray := range []bool{false, true} {
		event := fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"waited-%d","version":1}}`, i)
		if isArray {
			event = "[" + event + "]"
		}
		r := httptest.NewRequest(op.method, op.path, strings.NewReader(event))
		r.Header.Set("X-Webhook-Secret", webhookSecret)
		r.Header.Set("Prefer", "wait=5")
		answer := httptest.NewRecorder()
		w.handler(t).ServeHTTP(answer, r)
		c.requireAnswer(t, op, answer)
		if !strings.Contains(answer.Body.String(), `"status":"SYNCED"`) || answer.Header().Get("Preference-Applied") != "wait=5" {
			t.Errorf("%s, %v", answer.Body, answer.Header())
		}
	}
}

// prove puts the credentials into a request that the security schemes ask for.
func prove(t *testing.T, c *contract, r *http.Request, schemes map[string][]string, body []byte) {
	t.Helper()
	r.Header.Del("X-Webhook-Secret")
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	sign := func(text string) string {
		mac := hmac.New(sha256.New, []byte(webhookSecret))
		mac.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	values := map[string]string{
		"webhookSecret": webhookSecret, "webhookID": "msg_1", "webhookTimestamp": stamp,
		"webhookSignature": "v1," + sign("msg_1."+stamp+"."+string(body)), "requestSignature": sign(string(body)),
	}
	for name := range schemes {
		scheme := c.Components.SecuritySchemes[name]
		if scheme.In != "header" || values[name] == "" {
			t.Fatalf("the scheme %s is in %q", name, scheme.In)
		}
		r.Header.Set(scheme.Name, values[name])
	}
}

// The samples of requests that have an answer among the samples are answered so.
func TestWebhookSamples(t *testing.T) {
	w := newContractWorld(t)
	for path, pair := range map[string][2]json.RawMessage{
		smsPath:     {receiptSamples["several"].Value.(json.RawMessage), receiptAnswers["several"].Value.(json.RawMessage)},
		threadsPath: {eventSamples["several"].Value.(json.RawMessage), eventAnswers["several"].Value.(json.RawMessage)},
	} {
		r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(pair[0]))
		r.Header.Set("X-Webhook-Secret", webhookSecret)
		answer := httptest.NewRecorder()
		w.handler(t).ServeHTTP(answer, r)
		var want bytes.Buffer
		if err := json.Compact(&want, pair[1]); err != nil {
			t.Fatal(err)
		}
		if answer.Body.String() != want.String() {
			t.Errorf("%s answers %s, want %s", path, answer.Body, &want)
		}
	}
}
