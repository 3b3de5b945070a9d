package syncer

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/requestid"
)

const (
	eventsTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	eventsSpan  = "00f067aa0ba902b7"
)

// setTrace notes with which trace a thread was raised.
func (m *memory) setTrace(threadID, traceparent string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[threadID].Sync.Trace = traceparent
}

// call is what a request to the CRM was made with.
type call struct {
	threadID, requestID string
	span                trace.SpanContext
}

// calls are the requests to a CRM.
type calls struct {
	mu  sync.Mutex
	all []call
}

func (c *calls) note(ctx context.Context, _, threadID string) mishap {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call{threadID, requestid.From(ctx), trace.SpanContextFromContext(ctx)})
	return mishap{}
}

// traceOnce pushes two threads, the first one raised by a traced event, and returns the requests.
func traceOnce(t *testing.T, log *slog.Logger, provider trace.TracerProvider) (made []call) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink, c := newMemory(), newCRM(), &calls{}
		sink.trouble = c.note
		queue.commit(event("traced", 1, "m1", "private words"), event("plain", 1, "m1", "private words"))
		queue.setTrace("traced", "00-"+eventsTrace+"-"+eventsSpan+"-01")
		start(t, queue, sink, func(s *Syncer) { s.tracer, s.log = newTracer(provider), log })
		mustSync(t, queue, time.Minute)
		made = c.all
	})
	return made
}

func TestPushContinuesTheTrace(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	var out bytes.Buffer
	made := traceOnce(t, slog.New(slog.NewTextHandler(&out, nil)), provider)

	spans := recorder.Ended()
	if len(spans) != 1 || len(recorder.Started()) != 1 {
		t.Fatalf("%d spans began, %d ended, want one", len(recorder.Started()), len(spans))
	}
	span := spans[0]
	if span.Name() != "crm.push" || span.SpanContext().TraceID().String() != eventsTrace || span.Parent().SpanID().String() != eventsSpan {
		t.Errorf("%s in trace %s under %s", span.Name(), span.SpanContext().TraceID(), span.Parent().SpanID())
	}
	got := make(map[string]string)
	for _, a := range span.Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	id := got["cxbridge.request_id"]
	want := map[string]string{
		"cxbridge.thread_id": "traced", "cxbridge.revision": "1", "cxbridge.failed_attempts": "0", "cxbridge.outcome": "acknowledged",
		"cxbridge.request_id": id, "cxbridge.version": "1", "cxbridge.requests": "2", "cxbridge.conflicts": "0",
		"http.response.status_code": "200",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the attributes (-want +got):\n%s", diff)
	}
	for _, c := range made {
		if isTraced := c.threadID == "traced"; isTraced != (c.span.SpanID() == span.SpanContext().SpanID()) {
			t.Errorf("a request for %s has the span %s", c.threadID, c.span.SpanID())
		}
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "thread_id=traced") != strings.Contains(line, "trace_id="+eventsTrace) {
			t.Errorf("logged: %s", line)
		}
	}
}

// Without traces, what the row keeps goes nowhere.
func TestNoTraces(t *testing.T) {
	for _, c := range traceOnce(t, slog.New(slog.DiscardHandler), nil) {
		if c.span.IsValid() {
			t.Errorf("a request for %s has the span %s", c.threadID, c.span.SpanID())
		}
	}
}

// The requests of a push have one id, which the log tells, and another push has another.
func TestRequestIDs(t *testing.T) {
	var out bytes.Buffer
	ids := make(map[string]string)
	made := traceOnce(t, slog.New(slog.NewTextHandler(&out, nil)), nil)
	for _, c := range made {
		if known := ids[c.threadID]; c.requestID == "" || known != "" && known != c.requestID {
			t.Errorf("requests for %s have the ids %q and %q", c.threadID, known, c.requestID)
		}
		ids[c.threadID] = c.requestID
	}
	if len(made) != 4 || len(ids) != 2 || ids["traced"] == ids["plain"] {
		t.Errorf("%d requests with the ids %v", len(made), ids)
	}
	for threadID, id := range ids {
		if !strings.Contains(out.String(), "thread_id="+threadID+" outcome=acknowledged request_id="+id) {
			t.Errorf("%s of %s is not logged: %s", id, threadID, out.String())
		}
	}
}

// requestsByClass reads the counter of the requests to the CRM.
func requestsByClass(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != "cxbridge_crm_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n != 0 {
				found[m.GetLabel()[0].GetValue()] = n
			}
		}
	}
	return found
}

func TestRequestsByClass(t *testing.T) {
	queue := newMemory()
	queue.commit(event("t", 1, "m1", "one"))
	registry := prometheus.NewRegistry()
	metrics := NewMetrics(registry)
	for _, answers := range [][]answer{
		{fails("PATCH", refusal(crm.ClassFailed, 500))},
		{fails("PATCH", refusal(crm.ClassThrottled, 429))},
		{gone("PATCH"), conflict("POST"), tells(1), ok("PATCH")},
	} {
		a, _ := pushOnce(t, queue, answers...)
		metrics.ended(&a.report)
	}
	queue.commit(event("t", 2, "m2", "two"))
	a, _ := pushOnce(t, queue, fails("PATCH", refusal(crm.ClassPermanent, 422)))
	metrics.ended(&a.report)
	queue.commit(event("t", 3, "m3", "three"))
	a, _ = pushOnce(t, queue, fails("PATCH", context.Canceled))
	metrics.ended(&a.report)

	want := map[string]float64{"failed": 1, "throttled": 1, "gone": 1, "conflict": 1, "ok": 2, "permanent": 1, "aborted": 1}
	if diff := cmp.Diff(want, requestsByClass(t, registry)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
