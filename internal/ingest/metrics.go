package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Metrics counts what ingest does, for Prometheus.
type Metrics struct {
	batchEvents   prometheus.Histogram
	commitSeconds prometheus.Histogram
	latency       prometheus.Histogram
	overSLA       prometheus.Counter
	failedCommits prometheus.Counter
	duplicates    prometheus.Counter
	busy          prometheus.Counter
	drained       prometheus.Counter
	events        *prometheus.CounterVec
	receipts      prometheus.Counter
	threadEvents  prometheus.Counter
	deadLetters   prometheus.Counter
	databaseUp    prometheus.Gauge
	spoolEvents   prometheus.Gauge
	spoolBytes    prometheus.Gauge
	spoolLimit    prometheus.Gauge
}

// NewMetrics registers the metrics of ingest.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		registry.MustRegister(g)
		return g
	}
	m := &Metrics{
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cxbridge_commit_events", Help: "Events in one group commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 14),
		}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cxbridge_commit_duration_seconds", Help: "Time taken by one group commit.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cxbridge_receipt_latency_seconds", Help: "Time from the arrival of a receipt until it was durable, in the database or in the spool.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
		overSLA: counter("cxbridge_receipts_over_sla_total", "Receipts that took longer than SLA_MS from their arrival until they were durable."),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cxbridge_committed_events_total", Help: "Events that are durable in the database, by what they are kept as.",
		}, []string{"kept_as"}),
		failedCommits: counter("cxbridge_commit_failures_total", "Group commits that the database did not accept."),
		duplicates:    counter("cxbridge_duplicate_events_total", "Events that were already known when they were committed."),
		busy:          counter("cxbridge_busy_requests_total", "Requests refused because too many were waiting, or because the replica was stopping."),
		drained:       counter("cxbridge_spool_drained_events_total", "Events brought from the spool to the database."),
		databaseUp:    gauge("cxbridge_database_up", "1 while the database takes commits, else 0."),
		spoolEvents:   gauge("cxbridge_spool_events", "Events in the spool."),
		spoolBytes:    gauge("cxbridge_spool_bytes", "Bytes of the events in the spool."),
		spoolLimit:    gauge("cxbridge_spool_limit_bytes", "Size at which the spool is full."),
	}
	registry.MustRegister(m.batchEvents, m.commitSeconds, m.latency, m.events)
	m.receipts, m.threadEvents = m.events.WithLabelValues("receipt"), m.events.WithLabelValues("thread_event")
	m.deadLetters = m.events.WithLabelValues("dead_letter")
	return m
}

func (m *Metrics) committed(entries []store.Entry, took time.Duration) {
	m.commitSeconds.Observe(took.Seconds())
	m.batchEvents.Observe(float64(len(entries)))
	var receipts, threadEvents, letters int
	for i := range entries {
		switch e := &entries[i]; {
		case e.Receipt != nil:
			receipts++
		case e.Thread != nil:
			threadEvents++
		default:
			letters++
		}
	}
	m.receipts.Add(float64(receipts))
	m.threadEvents.Add(float64(threadEvents))
	m.deadLetters.Add(float64(letters))
}

// observed counts n receipts that took the same time.
func (m *Metrics) observed(took time.Duration, within bool, n int64) {
	for range n {
		m.latency.Observe(took.Seconds())
	}
	if !within {
		m.overSLA.Add(float64(n))
	}
}

func (m *Metrics) spool(events, bytes, limit int64) {
	m.spoolEvents.Set(float64(events))
	m.spoolBytes.Set(float64(bytes))
	m.spoolLimit.Set(float64(limit))
}
