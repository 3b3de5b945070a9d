package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTraces(t *testing.T, endpoint string, ratio float64, log *slog.Logger) *Traces {
	t.Helper()
	traces, err := OpenTraces(t.Context(), TraceConfig{
		Endpoint: endpoint, Ratio: ratio, Version: "v1", Registry: prometheus.NewRegistry(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

var silent = slog.New(slog.DiscardHandler)

// flush sends what there is, however long it takes: Close does not wait for long.
func flush(t *testing.T, traces *Traces) {
	t.Helper()
	if err := traces.provider.ForceFlush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSpansReachTheCollector(t *testing.T) {
	var c telemetrytest.Collector
	server := httptest.NewServer(&c)
	defer server.Close()
	traces := openTraces(t, server.URL+"/", 1, silent)
	_, span := traces.Provider().Tracer("test").Start(t.Context(), "work")
	span.SetAttributes(attribute.String("long", strings.Repeat("é", 1000)))
	span.End()
	flush(t, traces)
	traces.Close()

	spans := c.Spans()
	if len(spans) != 1 || spans[0].Name != "work" || spans[0].Trace != span.SpanContext().TraceID().String() {
		t.Fatalf("the collector has %+v, refused %q", spans, c.Problems())
	}
	if long := spans[0].Attributes["long"]; long != strings.Repeat("é", maxAttribute) {
		t.Errorf("an attribute of 1000 characters has %d bytes", len(long))
	}
	if services := c.Services(); !slices.Equal(services, []string{"cxbridge"}) {
		t.Errorf("spans of %q", services)
	}
}

func TestSampling(t *testing.T) {
	for _, tt := range []struct {
		ratio  float64
		parent trace.TraceFlags // of a caller; 2 for none
		want   bool
	}{{1, 2, true}, {0, 2, false}, {0, trace.FlagsSampled, true}, {1, 0, false}} {
		traces := openTraces(t, "http://127.0.0.1:9", tt.ratio, silent)
		ctx := t.Context()
		if tt.parent != 2 {
			ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: tt.parent,
			}))
		}
		// It never ends, so nothing is sent.
		_, span := traces.Provider().Tracer("test").Start(ctx, "work")
		if got := span.SpanContext().IsSampled(); got != tt.want {
			t.Errorf("ratio %v, caller %v: sampled %t, want %t", tt.ratio, tt.parent, got, tt.want)
		}
		traces.Close()
	}
}

func TestOff(t *testing.T) {
	traces := openTraces(t, "", 1, silent)
	if traces != nil || traces.Provider() != nil {
		t.Errorf("%v of no endpoint", traces)
	}
	traces.Close()
}

func TestCheckCollector(t *testing.T) {
	var c telemetrytest.Collector
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	for name, tt := range map[string]struct {
		collector http.Handler // nil: nobody listens
		want      string       // in the error; "" for none
	}{
		"takes spans": {&c, ""},
		"other place": {http.NotFoundHandler(), "404"},
		"wrong token": {status(http.StatusUnauthorized), "401"},
		"in trouble":  {status(http.StatusServiceUnavailable), "request failure"},
		"redirects":   {http.RedirectHandler("https://login.example.com/", http.StatusFound), "login.example.com"},
		"nobody":      {nil, "refused"},
	} {
		server := httptest.NewServer(tt.collector)
		if tt.collector == nil {
			server.Close()
		}
		err := CheckCollector(t.Context(), server.URL)
		server.Close()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if len(c.Spans()) != 0 || len(c.Problems()) != 0 {
		t.Errorf("it was handed %+v, %q", c.Spans(), c.Problems())
	}
}

func TestCheckCollectorHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client is gone
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	if err := CheckCollector(ctx, server.URL); err == nil {
		t.Error("no error though it was cancelled")
	}
}

// A collector that is away is logged once, and its spans are lost.
func TestCollectorAway(t *testing.T) {
	var works atomic.Bool
	var c telemetrytest.Collector
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !works.Load() {
			w.WriteHeader(http.StatusBadRequest) // which is not tried again
			return
		}
		c.ServeHTTP(w, r)
	}))
	defer server.Close()
	var out bytes.Buffer
	traces := openTraces(t, server.URL, 1, slog.New(slog.NewTextHandler(&out, nil)))
	export := func() {
		_, span := traces.Provider().Tracer("test").Start(t.Context(), "work")
		span.End()
		if err := traces.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	export()
	export()
	works.Store(true)
	export()
	traces.Close()
	var m dto.Metric
	if err := traces.exporter.dropped.Write(&m); err != nil {
		t.Fatal(err)
	}
	if dropped := m.GetCounter().GetValue(); dropped != 2 || len(c.Spans()) != 1 {
		t.Errorf("%v spans are dropped, %d taken", dropped, len(c.Spans()))
	}
	text := out.String()
	if strings.Count(text, "does not take traces") != 1 || strings.Count(text, "takes traces again") != 1 {
		t.Errorf("logged: %s", text)
	}
}

// Neither the code that makes spans nor the end of the program waits for a collector that hangs.
func TestCollectorHangs(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	traces := openTraces(t, server.URL, 1, silent)
	tracer := traces.Provider().Tracer("test")
	made := make(chan struct{})
	go func() {
		defer close(made)
		for range 10_000 { // more than the queue of spans takes
			_, span := tracer.Start(context.Background(), "work")
			span.End()
		}
	}()
	select {
	case <-made:
	case <-time.After(time.Minute):
		t.Fatal("spans wait for the collector")
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		traces.Close()
	}()
	select {
	case <-closed:
	case <-time.After(flushTimeout + time.Minute):
		t.Fatal("the end waits for the collector")
	}
}

// A redirect is not followed: headers that are meant for the collector alone would go to a stranger.
func TestCollectorRedirects(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=top-secret")
	var visits, known atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer stranger.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Api-Key") == "top-secret" {
				known.Add(1)
			}
			http.Redirect(w, r, stranger.URL, status)
		}))
		var out bytes.Buffer
		traces := openTraces(t, server.URL, 1, slog.New(slog.NewTextHandler(&out, nil)))
		_, span := traces.Provider().Tracer("test").Start(t.Context(), "work")
		span.End()
		// It fails, as a redirect is no answer.
		_ = traces.provider.ForceFlush(t.Context())
		traces.Close()
		server.Close()
		if text := out.String(); !strings.Contains(text, "not followed") || strings.Contains(text, "top-secret") {
			t.Errorf("%d: logged %s", status, text)
		}
	}
	if visits.Load() != 0 || known.Load() < 4 {
		t.Errorf("%d visits to the stranger, %d to the collector with its header", visits.Load(), known.Load())
	}
}
