package syncer

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/store"
)

// State is how the CRM does, in a word.
type State string

// The states of the CRM.
const (
	Up      State = "up"      // it serves pushes, as far as is known
	Paused  State = "paused"  // it is left alone for a while, or asks for that again and again: it answered 429 or 503
	Failing State = "failing" // it has served none of the last pushes, or the breaker is not closed
)

var states = []State{Up, Paused, Failing}

// Condition is what is known of how the CRM does: from the pushes of this process, and from the pause that
// all replicas keep.
type Condition struct {
	State  State
	Status int       // HTTP status of the answer that it is in this state for; 0: there was none, or it is not known
	Until  time.Time // when a pause ends; zero when there is none, as between two
	Asked  bool      // the CRM said itself how long the pause is to be, or the one that has just ended
}

const (
	// failingAfter is how many failures in a row make the CRM failing: fewer than open the breaker. Pauses
	// count as well, which do not open it at all.
	failingAfter = 3

	// staleAfter is when failures no longer count. A thread that waits would have been tried again: so there
	// is none, or another replica has it.
	staleAfter = 2 * backoffMost
)

// condition gathers what a Condition tells. The dispatcher writes it, and anybody reads it.
type condition struct {
	mu       sync.Mutex
	failures int       // pushes that failed, and pauses that began, since the CRM last served a push
	status   int       // of the last of them
	at       time.Time // of the last of them
	asked    bool      // for the last of them the CRM said how long it is to be left alone
	pause    pause
}

// pause is a time for which the CRM is left alone.
type pause struct {
	until  time.Time
	asked  bool
	status int // 0 when another replica knows, or an earlier process
}

// served notes that the CRM has served a push.
func (c *condition) served() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = 0
}

// failed notes that a push has failed.
func (c *condition) failed(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(status)
}

// fail counts a failure. The caller holds the lock.
func (c *condition) fail(status int) {
	c.failures++
	c.status, c.at, c.asked = status, time.Now(), false
}

// paused notes a pause that begins. Of two that overlap, the one that ends later counts: pushes that were in
// flight together are all told to wait.
func (c *condition) paused(p pause) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pause.until.After(time.Now()) {
		c.fail(p.status)
	}
	if p.until.After(c.pause.until) {
		c.pause, c.asked = p, p.asked
	}
}

// claimed notes what the queue says of a pause, which may be another replica's. Its clock may differ from
// ours, so an end that is about the known one changes nothing.
func (c *condition) claimed(claimed *store.Claimed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch until := now.Add(claimed.Wait); {
	case !claimed.Paused:
		c.pause = pause{}
	case !c.pause.until.After(now):
		c.pause = pause{until: until}
	case until.Sub(c.pause.until).Abs() > time.Second:
		c.pause.until = until
	}
}

// now returns the Condition, given the state of the breaker. A CRM that asks for one pause after the other is
// paused, also between them; one that answers 503 to everything, and does not say for how long, fails.
func (c *condition) now(breaker string) Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := Condition{State: Up}
	isPaused := c.pause.until.After(time.Now())
	if isPaused {
		known.Until, known.Asked = c.pause.until, c.pause.asked
	}
	isFailing := c.failures >= failingAfter && time.Since(c.at) < staleAfter
	switch {
	case breaker != stateClosed, isFailing && !c.asked && !known.Asked:
		known.State, known.Status = Failing, c.status
	case isPaused:
		known.State, known.Status = Paused, c.pause.status
	case isFailing:
		known.State, known.Status, known.Asked = Paused, c.status, true
	}
	return known
}

// assess notes what a push says about the CRM. A failure that is no news for the breaker is none here
// either.
func (d *dispatcher) assess(l *landing) {
	health, isNews := l.health(), d.breaker.isNews(l.failedBefore)
	d.breaker.note(health, isNews)
	switch {
	case l.outcome == outcomeThrottled: // see pause
	case health == healthy:
		d.condition.served()
	case health == ailing && isNews:
		d.condition.failed(l.status)
	}
}

// crmState is the metric of a Condition.
var crmState = prometheus.NewDesc("cxbridge_crm_state",
	"1 for the state of the CRM, else 0: up, paused (it answered 429 or 503, and is left alone for a while), failing (it has served none of the last pushes).",
	[]string{"state"}, nil)

// Describe implements prometheus.Collector.
func (s *Syncer) Describe(descs chan<- *prometheus.Desc) { descs <- crmState }

// Collect implements prometheus.Collector.
func (s *Syncer) Collect(metrics chan<- prometheus.Metric) {
	is := s.Figures().CRM.State
	for _, state := range states {
		value := 0.0
		if is == state {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(crmState, prometheus.GaugeValue, value, string(state))
	}
}
