package webhook

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

const scope = "github.com/cxbridge/cxbridge/internal/webhook"

// noSpan is the span of a request that is not traced.
var noSpan trace.Span = noop.Span{}

// newTracer returns nil when there are no traces.
func newTracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		return nil
	}
	return p.Tracer(scope)
}

// beginSpan begins the span of a request, at the time it came. It continues the trace of a caller who
// has one. Until the caller is known there is no span: no stranger decides what is traced, or fills
// the traces with requests.
func (rt *route) beginSpan(v *visit, h http.Header) {
	if rt.gate.tracer == nil {
		return
	}
	ctx := propagation.TraceContext{}.Extract(v.ctx, propagation.HeaderCarrier(h))
	v.ctx, v.span = rt.gate.tracer.Start(ctx, "webhook "+rt.name,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(v.start),
		trace.WithAttributes(semconv.HTTPRequestMethodPost, attribute.String("cxbridge.request_id", v.id)))
}

// endSpan records what became of a request. Like the log, it holds nothing of the payload but the id
// of the message or thread.
func (v *visit) endSpan(rep *reply, took time.Duration) {
	if !v.span.IsRecording() {
		return
	}
	v.span.SetAttributes(
		semconv.HTTPResponseStatusCode(rep.status),
		attribute.String("cxbridge.outcome", rep.outcome),
		attribute.Int("cxbridge.events", rep.tally.items),
		attribute.Int("cxbridge.bytes", v.bytes),
	)
	if rep.subject != "" {
		v.span.SetAttributes(attribute.String("cxbridge.subject", rep.subject))
	}
	if rep.status >= http.StatusInternalServerError {
		v.span.SetStatus(codes.Error, rep.reason)
	}
	v.span.End(trace.WithTimestamp(v.start.Add(took)))
}

// childSpan begins a span within that of a request which is traced.
func childSpan(ctx context.Context, name string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noSpan
	}
	return parent.TracerProvider().Tracer(scope).Start(ctx, name)
}

// end ends a span. If span.End were deferred itself, it would see a panic and record its text, which
// may hold a part of the payload.
func end(span trace.Span) { span.End() }

// commit makes readings durable. Its span shows how long the request waited for the commit. The events
// carry the trace context of the request, so that the push of what they change continues the trace.
func commit(ctx context.Context, s Submitter, readings []ingest.Reading) (answers []ingest.Answer, err error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return s.Submit(ctx, readings)
	}
	if parent := traceparent(ctx); parent != "" {
		for i := range readings {
			readings[i].Entry.Trace = parent
		}
	}
	ctx, span := childSpan(ctx, "commit")
	defer end(span)
	if answers, err = s.Submit(ctx, readings); err != nil {
		span.SetStatus(codes.Error, "nothing was kept")
	}
	return answers, err
}

// traceparent returns the trace context in the form of the W3C header, "" when the request is not traced.
func traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := make(propagation.MapCarrier, 1)
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}
