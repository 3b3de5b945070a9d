package rest

import (
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced returns a client that makes the same calls and traces those whose context is traced.
func traced(plain *http.Client, traces trace.TracerProvider) *http.Client {
	if traces == nil {
		return plain
	}
	client := *plain
	client.Transport = otelhttp.NewTransport(plain.Transport,
		otelhttp.WithTracerProvider(traces),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool {
			return trace.SpanContextFromContext(r.Context()).IsSampled()
		}),
	)
	return &client
}
