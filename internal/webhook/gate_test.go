package webhook

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

const receipt = `{"messageId":"m1","status":"DELIVRD"}`

func TestStrangersAreTurnedAwayUnread(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   error
	}{
		{"no credential", headers(), errNoCredential},
		{"wrong secret", headers(headerSecret, "sesame"), errWrongSecret},
		{"other kind of credential", headers("Authorization", "Bearer "+secret), errNoCredential},
		{"signature that cannot be", headers(headerRequestSignature, "sesame"), errRequestHeader},
		{"stale signature", headers(headerWebhookID, "m", headerWebhookTimestamp, "1", headerWebhookSignature, "v1,"+sign(secret, "x")), errStale},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeIntake{}
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Header, r.Body, r.ContentLength = tt.header, untouchable{t}, 10
			w := serve(newGate(t, nil).SMS(f), r)
			if want := `{"error":` + strconv.Quote(tt.want.Error()) + `}`; w.Code != 401 || w.Body.String() != want {
				t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
			}
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Error("there is no challenge")
			}
			if len(f.durable()) != 0 {
				t.Error("something was kept")
			}
		})
	}
}

// A signature is checked before the body is looked at: what would be malformed stays unread.
func TestWrongSignatureKeepsNothing(t *testing.T) {
	f := &fakeIntake{}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`[{"a`))
	r.Header.Set(headerRequestSignature, sign("other", `[{"a`))
	if w := serve(newGate(t, nil).SMS(f), r); w.Code != 401 || len(f.durable()) != 0 {
		t.Errorf("got %d %s, kept %d", w.Code, w.Body, len(f.durable()))
	}
}

func TestSignedRequest(t *testing.T) {
	body := " {\t\"messageId\" : \"m1\",\r\n\"status\":\"X\" }\n\n"
	for _, length := range []int64{int64(len(body)), -1} {
		f := &fakeIntake{}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.ContentLength = length
		r.Header.Set(headerRequestSignature, sign(secret, body))
		w := serve(newGate(t, nil).SMS(f), r)
		if w.Code != 200 || len(f.durable()) != 1 || string(f.durable()[0].Entry.Receipt.Raw) != body {
			t.Errorf("length %d: got %d %s", length, w.Code, w.Body)
		}
	}
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		r := request("")
		r.Method, r.Body = method, untouchable{t}
		w := serve(newGate(t, nil).SMS(&fakeIntake{}), r)
		if w.Code != 405 || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow: %s", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestContentEncoding(t *testing.T) {
	for value, status := range map[string]int{"": 200, "identity": 200, "Identity": 200, "gzip": 415, "identity, gzip": 415, "br": 415} {
		r := request(receipt)
		r.Header.Set("Content-Encoding", value)
		if status == 415 {
			r.Body = untouchable{t}
		}
		w := serve(newGate(t, nil).SMS(&fakeIntake{}), r)
		if w.Code != status || (status == 415) != (w.Header().Get("Accept-Encoding") == "identity") {
			t.Errorf("%q: %d %s", value, w.Code, w.Body)
		}
	}
}

func TestContentTypeDoesNotMatter(t *testing.T) {
	for _, value := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"} {
		r := request(receipt)
		r.Header.Set("Content-Type", value)
		if w := serve(newGate(t, nil).SMS(&fakeIntake{}), r); w.Code != 200 {
			t.Errorf("%q: %d %s", value, w.Code, w.Body)
		}
	}
}

func TestRequestID(t *testing.T) {
	id := func(values ...string) string {
		r := request(receipt)
		r.Header["X-Request-Id"] = values
		return serve(newGate(t, nil).SMS(&fakeIntake{}), r).Header().Get("X-Request-Id")
	}
	if got := id("abc-1"); got != "abc-1" {
		t.Errorf("the sender's id became %q", got)
	}
	for _, values := range [][]string{nil, {""}, {"a b"}, {"a\x00"}, {"é"}, {"a", "b"}, {strings.Repeat("a", 129)}} {
		if got := id(values...); got == "" || slices.Contains(values, got) {
			t.Errorf("%q became %q", values, got)
		}
	}
	if a, b := id(), id(); a == b {
		t.Errorf("two requests are both called %q", a)
	}
}

func TestOneLineIsLogged(t *testing.T) {
	const number = "+15550100"
	array := `[{"messageId":"a","status":"X","to":"` + number + `"},{"messageId":"a","status":"X"},{"messageId":"q","status":"X","sender":"quarantined"},` +
		`{"messageId":"f","status":"X","sender":"flagged"},{"to":"` + number + `"}]`
	line := func(status, bytes, items, accepted, duplicates, refused, flagged, quarantined, spooled float64, level, outcome string) map[string]any {
		m := map[string]any{"msg": "webhook", "route": "sms", "request_id": "r1", "level": level, "outcome": outcome, "status": status,
			"bytes": bytes, "items": items, "duration_us": 0.0}
		for name, n := range map[string]float64{"accepted": accepted, "duplicates": duplicates, "refused": refused,
			"flagged": flagged, "quarantined": quarantined, "spooled": spooled} {
			if n > 0 {
				m[name] = n
			}
		}
		return m
	}
	with := func(m map[string]any, name, value string) map[string]any {
		m = maps.Clone(m)
		m[name] = value
		return m
	}
	tests := []struct {
		name   string
		body   string
		change func(*http.Request)
		intake *fakeIntake
		want   map[string]any
	}{
		{"good", receipt, nil, &fakeIntake{}, with(line(200, 37, 1, 1, 0, 0, 0, 0, 0, "INFO", "accepted"), "message_id", "m1")},
		{"array", array, nil, &fakeIntake{}, line(200, float64(len(array)), 5, 3, 1, 1, 1, 1, 0, "INFO", "accepted")},
		{"spooled", receipt, nil, &fakeIntake{submit: answersWith(ingest.Answer{Spooled: true})},
			with(line(200, 37, 1, 1, 0, 0, 0, 0, 1, "INFO", "accepted"), "message_id", "m1")},
		{"invalid", `{"to":"` + number + `"}`, nil, &fakeIntake{}, line(422, 18, 1, 0, 0, 1, 0, 0, 0, "WARN", "refused")},
		{"stranger", receipt, func(r *http.Request) { r.Header.Set(headerSecret, "sesame") }, &fakeIntake{},
			with(with(line(401, 0, 0, 0, 0, 0, 0, 0, 0, "WARN", "unauthorized"), "reason", errWrongSecret.Error()), "client", "192.0.2.1")},
		{"busy", receipt, nil, &fakeIntake{submit: failsWith(&ingest.BusyError{Reason: "too many wait"})},
			with(line(503, 37, 0, 0, 0, 0, 0, 0, 0, "WARN", "busy"), "reason", "too many wait")},
		{"unstored", receipt, nil, &fakeIntake{submit: failsWith(&ingest.BusyError{Reason: "the spool is full", Storage: true})},
			with(line(503, 37, 0, 0, 0, 0, 0, 0, 0, "WARN", "unstored"), "reason", "the spool is full")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			g := newGate(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(&out, nil)) })
			r := request(tt.body)
			r.Header.Set("X-Request-Id", "r1")
			if tt.change != nil {
				tt.change(r)
			}
			serve(g.SMS(tt.intake), r)
			text := out.String()
			var got map[string]any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("not one line of JSON: %v\n%s", err, text)
			}
			delete(got, "time")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			for _, private := range []string{secret, "sesame", number} {
				if strings.Contains(text, private) {
					t.Errorf("%s is in the log: %s", private, text)
				}
			}
		})
	}
}

// A panic is logged with its place, and not with its text, which may hold a part of the payload.
func TestPanicIsLogged(t *testing.T) {
	var out bytes.Buffer
	g := newGate(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	w := serve(g.SMS(&fakeIntake{}), request(`{"messageId":"+15550100","status":"X","sender":"panic"}`))
	if text := out.String(); w.Code != 503 || !strings.Contains(text, "ReadSMS") || strings.Contains(text, "5550100") {
		t.Errorf("got %d, logged %s", w.Code, text)
	}
}
