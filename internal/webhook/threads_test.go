package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

// fakeThreads reads events as they are read, and keeps what is submitted. The revision of a thread is
// the version of its event, and so is that of the parent of a split; an event without a version is
// stale, and so is one that is known.
type fakeThreads struct {
	reader ingest.Reader

	mu     sync.Mutex
	known  map[string]bool
	stored []ingest.Reading

	// submit stands in for what is durable, if set.
	submit func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
}

func (f *fakeThreads) ReadThread(raw []byte, received time.Time) ingest.Reading {
	if bytes.Contains(raw, []byte("panic")) {
		panic("the reader broke on " + string(raw))
	}
	return f.reader.ReadThread(raw, received)
}

func (f *fakeThreads) Submit(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
	if f.submit != nil {
		return f.submit(ctx, readings)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil {
		f.known = make(map[string]bool)
	}
	f.stored = append(f.stored, readings...)
	answers := make([]ingest.Answer, len(readings))
	for i, r := range readings {
		e := r.Entry.Thread
		if e == nil {
			continue
		}
		key := string(e.Key[:])
		answers[i] = ingest.Answer{Duplicate: f.known[key], Stale: f.known[key] || e.Version == 0, Rev: e.Version}
		f.known[key] = true
		if e.TakesFromParent() {
			answers[i].ParentRev = e.Version
		}
	}
	return answers, nil
}

// durable returns how many events were submitted.
func (f *fakeThreads) durable() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.stored)
}

func event(id string, version int) string {
	return fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":%q,"version":%d,"messages":[{"id":"m","text":"private words"}]}}`, id, version)
}

// splitOff is an event by which a message of a parent becomes a thread of its own.
func splitOff(id, parent string, version int) string {
	return fmt.Sprintf(`{"event":"THREAD_SPLIT","data":{"threadId":%q,"parentThreadId":%q,"version":%d,"messages":[{"id":"m"}]}}`, id, parent, version)
}

const (
	noType     = `{"data":{"threadId":"t"}}`
	noTypeWhy  = `"error":"/event: is required"`
	noTypeList = `"fields":[{"path":"/event","error":"is required"}]`
	isIgnored  = `"status":"IGNORED","reason":"NO_DELTA_OR_STALE"`
)

func TestThreadEvent(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		submit func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
		status int
		want   string
		kept   int
	}{
		{"good", event("t", 1), nil, 200, `{"status":"ACCEPTED"}`, 1},
		{"spaces and a mark around", "\xef\xbb\xbf\r\n " + event("t", 1) + " \n", nil, 200, `{"status":"ACCEPTED"}`, 1},
		{"stale", event("t", 0), nil, 200, `{` + isIgnored + `}`, 1},
		{"known", event("t", 1), answersWith(ingest.Answer{Duplicate: true, Stale: true, Rev: 1}), 200, `{` + isIgnored + `}`, 0},
		{"spooled", event("t", 1), answersWith(ingest.Answer{Spooled: true}), 200, `{"status":"ACCEPTED","queuedForRetry":true}`, 0},
		{"invalid", noType, nil, 422, `{` + noTypeWhy + `,"threadId":"t",` + noTypeList + `}`, 1},
		{"invalid and spooled", noType, answersWith(ingest.Answer{Spooled: true}), 422, `{` + noTypeWhy + `,"threadId":"t",` + noTypeList + `}`, 0},
		{"id that needs escapes", `{"data":{"threadId":"a\"\\é"}}`, nil, 422, `{` + noTypeWhy + `,"threadId":"a\"\\é",` + noTypeList + `}`, 1},
		{"invalid in a list", `{"event":"THREAD_UPDATED","data":{"threadId":"t","messages":[{"id":"m"},{}]}}`, nil,
			422, `{"error":"/data/messages/1/id: is required","threadId":"t","fields":[{"path":"/data/messages/1/id","error":"is required"}]}`, 1},
		{"no id", `{"event":"THREAD_UPDATED","data":{}}`, nil,
			422, `{"error":"/data/threadId: is required","fields":[{"path":"/data/threadId","error":"is required"}]}`, 1},
		{"refused by the database", event("t", 1), answersWith(ingest.Answer{Refused: true}),
			422, `{"error":"the event cannot be stored; it is kept as a dead letter","threadId":"t"}`, 0},
		{"broken array", `[` + event("t", 1), nil, 400, `{"error":"malformed JSON: it ends too early"}`, 1},
		{"busy", event("t", 1), failsWith(&ingest.BusyError{Reason: "the spool is full"}), 503, `{"error":"the spool is full"}`, 0},
		{"unexpected", event("t", 1), failsWith(errors.New("disk sda1 on fire")), 503, `{"error":"internal error; try again"}`, 0},
		{"no answer", event("t", 1), answersNothing, 503, `{"error":"internal error; try again"}`, 0},
		{"panic", event("panic", 1), nil, 503, `{"error":"internal error; try again"}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeThreads{submit: tt.submit}
			g := newGate(t, nil)
			checkAnswer(t, g, serve(g.Threads(f, nil), request(tt.body)).Result(), tt.status, tt.want)
			if n := f.durable(); n != tt.kept {
				t.Errorf("%d events were kept, want %d", n, tt.kept)
			}
		})
	}
}

func answersNothing(context.Context, []ingest.Reading) ([]ingest.Answer, error) { return nil, nil }

func checkAnswer(t *testing.T, g *Gate, response *http.Response, status int, want string) {
	t.Helper()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status || body.String() != want {
		t.Errorf("got %d %s\nwant %d %s", response.StatusCode, body.String(), status, want)
	}
	if !json.Valid(body.Bytes()) || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the answer is not JSON: %s", body.String())
	}
	if got := response.Header.Get("Retry-After"); (got != "") != (status == 503) {
		t.Errorf("%d with Retry-After %q", status, got)
	}
	checkNothingHeld(t, g)
}

func checkNothingHeld(t *testing.T, g *Gate) {
	t.Helper()
	l, w := &g.load, &g.waiting
	if l.bytes.Load() != 0 || l.requests.Load() != 0 || w.bytes.Load() != 0 || w.requests.Load() != 0 {
		t.Errorf("%d bytes and %d requests are still in flight, %d bytes and %d requests still wait",
			l.bytes.Load(), l.requests.Load(), w.bytes.Load(), w.requests.Load())
	}
}

func TestMalformedThreadEvent(t *testing.T) {
	for _, body := range []string{"", "{", `{"event":`, "\xff", strings.Repeat(`{"a":`, 100)} {
		f := &fakeThreads{}
		w := serve(newGate(t, nil).Threads(f, nil), request(body))
		if w.Code != 400 || !strings.HasPrefix(w.Body.String(), `{"error":"malformed JSON: `) || f.durable() != 1 {
			t.Errorf("%.20q: got %d %s, kept %d", body, w.Code, w.Body, f.durable())
		}
	}
}

func TestThreadArray(t *testing.T) {
	const (
		isAccepted = `{"threadId":"t","status":"ACCEPTED"}`
		isRejected = `{"threadId":"t","status":"REJECTED",` + noTypeWhy + `,` + noTypeList + `}`
		noObject   = `{"threadId":null,"status":"REJECTED","error":"must be an object","fields":[{"path":"","error":"must be an object"}]}`
	)
	tests := []struct {
		name   string
		items  []string
		submit func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
		status int
		want   string
		kept   int
	}{
		{"empty", nil, nil, 200, `{"status":"ACCEPTED","results":[]}`, 0},
		{"one", []string{event("t", 1)}, nil, 200, `{"status":"ACCEPTED","results":[` + isAccepted + `]}`, 1},
		{"in their order", []string{event("b", 1), event("a", 1), event("b", 2)}, nil,
			200, `{"status":"ACCEPTED","results":[{"threadId":"b","status":"ACCEPTED"},{"threadId":"a","status":"ACCEPTED"},{"threadId":"b","status":"ACCEPTED"}]}`, 3},
		{"stale and known", []string{event("t", 1), event("t", 0), event("t", 1)}, nil,
			200, `{"status":"ACCEPTED","results":[` + isAccepted + `,{"threadId":"t",` + isIgnored + `},{"threadId":"t",` + isIgnored + `}]}`, 3},
		{"all stale", []string{event("t", 0)}, nil, 200, `{"status":"ACCEPTED","results":[{"threadId":"t",` + isIgnored + `}]}`, 1},
		{"some invalid", []string{noType, event("t", 1), "7"}, nil,
			200, `{"status":"ACCEPTED","results":[` + isRejected + `,` + isAccepted + `,` + noObject + `]}`, 3},
		{"all invalid", []string{noType, "7"}, nil,
			422, `{"error":"every item is refused","status":"REJECTED","results":[` + isRejected + `,` + noObject + `]}`, 2},
		{"refused by the database", []string{event("t", 1), event("u", 1)},
			func(context.Context, []ingest.Reading) ([]ingest.Answer, error) {
				return []ingest.Answer{{Rev: 1}, {Refused: true}}, nil
			},
			200, `{"status":"ACCEPTED","results":[` + isAccepted +
				`,{"threadId":"u","status":"REJECTED","error":"the event cannot be stored; it is kept as a dead letter"}]}`, 0},
		{"spooled", []string{event("t", 1), noType}, answersWith(ingest.Answer{Spooled: true}),
			200, `{"status":"ACCEPTED","queuedForRetry":true,"results":[{"threadId":"t","status":"ACCEPTED","queuedForRetry":true},` +
				`{"threadId":"t","status":"REJECTED","queuedForRetry":true,` + noTypeWhy + `,` + noTypeList + `}]}`, 0},
		{"busy", []string{event("t", 1)}, failsWith(&ingest.BusyError{Reason: "the spool is full"}), 503, `{"error":"the spool is full"}`, 0},
		{"panic", []string{event("t", 1), event("panic", 1)}, nil, 503, `{"error":"internal error; try again"}`, 0},
		{"too many", strings.Split(strings.Repeat("1", 11), ""), nil, 413, `{"error":"the array has more than 10 items"}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeThreads{submit: tt.submit}
			g := newGate(t, func(o *Options) { o.Limits.Items = 10 })
			checkAnswer(t, g, serve(g.Threads(f, nil), request("["+strings.Join(tt.items, " ,")+"]")).Result(), tt.status, tt.want)
			if n := f.durable(); n != tt.kept {
				t.Errorf("%d events were kept, want %d", n, tt.kept)
			}
		})
	}
}

// Both webhooks keep out strangers and share their limits.
func TestThreadsAreBehindTheSameGate(t *testing.T) {
	f := &fakeThreads{}
	r := request(event("t", 1))
	r.Header.Set(headerSecret, "sesame")
	if w := serve(newGate(t, nil).Threads(f, nil), r); w.Code != 401 || f.durable() != 0 {
		t.Errorf("a stranger got %d, kept %d", w.Code, f.durable())
	}
	receipts, begun, release := holding()
	defer release()
	g := newGate(t, func(o *Options) { o.Limits.Requests = 1 })
	finish := occupy(t, g.SMS(receipts), begun, receipt)
	if w := serve(g.Threads(f, nil), request(event("t", 1))); w.Code != 503 || f.durable() != 0 {
		t.Errorf("with a receipt in flight: got %d %s", w.Code, w.Body)
	}
	release()
	finish()
}

func TestThreadsAreLoggedAndCounted(t *testing.T) {
	array := "[" + strings.Join([]string{event("t", 1), event("t", 0), event("t", 1), noType}, ",") + "]"
	tests := []struct {
		name string
		body string
		want map[string]any
	}{
		{"good", event("t", 1), map[string]any{"level": "INFO", "status": 200.0, "outcome": "accepted", "items": 1.0, "accepted": 1.0, "thread_id": "t"}},
		{"stale", event("t", 0), map[string]any{"level": "INFO", "status": 200.0, "outcome": "stale", "items": 1.0, "accepted": 1.0, "stale": 1.0, "thread_id": "t"}},
		{"invalid", noType, map[string]any{"level": "WARN", "status": 422.0, "outcome": "refused", "items": 1.0, "refused": 1.0, "thread_id": "t"}},
		{"array", array, map[string]any{"level": "INFO", "status": 200.0, "outcome": "accepted", "items": 4.0,
			"accepted": 2.0, "duplicates": 1.0, "refused": 1.0, "stale": 1.0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			registry := prometheus.NewRegistry()
			g := newGate(t, func(o *Options) {
				o.Logger, o.Registry = slog.New(slog.NewJSONHandler(&out, nil)), registry
			})
			r := request(tt.body)
			r.Header.Set("X-Request-Id", "r1")
			serve(g.Threads(&fakeThreads{}, nil), r)
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("not one line of JSON: %v\n%s", err, out.String())
			}
			delete(got, "time")
			counted := map[string]float64{fmt.Sprint("requests_total ", tt.want["outcome"], " threads ", tt.want["status"]): 1, "request_duration_seconds threads": 1}
			for label, sample := range map[string]string{"accepted": "events_total accepted threads", "duplicates": "events_total duplicate threads",
				"refused": "events_total refused threads", "stale": "marked_events_total stale threads"} {
				if n, ok := tt.want[label]; ok {
					counted[sample] = n.(float64)
				}
			}
			for name, value := range map[string]any{"msg": "webhook", "route": "threads", "request_id": "r1", "bytes": float64(len(tt.body)), "duration_us": 0.0} {
				tt.want[name] = value
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the line (-want +got):\n%s", diff)
			}
			if strings.Contains(out.String(), "private") {
				t.Errorf("text of a message is in the log: %s", out.String())
			}
			if diff := cmp.Diff(counted, samples(t, registry)); diff != "" {
				t.Errorf("the metrics (-want +got):\n%s", diff)
			}
		})
	}
}
