package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter hands spans to the collector, and logs when that begins to fail and when it works again.
type exporter struct {
	sdktrace.SpanExporter
	dropped prometheus.Counter
	log     *slog.Logger
	isAway  atomic.Bool
}

func newExporter(next sdktrace.SpanExporter, registry prometheus.Registerer, log *slog.Logger) *exporter {
	e := &exporter{SpanExporter: next, log: log, dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "cxbridge_trace_dropped_spans_total", Help: "Spans that the collector of traces did not take.",
	})}
	registry.MustRegister(e.dropped)
	return e
}

// ExportSpans implements sdktrace.SpanExporter. An error ends here: the SDK would write it to a log
// of its own, for each batch.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		if e.isAway.Swap(false) {
			e.log.Info("the collector takes traces again")
		}
		return nil
	}
	e.dropped.Add(float64(len(spans)))
	if !e.isAway.Swap(true) {
		e.log.Warn("the collector does not take traces; spans are dropped", "error", err)
	}
	return nil
}

// abort ends an export that is under way.
func (e *exporter) abort() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	// The error only says that the context has ended.
	_ = e.Shutdown(ended)
}
