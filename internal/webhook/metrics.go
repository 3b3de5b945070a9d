package webhook

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// answers are the statuses that a webhook answers with, and for each the outcomes that lead to it.
var answers = map[int][]string{
	http.StatusOK:                    {"accepted", "synced", "stale", "duplicate", "empty"},
	http.StatusBadRequest:            {"refused"},
	http.StatusUnauthorized:          {"unauthorized"},
	http.StatusMethodNotAllowed:      {"method"},
	http.StatusRequestEntityTooLarge: {"too_large"},
	http.StatusUnsupportedMediaType:  {"encoding"},
	http.StatusUnprocessableEntity:   {"refused"},
	http.StatusTooManyRequests:       {"limited"},
	http.StatusServiceUnavailable:    {"busy", "unstored", "slow", "cut", "gone", "error", "panic"},
}

// answer is what a request is counted by.
type answer struct {
	status  int
	outcome string
}

// metrics are the counters of a Gate, over all its routes.
type metrics struct {
	requests *prometheus.CounterVec   // by route, status and outcome
	events   *prometheus.CounterVec   // by route and outcome; each event once
	marked   *prometheus.CounterVec   // by route and mark; an event may have several or none
	duration *prometheus.HistogramVec // by route
}

func newMetrics(registry prometheus.Registerer, l *load, w *waiting) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cxbridge_webhook_requests_total", Help: "Webhook requests answered, by what became of them. A request of many events has the best outcome of any.",
		}, []string{"route", "status", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cxbridge_webhook_events_total", Help: "Events made durable: accepted, duplicate, or refused (kept as a dead letter).",
		}, []string{"route", "outcome"}),
		marked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cxbridge_webhook_marked_events_total", Help: "Events made durable that were flagged, quarantined, spooled, stale (nothing new), or synced (in the CRM in time for the answer).",
		}, []string{"route", "mark"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cxbridge_webhook_request_duration_seconds", Help: "Time from a request's headers to its answer, without that spent waiting for the CRM.",
			Buckets: []float64{.001, .0025, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
	}
	if registry == nil {
		return m
	}
	registry.MustRegister(m.requests, m.events, m.marked, m.duration,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cxbridge_webhook_inflight_bytes", Help: "Memory held for webhook requests in flight.",
		}, func() float64 { return float64(l.bytes.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cxbridge_webhook_inflight_requests", Help: "Webhook requests in flight.",
		}, func() float64 { return float64(l.requests.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "cxbridge_webhook_waiting_requests", Help: "Webhook requests that wait for the CRM before they are answered.",
		}, func() float64 { return float64(w.requests.Load()) }))
	return m
}

// routeMetrics are the counters of one route, looked up once: finding one by its labels costs more
// than counting.
type routeMetrics struct {
	requests                      map[answer]prometheus.Counter
	unforeseen                    *prometheus.CounterVec // requests whose answer is not one of answers
	accepted, duplicates, refused prometheus.Counter
	flagged, quarantined, spooled prometheus.Counter
	stale, synced                 prometheus.Counter
	duration                      prometheus.Observer
}

func (m *metrics) route(name string) *routeMetrics {
	rm := &routeMetrics{
		requests:    make(map[answer]prometheus.Counter),
		unforeseen:  m.requests.MustCurryWith(prometheus.Labels{"route": name}),
		accepted:    m.events.WithLabelValues(name, "accepted"),
		duplicates:  m.events.WithLabelValues(name, "duplicate"),
		refused:     m.events.WithLabelValues(name, "refused"),
		flagged:     m.marked.WithLabelValues(name, "flagged"),
		quarantined: m.marked.WithLabelValues(name, "quarantined"),
		spooled:     m.marked.WithLabelValues(name, "spooled"),
		stale:       m.marked.WithLabelValues(name, "stale"),
		synced:      m.marked.WithLabelValues(name, "synced"),
		duration:    m.duration.WithLabelValues(name),
	}
	for status, outcomes := range answers {
		for _, outcome := range outcomes {
			rm.requests[answer{status, outcome}] = m.requests.WithLabelValues(name, strconv.Itoa(status), outcome)
		}
	}
	return rm
}

func (rm *routeMetrics) observe(rep *reply, took time.Duration) {
	if requests, foreseen := rm.requests[answer{rep.status, rep.outcome}]; foreseen {
		requests.Inc()
	} else {
		rm.unforeseen.WithLabelValues(strconv.Itoa(rep.status), rep.outcome).Inc()
	}
	rm.duration.Observe(took.Seconds())
	t := &rep.tally
	if t.items == 0 {
		return
	}
	count(rm.accepted, t.accepted)
	count(rm.duplicates, t.duplicates)
	count(rm.refused, t.refused)
	count(rm.flagged, t.flagged)
	count(rm.quarantined, t.quarantined)
	count(rm.spooled, t.spooled)
	count(rm.stale, t.stale)
	count(rm.synced, t.synced)
}

func count(c prometheus.Counter, n int) {
	if n > 0 {
		c.Add(float64(n))
	}
}
