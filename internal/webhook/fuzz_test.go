package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Whatever the headers say, a caller is admitted if and only if a code in them is the right one
// for this body, id and time, and the time is now.
func FuzzSignatureHeader(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	s, err := NewSecrets("other", "key")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, stamp, signature, request, algorithm string, body []byte, genuine uint8) {
		code := sign("key", id+"."+stamp+"."+string(body))
		if genuine&1 != 0 {
			signature += " v1," + code
		}
		if genuine&2 != 0 {
			request = sign("key", string(body))
		}
		h := http.Header{
			headerWebhookID: {id}, headerWebhookTimestamp: {stamp}, headerWebhookSignature: {signature},
			headerRequestSignature: {request}, headerAlgorithm: {algorithm},
		}
		if algorithm == "" {
			delete(h, headerAlgorithm)
		}
		short := len(id) <= maxCredential && len(stamp) <= maxCredential && len(signature) <= maxCredential
		seconds, err := strconv.ParseUint(stamp, 10, 64)
		standard := short && id != "" && !strings.Contains(id, ".") &&
			err == nil && seconds >= 1_700_000_000-300 && seconds <= 1_700_000_000+300 &&
			slices.Contains(strings.Fields(signature), "v1,"+code)
		plain := request == sign("key", string(body)) && (algorithm == "" || strings.EqualFold(algorithm, "sha256"))
		if got := admits(s, h, string(body), now); (got == nil) != (standard || plain) {
			t.Errorf("admitted: %v, want standard %t, plain %t", got, standard, plain)
		}
	})
}

// Whatever the body is, the answer is JSON, and nothing of an event is lost: each is kept, or the
// sender is told that it was not.
func FuzzBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte, lengthKnown bool) {
		intake := &fakeIntake{}
		g := newGate(t, func(o *Options) { o.Limits.Items, o.Limits.Body = 20, 1000 })
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set(headerSecret, secret)
		if !lengthKnown {
			r.ContentLength = -1
		}
		w := serve(g.SMS(intake), r)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("the answer is not JSON: %s", w.Body)
		}
		var items []json.RawMessage
		events := 1
		if err := json.Unmarshal(withoutMark(body), &items); err == nil && items != nil {
			events = len(items)
		}
		switch kept := len(intake.durable()); {
		case w.Code == 413 && (len(body) > 1000 || events > 20 || isArray(withoutMark(body))):
		case w.Code == 503 && bytes.Contains(body, []byte("panic")):
		case w.Code == 200 || w.Code == 422:
			if kept != events {
				t.Errorf("%d events were kept of %d", kept, events)
			}
		case w.Code == 400:
			if kept != 1 || intake.durable()[0].Refused == nil || json.Valid(withoutMark(body)) {
				t.Errorf("a malformed body was kept %d times", kept)
			}
		default:
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		if g.load.bytes.Load() != 0 || g.load.requests.Load() != 0 {
			t.Error("something is still held")
		}
	})
}
