// Package telemetry makes visible what cxbridge does: traces by OpenTelemetry, and the metrics that
// are taken from the database or the binary.
//
//	traces.go   traces to a collector, by OTLP over HTTP
//	exporter.go what happens while the collector is away
//	backlog.go  what waits in the database
//	build.go    the version of the program
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const (
	// exportTimeout bounds one attempt to hand spans to the collector.
	exportTimeout = 10 * time.Second

	// flushTimeout bounds how long Close waits for the collector to take what is left.
	flushTimeout = 3 * time.Second

	// maxAttribute bounds the text of an attribute, in characters: ids come from outside.
	maxAttribute = 256
)

// TraceConfig says where traces go.
type TraceConfig struct {
	Endpoint string  // base URL of the collector, to which /v1/traces is added; "" for no traces
	Ratio    float64 // share of the requests that are traced, unless the caller has decided: 0 to 1
	Version  string  // of the program

	Registry prometheus.Registerer
	Log      *slog.Logger
}

// Traces sends spans to a collector, in the background: whoever makes a span never waits for it.
// Spans that the collector does not take in time are dropped. A nil *Traces is off, and costs
// nothing.
//
// Everything else is taken from the environment variables of OpenTelemetry, such as the headers and the
// certificate for the collector, or more attributes of the resource.
type Traces struct {
	provider *sdktrace.TracerProvider
	exporter *exporter
}

// OpenTraces begins to send traces. It makes no call itself; the collector need not be there. It returns
// nil when c names no collector.
func OpenTraces(ctx context.Context, c TraceConfig) (*Traces, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	options, err := collectorAt(c.Endpoint)
	if err != nil {
		return nil, err
	}
	otlp, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("cxbridge"), semconv.ServiceVersion(c.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	e := newExporter(otlp, c.Registry, c.Log)
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttribute
	return &Traces{exporter: e, provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(e, sdktrace.WithExportTimeout(exportTimeout)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Ratio))),
		sdktrace.WithResource(about), sdktrace.WithRawSpanLimits(limits),
	)}, nil
}

// CheckCollector sends the collector an empty batch, once, and returns an error unless it is accepted, as
// https://opentelemetry.io/docs/specs/otlp/#otlphttp-response wants it.
func CheckCollector(ctx context.Context, endpoint string) error {
	options, err := collectorAt(endpoint)
	if err != nil {
		return err
	}
	client := otlptracehttp.NewClient(append(options, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))...)
	if err := client.Start(ctx); err != nil {
		return err
	}
	return errors.Join(client.UploadTraces(ctx, nil), client.Stop(context.WithoutCancel(ctx)))
}

// collectorAt says how to reach the collector at an endpoint.
func collectorAt(endpoint string) ([]otlptracehttp.Option, error) {
	address, err := url.JoinPath(endpoint, "v1", "traces")
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(address), otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithProxy(proxyOf),
	}, nil
}

// proxyOf stops redirects, which would carry the headers for the collector to a place that nobody
// configured. A client of our own could refuse them as well, but then the exporter would not use the
// certificates that the variables of OpenTelemetry name.
func proxyOf(r *http.Request) (*url.URL, error) {
	if r.Response != nil {
		return nil, fmt.Errorf("the collector redirects to %s, which is not followed: check OTEL_EXPORTER_OTLP_ENDPOINT", r.URL.Host)
	}
	return http.ProxyFromEnvironment(r)
}

// Provider returns the provider of tracers, or nil when there are no traces.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Close hands the spans that have ended to the collector. It waits for at most three seconds: spans that
// the collector has not taken by then are dropped.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.exporter.abort()
	}
}
