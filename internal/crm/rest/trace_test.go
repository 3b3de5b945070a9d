package rest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/crm/crmtest"
	"github.com/cxbridge/cxbridge/internal/crm/rest"
	"github.com/cxbridge/cxbridge/internal/requestid"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// newTraces returns a provider of traces that samples all, and what it has recorded.
func newTraces() (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), recorder
}

// A client that is traced is as good as one that is not.
func TestSuiteWithTraces(t *testing.T) {
	provider, _ := newTraces()
	crmtest.Run(t, func(t *testing.T) (crm.Sink, crmtest.CRM) {
		far := sim.NewCRM(token)
		return newClient(t, far, func(c *rest.Config) { c.Traces = provider }), far
	})
}

// The CRM gets the trace context and the request id of a call that has them.
func TestTraceContext(t *testing.T) {
	var got []http.Header
	far := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header)
		io.WriteString(w, `{"version":7}`)
	})
	provider, recorder := newTraces()
	ctx, span := provider.Tracer("test").Start(requestid.With(t.Context(), "r1"), "push")
	c := newClient(t, far, func(c *rest.Config) { c.Traces = provider })
	if _, err := c.Patch(ctx, patch); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Patch(t.Context(), patch); err != nil {
		t.Fatal(err)
	}
	off := newClient(t, far)
	if _, err := off.Patch(ctx, patch); err != nil {
		t.Fatal(err)
	}
	spans := recorder.Ended()
	if len(spans) != 1 || spans[0].Parent().SpanID() != span.SpanContext().SpanID() {
		t.Fatalf("the spans are %v, want one within that of the push", spans)
	}
	request := spans[0].SpanContext()
	want := "00-" + request.TraceID().String() + "-" + request.SpanID().String() + "-01"
	for i, want := range []struct{ trace, id string }{{want, "r1"}, {"", ""}, {"", "r1"}} {
		if trace, id := got[i].Get("Traceparent"), got[i].Get(requestid.Header); trace != want.trace || id != want.id {
			t.Errorf("call %d has the trace context %q and the id %q, want %+v", i, trace, id, want)
		}
	}
	for _, a := range spans[0].Attributes() {
		if text := a.Value.String(); strings.Contains(text, token) || strings.Contains(text, private) {
			t.Errorf("%s is %q", a.Key, text)
		}
	}
}
