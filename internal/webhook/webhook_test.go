package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/refusal"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time of all tests that set one.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

const secret = "correct horse battery staple"

// fakeIntake keeps what is submitted, by message id. It reads receipts of one field more than a
// real one has: "sender" is "flagged", "quarantined" or "panic" for what is to come of it.
type fakeIntake struct {
	mu     sync.Mutex
	kept   map[string]bool
	stored []ingest.Reading

	// submit stands in for what is durable, if set.
	submit func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
}

func (f *fakeIntake) ReadSMS(raw []byte, received time.Time) ingest.Reading {
	refuse := func(id string, err error) ingest.Reading {
		return ingest.Reading{Subject: id, Refused: err, Entry: store.Entry{DeadLetter: &store.DeadLetter{
			Kind: store.KindSMS, Subject: id, Reason: err.Error(), Raw: raw, Received: received,
		}}}
	}
	if !json.Valid(raw) {
		return refuse("", &refusal.MalformedError{Reason: "no JSON"})
	}
	var r struct{ MessageID, Status, Sender string }
	if err := json.Unmarshal(raw, &r); err != nil || bytes.TrimSpace(raw)[0] != '{' {
		return refuse("", refusal.Invalid("", "is not an object"))
	}
	var problems []refusal.Problem
	if r.MessageID == "" {
		problems = append(problems, refusal.Problem{Path: "/messageId", Reason: "is missing"})
	}
	if r.Status == "" {
		problems = append(problems, refusal.Problem{Path: "/status", Reason: "is missing"})
	}
	if problems != nil {
		return refuse(r.MessageID, &refusal.InvalidError{Problems: problems})
	}
	reading := ingest.Reading{Subject: r.MessageID, Entry: store.Entry{
		Receipt: &sms.Receipt{MessageID: r.MessageID, Raw: raw, Received: received},
	}}
	switch r.Sender {
	case "flagged", "quarantined":
		reading.Warning, reading.Quarantined = `no "sender" like this`, r.Sender == "quarantined"
	case "panic":
		panic("the reader broke on " + r.MessageID)
	}
	return reading
}

func (f *fakeIntake) Submit(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
	if f.submit != nil {
		return f.submit(ctx, readings)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil {
		f.kept = make(map[string]bool)
	}
	answers := make([]ingest.Answer, len(readings))
	for i, r := range readings {
		answers[i].Duplicate = r.Subject != "" && f.kept[r.Subject]
		f.kept[r.Subject] = true
	}
	f.stored = append(f.stored, readings...)
	return answers, nil
}

// durable returns what was submitted.
func (f *fakeIntake) durable() []ingest.Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stored
}

// answersWith is a submit that has one answer for every reading.
func answersWith(a ingest.Answer) func(context.Context, []ingest.Reading) ([]ingest.Answer, error) {
	return func(_ context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
		answers := make([]ingest.Answer, len(readings))
		for i := range answers {
			answers[i] = a
		}
		return answers, nil
	}
}

// failsWith is a submit that keeps nothing.
func failsWith(err error) func(context.Context, []ingest.Reading) ([]ingest.Answer, error) {
	return func(context.Context, []ingest.Reading) ([]ingest.Answer, error) { return nil, err }
}

func mustSecrets(t testing.TB, list ...string) *Secrets {
	t.Helper()
	s, err := NewSecrets(list...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newGate returns a gate that knows the secret, at noon.
func newGate(t testing.TB, change func(*Options)) *Gate {
	t.Helper()
	o := Options{Secrets: mustSecrets(t, secret), Now: func() time.Time { return noon }}
	if change != nil {
		change(&o)
	}
	return NewGate(o)
}

// request returns a POST with the secret.
func request(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/cxone/sms", strings.NewReader(body))
	r.Header.Set(headerSecret, secret)
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// untouchable is a body that must not be read.
type untouchable struct{ t testing.TB }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, http.ErrBodyReadAfterClose
}

func (u untouchable) Close() error { return nil }
