package syncer

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/crm"
)

// Metrics counts what a Syncer does, for Prometheus.
type Metrics struct {
	pushes    map[outcome]prometheus.Counter
	seconds   prometheus.Histogram
	lag       prometheus.Histogram
	requests  map[crm.Class]prometheus.Counter // those without success
	succeeded prometheus.Counter               // requests
	cutOff    prometheus.Counter               // requests
	conflicts prometheus.Counter
	kept      prometheus.Counter
	setAside  prometheus.Counter
	lost      prometheus.Counter
	paused    prometheus.Counter
	inFlight  prometheus.Gauge
	breaker   map[string]prometheus.Gauge
}

// The states of the breaker, as failsafe-go names them.
const (
	stateClosed   = "closed"
	stateOpen     = "open"
	stateHalfOpen = "half-open"
)

// classes name the classes of errors in the labels of metrics.
var classes = map[crm.Class]string{
	crm.ClassFailed: "failed", crm.ClassConflict: "conflict", crm.ClassThrottled: "throttled",
	crm.ClassGone: "gone", crm.ClassPermanent: "permanent",
}

// NewMetrics registers the metrics of a Syncer.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, first float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(first, 2, 18),
		})
		registry.MustRegister(h)
		return h
	}
	m := &Metrics{
		pushes:    make(map[outcome]prometheus.Counter),
		breaker:   make(map[string]prometheus.Gauge),
		seconds:   histogram("cxbridge_push_duration_seconds", "Time that the push of a thread took, with all its requests.", 0.001),
		lag:       histogram("cxbridge_push_lag_seconds", "Time from the first event that the CRM lacked to the acknowledgement of all.", 0.002),
		requests:  make(map[crm.Class]prometheus.Counter),
		conflicts: counter("cxbridge_push_conflicts_total", "Answers of the CRM that another writer was quicker."),
		kept:      counter("cxbridge_push_kept_changes_total", "Changes of other writers in the CRM that were left as they are."),
		setAside:  counter("cxbridge_push_set_aside_items_total", "Messages and participants that the CRM would not take, kept as dead letters."),
		lost:      counter("cxbridge_push_lost_leases_total", "Pushes of which nothing was recorded, because the lease had ended."),
		paused:    counter("cxbridge_crm_paused_seconds_total", "Time for which the CRM asked to be left alone."),
		inFlight:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "cxbridge_pushes_in_flight", Help: "Threads that are being pushed."}),
	}
	pushes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cxbridge_pushes_total", Help: "Pushes of threads, by how they ended.",
	}, []string{"outcome"})
	breaker := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cxbridge_crm_breaker_state", Help: "1 for the state of the circuit breaker of the CRM, else 0.",
	}, []string{"state"})
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cxbridge_crm_requests_total", Help: "Requests to the CRM, by what came of them: aborted ones were cut off by cxbridge, and gone is the answer of a CRM that does not have the thread yet.",
	}, []string{"class"})
	registry.MustRegister(pushes, breaker, requests, m.inFlight)
	for class, name := range classes {
		m.requests[class] = requests.WithLabelValues(name)
	}
	m.succeeded, m.cutOff = requests.WithLabelValues("ok"), requests.WithLabelValues("aborted")
	for _, o := range outcomes {
		m.pushes[o] = pushes.WithLabelValues(string(o))
	}
	for _, state := range []string{stateClosed, stateOpen, stateHalfOpen} {
		m.breaker[state] = breaker.WithLabelValues(state)
	}
	m.breakerIs(stateClosed)
	return m
}

func (m *Metrics) breakerIs(state string) {
	for name, gauge := range m.breaker {
		if name == state {
			gauge.Set(1)
		} else {
			gauge.Set(0)
		}
	}
}

func (m *Metrics) ended(r *report) {
	m.pushes[r.outcome].Inc()
	succeeded := r.requests - r.cutOff
	for class, n := range r.unsuccessful {
		m.requests[crm.Class(class)].Add(float64(n))
		succeeded -= n
	}
	m.succeeded.Add(float64(succeeded))
	m.cutOff.Add(float64(r.cutOff))
	m.conflicts.Add(float64(r.conflicts))
	m.kept.Add(float64(r.kept))
	m.setAside.Add(float64(r.setAsides))
	if r.requests > 0 {
		m.seconds.Observe(r.took.Seconds())
	}
}

// Figures sum up what a Syncer has done since its start.
type Figures struct {
	Pushes    int64         // acknowledged by the CRM
	Failures  int64         // pushes that failed or were throttled, and are tried again
	Conflicts int64         // answers of the CRM that another writer was quicker
	Kept      int64         // changes of other writers that were left as they are
	SetAside  int64         // items that the CRM would not take
	Parked    int64         // pushes that the CRM refused for good
	InFlight  int64         // threads that are being pushed now
	MeanLag   time.Duration // from the first event that the CRM lacked to the acknowledgement
	Breaker   string        // closed, open or half-open
	CRM       Condition
}

// Figures returns the sums so far.
func (s *Syncer) Figures() Figures {
	f := &s.figures
	sum := Figures{
		Pushes: f.pushes.Load(), Failures: f.failures.Load(), Conflicts: f.conflicts.Load(), Kept: f.kept.Load(),
		SetAside: f.setAside.Load(), Parked: f.parked.Load(), InFlight: f.inFlight.Load(),
		Breaker: s.breaker.circuit.State().String(),
	}
	sum.CRM = s.condition.now(sum.Breaker)
	if n := f.lags.Load(); n > 0 {
		sum.MeanLag = time.Duration(f.lagNanoseconds.Load() / n)
	}
	return sum
}

type figures struct {
	pushes, failures, conflicts, kept, setAside, parked, inFlight, lags, lagNanoseconds atomic.Int64
}

func (f *figures) ended(r *report) {
	switch r.outcome {
	case outcomeAcknowledged:
		f.pushes.Add(1)
	case outcomeParked:
		f.parked.Add(1)
	case outcomeFailed, outcomeThrottled, outcomeConflict:
		f.failures.Add(1)
	}
	f.conflicts.Add(int64(r.conflicts))
	f.kept.Add(int64(r.kept))
	f.setAside.Add(int64(r.setAsides))
}

func (f *figures) lagged(lag time.Duration) {
	f.lags.Add(1)
	f.lagNanoseconds.Add(int64(lag))
}
