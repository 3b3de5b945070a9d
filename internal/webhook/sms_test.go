package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

func TestSingleReceipt(t *testing.T) {
	type submit = func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
	tests := []struct {
		name   string
		body   string
		submit submit
		status int
		want   string
		kept   int
	}{
		{"good", `{"messageId":"m1","status":"DELIVRD"}`, nil,
			200, `{"acknowledged":true,"messageId":"m1"}`, 1},
		{"spaces around", "\r\n {\"messageId\":\"m1\",\"status\":\"X\"} \n", nil,
			200, `{"acknowledged":true,"messageId":"m1"}`, 1},
		{"byte order mark", "\xef\xbb\xbf{\"messageId\":\"m1\",\"status\":\"X\"}", nil,
			200, `{"acknowledged":true,"messageId":"m1"}`, 1},
		{"id that needs escapes", `{"messageId":"a\"\\\u0001\u2028é","status":"X"}`, nil,
			200, `{"acknowledged":true,"messageId":"a\"\\\u0001` + "\u2028" + `é"}`, 1},
		{"duplicate", `{"messageId":"m1","status":"X"}`, answersWith(ingest.Answer{Duplicate: true}),
			200, `{"acknowledged":true,"messageId":"m1","duplicate":true}`, 0},
		{"spooled", `{"messageId":"m1","status":"X"}`, answersWith(ingest.Answer{Spooled: true}),
			200, `{"acknowledged":true,"messageId":"m1","queuedForRetry":true}`, 0},
		{"flagged", `{"messageId":"m1","status":"X","sender":"flagged"}`, nil,
			200, `{"acknowledged":true,"messageId":"m1","validationWarning":"no \"sender\" like this"}`, 1},
		{"quarantined", `{"messageId":"m1","status":"X","sender":"quarantined"}`, nil,
			200, `{"acknowledged":true,"messageId":"m1","validationWarning":"no \"sender\" like this","quarantined":true}`, 1},
		{"all at once", `{"messageId":"m1","status":"X","sender":"quarantined"}`, answersWith(ingest.Answer{Duplicate: true, Spooled: true}),
			200, `{"acknowledged":true,"messageId":"m1","validationWarning":"no \"sender\" like this","duplicate":true,"queuedForRetry":true,"quarantined":true}`, 0},
		{"invalid", `{"messageId":"m1"}`, nil,
			422, `{"error":"/status: is missing","messageId":"m1","fields":[{"path":"/status","error":"is missing"}]}`, 1},
		{"invalid, without id", `{}`, nil,
			422, `{"error":"/messageId: is missing; /status: is missing","fields":[{"path":"/messageId","error":"is missing"},{"path":"/status","error":"is missing"}]}`, 1},
		{"no object", `"text"`, nil,
			422, `{"error":"is not an object","fields":[{"path":"","error":"is not an object"}]}`, 1},
		{"invalid and spooled", `{"messageId":"m1"}`, answersWith(ingest.Answer{Spooled: true}),
			422, `{"error":"/status: is missing","messageId":"m1","fields":[{"path":"/status","error":"is missing"}]}`, 0},
		{"refused by the database", `{"messageId":"m1","status":"X"}`, answersWith(ingest.Answer{Refused: true}),
			422, `{"error":"the event cannot be stored; it is kept as a dead letter","messageId":"m1"}`, 0},
		{"malformed", `{"messageId":`, nil, 400, `{"error":"malformed JSON: no JSON"}`, 1},
		{"empty", ``, nil, 400, `{"error":"malformed JSON: no JSON"}`, 1},
		{"malformed array", `[{"messageId":"m1","status":"X"}`, nil, 400, `{"error":"malformed JSON: it ends too early"}`, 1},
		{"busy", `{"messageId":"m1","status":"X"}`, failsWith(&ingest.BusyError{Reason: "the spool is full"}),
			503, `{"error":"the spool is full"}`, 0},
		{"invalid and busy", `{}`, failsWith(fmt.Errorf("submit: %w", &ingest.BusyError{Reason: "stopping"})),
			503, `{"error":"stopping"}`, 0},
		{"malformed and busy", `{`, failsWith(&ingest.BusyError{Reason: "stopping"}), 503, `{"error":"stopping"}`, 0},
		{"given up", `{"messageId":"m1","status":"X"}`, failsWith(context.Canceled),
			503, `{"error":"the request was given up before the commit"}`, 0},
		{"unexpected", `{"messageId":"m1","status":"X"}`, failsWith(errors.New("disk sda1 on fire")),
			503, `{"error":"internal error; try again"}`, 0},
		{"no answer", `{"messageId":"m1","status":"X"}`, func(context.Context, []ingest.Reading) ([]ingest.Answer, error) { return nil, nil },
			503, `{"error":"internal error; try again"}`, 0},
		{"panic", `{"messageId":"m1","status":"X","sender":"panic"}`, nil, 503, `{"error":"internal error; try again"}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeIntake{submit: tt.submit}
			g := newGate(t, nil)
			w := serve(g.SMS(f), request(tt.body))
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("the answer is not JSON: %s", w.Body)
			}
			if got := w.Header().Get("Retry-After"); (got != "") != (tt.status == 503) {
				t.Errorf("%d with Retry-After %q", tt.status, got)
			}
			if n := len(f.durable()); n != tt.kept {
				t.Errorf("%d events were kept, want %d", n, tt.kept)
			}
			if g.load.bytes.Load() != 0 || g.load.requests.Load() != 0 {
				t.Errorf("the request left %d bytes and %d requests behind", g.load.bytes.Load(), g.load.requests.Load())
			}
		})
	}
}

func TestArray(t *testing.T) {
	good := func(id string) string { return fmt.Sprintf(`{"messageId":%q,"status":"X"}`, id) }
	tests := []struct {
		name   string
		body   string
		submit func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
		status int
		want   string
		kept   int
	}{
		{"empty", ` [ ] `, nil, 200, `{"acknowledged":true,"accepted":0,"duplicates":0,"rejected":[]}`, 0},
		{"good", "[" + good("a") + " ,\n" + good("b") + "]", nil,
			200, `{"acknowledged":true,"accepted":2,"duplicates":0,"rejected":[]}`, 2},
		{"repeated", "[" + good("a") + "," + good("b") + "," + good("a") + "]", nil,
			200, `{"acknowledged":true,"accepted":2,"duplicates":1,"rejected":[]}`, 3},
		{"all known", "[" + good("a") + "," + good("b") + "]", answersWith(ingest.Answer{Duplicate: true}),
			200, `{"acknowledged":true,"accepted":0,"duplicates":2,"rejected":[]}`, 0},
		{"some invalid", `[{},` + good("a") + `,3,[` + good("b") + `],null]`, nil,
			200, `{"acknowledged":true,"accepted":1,"duplicates":0,"rejected":[` +
				`{"index":0,"error":"/messageId: is missing; /status: is missing"},{"index":2,"error":"is not an object"},` +
				`{"index":3,"error":"is not an object"},{"index":4,"error":"is not an object"}]}`, 5},
		{"all invalid", `[1]`, nil,
			422, `{"error":"every item is refused","acknowledged":false,"accepted":0,"duplicates":0,"rejected":[{"index":0,"error":"is not an object"}]}`, 1},
		{"invalid and known", "[1," + good("a") + "]", answersWith(ingest.Answer{Duplicate: true}),
			200, `{"acknowledged":true,"accepted":0,"duplicates":1,"rejected":[{"index":0,"error":"is not an object"}]}`, 0},
		{"one spooled", "[" + good("a") + "," + good("b") + "]",
			func(context.Context, []ingest.Reading) ([]ingest.Answer, error) {
				return []ingest.Answer{{}, {Spooled: true}}, nil
			},
			200, `{"acknowledged":true,"accepted":2,"duplicates":0,"rejected":[],"queuedForRetry":true}`, 0},
		{"one refused by the database", "[" + good("a") + "," + good("b") + "]",
			func(context.Context, []ingest.Reading) ([]ingest.Answer, error) {
				return []ingest.Answer{{}, {Refused: true}}, nil
			},
			200, `{"acknowledged":true,"accepted":1,"duplicates":0,"rejected":[{"index":1,"error":"the event cannot be stored; it is kept as a dead letter"}]}`, 0},
		{"flagged and quarantined", `[{"messageId":"a","status":"X","sender":"flagged"},{"messageId":"b","status":"X","sender":"quarantined"}]`, nil,
			200, `{"acknowledged":true,"accepted":2,"duplicates":0,"rejected":[],"flagged":1,"quarantined":1}`, 2},
		{"busy", "[" + good("a") + "]", failsWith(&ingest.BusyError{Reason: "the spool is full"}), 503, `{"error":"the spool is full"}`, 0},
		{"panic", "[" + good("a") + `,{"messageId":"b","status":"X","sender":"panic"}]`, nil, 503, `{"error":"internal error; try again"}`, 0},
		{"too many", "[" + strings.Repeat("1,", 9) + "1,1]", nil, 413, `{"error":"the array has more than 10 items"}`, 0},
		{"just not too many", "[" + strings.Repeat(good("a")+",", 9) + good("a") + "]", nil,
			200, `{"acknowledged":true,"accepted":1,"duplicates":9,"rejected":[]}`, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeIntake{submit: tt.submit}
			g := newGate(t, func(o *Options) { o.Limits.Items = 10 })
			w := serve(g.SMS(f), request(tt.body))
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if n := len(f.durable()); n != tt.kept {
				t.Errorf("%d events were kept, want %d", n, tt.kept)
			}
			if g.load.bytes.Load() != 0 || g.load.requests.Load() != 0 {
				t.Errorf("the request left %d bytes and %d requests behind", g.load.bytes.Load(), g.load.requests.Load())
			}
		})
	}
}

// What is kept is what came, byte for byte, and when it came.
func TestReadingsHoldTheRawText(t *testing.T) {
	items := []string{`{ "messageId":"a" ,"status":"X"}`, "{\n\"messageId\":\"b\",\"status\":\"é\"}", `{"messageId" : 3.50}`, "  7 "}
	f := &fakeIntake{}
	serve(newGate(t, nil).SMS(f), request("["+strings.Join(items, ",")+"]"))
	var got []string
	received := noon.Truncate(time.Microsecond)
	for _, r := range f.durable() {
		switch e := r.Entry; {
		case e.Receipt != nil && e.Receipt.Received.Equal(received):
			got = append(got, string(e.Receipt.Raw))
		case e.DeadLetter != nil && e.DeadLetter.Received.Equal(received):
			got = append(got, string(e.DeadLetter.Raw))
		}
	}
	items[3] = "7"
	if diff := cmp.Diff(items, got); diff != "" {
		t.Error(diff)
	}
}

// A broken array is one dead letter of the whole body.
func TestBrokenArrayIsKeptWhole(t *testing.T) {
	const body = `[{"messageId":"a","status":"X"}, oops]`
	f := &fakeIntake{}
	w := serve(newGate(t, nil).SMS(f), request(body))
	if want := `{"error":"malformed JSON: syntax error at byte 33"}`; w.Code != 400 || w.Body.String() != want {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
	kept := f.durable()
	if len(kept) != 1 || kept[0].Entry.DeadLetter == nil || string(kept[0].Entry.DeadLetter.Raw) != body {
		t.Errorf("kept %+v", kept)
	}
}

func TestRetryAfterIsWholeSeconds(t *testing.T) {
	for after, want := range map[time.Duration]string{
		-time.Second: "1", 0: "1", time.Millisecond: "1", time.Second: "1",
		time.Second + 1: "2", 90 * time.Second: "90",
	} {
		f := &fakeIntake{submit: failsWith(&ingest.BusyError{RetryAfter: after})}
		w := serve(newGate(t, nil).SMS(f), request(`{}`))
		if got := w.Header().Get("Retry-After"); w.Code != http.StatusServiceUnavailable || got != want {
			t.Errorf("%v: %d with Retry-After %s, want %s", after, w.Code, got, want)
		}
	}
}
