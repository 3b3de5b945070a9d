package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
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

// checkAllIsKept reports a fault when an event is neither kept nor refused by a status that tells so.
func checkAllIsKept(t *testing.T, g *Gate, w *httptest.ResponseRecorder, body []byte, kept []ingest.Reading) {
	t.Helper()
	if !json.Valid(w.Body.Bytes()) {
		t.Errorf("the answer is not JSON: %s", w.Body)
	}
	var items []json.RawMessage
	events := 1
	if err := json.Unmarshal(withoutMark(body), &items); err == nil && items != nil {
		events = len(items)
	}
	switch {
	case w.Code == 413 && (len(body) > 1000 || events > 20 || isArray(withoutMark(body))):
	case w.Code == 503 && bytes.Contains(body, []byte("panic")):
	case w.Code == 200 || w.Code == 422:
		if len(kept) != events {
			t.Errorf("%d events were kept of %d", len(kept), events)
		}
	case w.Code == 400:
		if len(kept) != 1 || kept[0].Refused == nil {
			t.Errorf("a malformed body was kept %d times", len(kept))
		}
	default:
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	checkNothingHeld(t, g)
}

// fuzzRequest has small limits, so that a fuzzer meets them.
func fuzzRequest(t *testing.T, body []byte, lengthKnown bool) (*Gate, *http.Request) {
	g := newGate(t, func(o *Options) { o.Limits.Items, o.Limits.Body = 20, 1000 })
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set(headerSecret, secret)
	if !lengthKnown {
		r.ContentLength = -1
	}
	return g, r
}

// Whatever the body is, the answer is JSON, and nothing of an event is lost: each is kept, or the
// sender is told that it was not.
func FuzzBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte, lengthKnown bool) {
		intake := &fakeIntake{}
		g, r := fuzzRequest(t, body, lengthKnown)
		w := serve(g.SMS(intake), r)
		checkAllIsKept(t, g, w, body, intake.durable())
		if w.Code == 400 && json.Valid(withoutMark(body)) {
			t.Error("JSON is told to be malformed")
		}
	})
}

// The same holds for events of threads. Beside that a sender is told SYNCED when, and only when, it
// waits and the CRM has the thread, and the answer to an array has a result for each item.
func FuzzThreads(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte, prefer string, crmHasIt bool) {
		intake := &fakeThreads{}
		g, r := fuzzRequest(t, body, true)
		r.Header.Set("Prefer", prefer)
		asked := 0
		crm := waitFunc(func(_ context.Context, threadID string, rev int64) bool {
			asked++
			if threadID == "" || rev <= 0 {
				t.Errorf("asked for revision %d of %q", rev, threadID)
			}
			return crmHasIt
		})
		w := serve(g.Threads(intake, crm), r)
		checkAllIsKept(t, g, w, body, intake.stored)

		var answer struct {
			Status, Error string
			Results       []struct {
				Status string
				Error  string
				Fields []struct{ Path, Error string }
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if (answer.Error != "") != (w.Code != 200) {
			t.Errorf("%d with error %q", w.Code, answer.Error)
		}
		if strings.Contains(w.Body.String(), `"status":"SYNCED"`) != (crmHasIt && asked > 0) {
			t.Errorf("asked %d times, has it: %t, answered %s", asked, crmHasIt, w.Body)
		}
		if waited := w.Header().Get("Preference-Applied") != ""; waited != (asked > 0) || waited && preferredWait(r.Header) == 0 {
			t.Errorf("asked %d times, Preference-Applied: %q", asked, w.Header().Get("Preference-Applied"))
		}
		if answer.Results != nil && len(answer.Results) != len(intake.stored) {
			t.Errorf("%d results for %d events", len(answer.Results), len(intake.stored))
		}
		for i, result := range answer.Results {
			refused := intake.stored[i].Refused != nil
			if refused != (result.Status == "REJECTED") || refused != (result.Error != "") {
				t.Errorf("result %d is %+v, refused: %v", i, result, intake.stored[i].Refused)
			}
		}
	})
}
