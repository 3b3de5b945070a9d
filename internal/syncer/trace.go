package syncer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cxbridge/cxbridge/internal/store"
)

// newTracer returns nil when there are no traces.
func newTracer(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		return nil
	}
	return p.Tracer("github.com/cxbridge/cxbridge/internal/syncer")
}

// beginSpan begins the span of a push. It continues the trace of the event that last raised the
// thread's revision, whichever process took that in. A thread that no traced event raised is not
// traced.
func (s *Syncer) beginSpan(ctx context.Context, work *store.Work) (context.Context, trace.Span) {
	if s.tracer == nil || work.Row.Sync.Trace == "" {
		return ctx, noop.Span{}
	}
	parent := propagation.MapCarrier{"traceparent": work.Row.Sync.Trace}
	return s.tracer.Start(propagation.TraceContext{}.Extract(ctx, parent), "crm.push", trace.WithAttributes(
		attribute.String("cxbridge.thread_id", work.ThreadID),
		attribute.Int64("cxbridge.revision", work.Row.Sync.Want),
		attribute.Int("cxbridge.failed_attempts", work.Row.Sync.Attempts),
	))
}

// endSpan sets on the span how a push ended: nothing that the log does not say.
func endSpan(span trace.Span, r *report) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("cxbridge.outcome", string(r.outcome)),
		attribute.String("cxbridge.request_id", r.requestID),
		attribute.Int64("cxbridge.version", r.version),
		attribute.Int("cxbridge.requests", r.requests),
		attribute.Int("cxbridge.conflicts", r.conflicts),
	)
	if r.status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(r.status))
	}
	if r.reason != "" {
		span.SetStatus(codes.Error, r.reason)
	}
	span.End()
}

// sampledID returns the id of a span's trace, "" when the trace is not sampled.
func sampledID(span trace.Span) string {
	c := span.SpanContext()
	if !c.IsSampled() {
		return ""
	}
	return c.TraceID().String()
}
