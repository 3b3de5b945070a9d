package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

const (
	callersTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersParent = "00-" + callersTrace + "-00f067aa0ba902b7-01"
)

// recorded returns a provider of traces and what it has recorded.
func recorded(ratio float64) (trace.TracerProvider, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)))), recorder
}

// attributesOf returns the attributes of a span as text.
func attributesOf(span sdktrace.ReadOnlySpan) map[string]string {
	all := make(map[string]string)
	for _, a := range span.Attributes() {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}

// The span of a request goes on with the caller's trace, and the events carry it along.
func TestTrace(t *testing.T) {
	provider, recorder := recorded(0) // the caller decides
	var out bytes.Buffer
	var stored []ingest.Reading
	var during trace.SpanContext
	intake := &fakeThreads{submit: func(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
		stored, during = readings, trace.SpanContextFromContext(ctx)
		return make([]ingest.Answer, len(readings)), nil
	}}
	g := newGate(t, func(o *Options) { o.Traces, o.Logger = provider, slog.New(slog.NewTextHandler(&out, nil)) })
	r := request(`[` + event("t", 1) + `,` + event("u", 1) + `]`)
	r.Header.Set("Traceparent", callersParent)
	r.Header.Set("X-Request-Id", "r1")
	if w := serve(g.Threads(intake, nil), r); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	spans := recorder.Ended()
	if len(spans) != 2 || spans[0].Name() != "commit" || spans[1].Name() != "webhook threads" {
		t.Fatalf("the spans are %v", spans)
	}
	commit, request := spans[0], spans[1]
	if request.SpanContext().TraceID().String() != callersTrace || request.Parent().SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("the request is in trace %s under %s", request.SpanContext().TraceID(), request.Parent().SpanID())
	}
	if commit.Parent().SpanID() != request.SpanContext().SpanID() || during.SpanID() != commit.SpanContext().SpanID() {
		t.Error("the commit is not within the request")
	}
	want := "00-" + callersTrace + "-" + request.SpanContext().SpanID().String() + "-01"
	for _, reading := range stored {
		if reading.Entry.Trace != want {
			t.Errorf("%s carries %q, want %q", reading.Subject, reading.Entry.Trace, want)
		}
	}
	attributes := attributesOf(request)
	if attributes["cxbridge.outcome"] != "accepted" || attributes["cxbridge.events"] != "2" || attributes["cxbridge.request_id"] != "r1" {
		t.Errorf("the attributes are %v", attributes)
	}
	if !strings.Contains(out.String(), "trace_id="+callersTrace) {
		t.Errorf("logged without the trace: %s", out.String())
	}
}

// The wait for the CRM shows within the request.
func TestTraceOfAWait(t *testing.T) {
	provider, recorder := recorded(1)
	crm := &fakeCRM{}
	crm.has("t", 1)
	prefer(newGate(t, func(o *Options) { o.Traces, o.Now = provider, time.Now }), crm, &fakeThreads{}, "wait=10", event("t", 1))
	var names []string
	for _, span := range recorder.Ended() {
		names = append(names, span.Name())
	}
	if diff := cmp.Diff([]string{"commit", "wait for the CRM", "webhook threads"}, names); diff != "" {
		t.Errorf("the spans (-want +got):\n%s", diff)
	}
	if outcome := attributesOf(recorder.Ended()[2])["cxbridge.outcome"]; outcome != "synced" {
		t.Errorf("the outcome is %s", outcome)
	}
}

// What is not sampled leaves nothing behind.
func TestNoTrace(t *testing.T) {
	for name, traces := range map[string]float64{"off": -1, "not sampled": 0} {
		t.Run(name, func(t *testing.T) {
			provider, recorder := recorded(traces)
			if traces < 0 {
				provider = nil
			}
			var out bytes.Buffer
			intake := &fakeThreads{}
			g := newGate(t, func(o *Options) { o.Traces, o.Logger = provider, slog.New(slog.NewTextHandler(&out, nil)) })
			serve(g.Threads(intake, nil), request(event("t", 1)))
			if len(intake.stored) != 1 || intake.stored[0].Entry.Trace != "" {
				t.Errorf("the event carries %+v", intake.stored)
			}
			if len(recorder.Ended()) > 0 || strings.Contains(out.String(), "trace_id") {
				t.Errorf("spans %v, logged %s", recorder.Ended(), out.String())
			}
		})
	}
}

// Requests of strangers are not traced, whatever they ask for.
func TestStrangersAreNotTraced(t *testing.T) {
	provider, recorder := recorded(1)
	h := newGate(t, func(o *Options) { o.Traces = provider }).SMS(&fakeIntake{})
	for name, value := range map[string]string{
		headerSecret: "sesame", headerRequestSignature: sign("sesame", receipt), "X": "y",
	} {
		r := request(receipt)
		r.Header.Del(headerSecret)
		r.Header.Set(name, value)
		r.Header.Set("Traceparent", callersParent)
		if w := serve(h, r); w.Code != http.StatusUnauthorized {
			t.Fatalf("%s: %d", name, w.Code)
		}
	}
	if spans := recorder.Started(); len(spans) > 0 {
		t.Errorf("spans of strangers: %v", spans)
	}
	r := request(receipt)
	r.Header.Del(headerSecret)
	r.Header.Set(headerRequestSignature, sign(secret, receipt))
	serve(h, r)
	if spans := recorder.Ended(); len(spans) != 2 {
		t.Errorf("%d spans of a caller who signs, want 2", len(spans))
	}
}

// Spans tell what failed, and nothing of the payload or the credentials.
func TestTraceOfFailures(t *testing.T) {
	const private = "+15550100"
	body := strings.Replace(receipt, "}", `,"to":"`+private+`"}`, 1)
	for _, tt := range []struct {
		name    string
		submit  func(context.Context, []ingest.Reading) ([]ingest.Answer, error)
		outcome string
		isError bool
	}{
		{"accepted", answersWith(ingest.Answer{}), "accepted", false},
		{"busy", failsWith(&ingest.BusyError{Reason: "the spool is full"}), "busy", true},
		{"error", failsWith(errors.New(private)), "error", true},
		{"panic", func(context.Context, []ingest.Reading) ([]ingest.Answer, error) { panic(private) }, "panic", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			provider, recorder := recorded(1)
			h := newGate(t, func(o *Options) { o.Traces = provider }).SMS(&fakeIntake{submit: tt.submit})
			serve(h, request(body))
			spans := recorder.Ended()
			if len(spans) != 2 || len(recorder.Started()) != 2 {
				t.Fatalf("%d spans began and %d ended, want 2", len(recorder.Started()), len(spans))
			}
			if got := attributesOf(spans[1])["cxbridge.outcome"]; got != tt.outcome || (spans[1].Status().Description != "") != tt.isError {
				t.Errorf("outcome %q, status %+v", got, spans[1].Status())
			}
			for _, span := range spans {
				text := span.Status().Description
				for name, value := range attributesOf(span) {
					text += name + value
				}
				for _, event := range span.Events() {
					text += fmt.Sprint(event)
				}
				if strings.Contains(text, private) || strings.Contains(text, secret) {
					t.Errorf("%s tells %s", span.Name(), text)
				}
			}
		})
	}
}
