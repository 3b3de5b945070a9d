package syncer

import (
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	breakerFailures = 10              // in a row open the breaker
	breakerDelay    = 5 * time.Second // from one probe of an open breaker to the next

	// Once the CRM has served nobody for breakerSilence, a thread that fails again is no longer assumed
	// to be at fault itself.
	breakerSilence = 30 * time.Second
)

// breaker is the circuit breaker of the CRM. The dispatcher alone uses it.
type breaker struct {
	circuit circuitbreaker.CircuitBreaker[any]
	served  time.Time // when a push last found the CRM healthy; zero when none has
}

func newBreaker(changed func(state string)) breaker {
	return breaker{circuit: circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(breakerFailures).WithSuccessThreshold(1).WithDelay(breakerDelay).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) { changed(e.NewState.String()) }).
		Build()}
}

// allows returns how many threads may be claimed for some free places and, while the breaker is open,
// how long it stays so. A half-open breaker lets one push through, and waits for those that began
// before; but a push of a thread that failed before, which may fail for a reason of its own, keeps
// no other from being the probe.
func (b *breaker) allows(free, inFlight, retrying int) (limit int, wait time.Duration) {
	if b.circuit.IsOpen() {
		if wait = b.circuit.RemainingDelay(); wait > 0 {
			return 0, wait
		}
		b.circuit.HalfOpen()
	}
	if !b.circuit.IsHalfOpen() {
		return free, 0
	}
	return max(0, min(free, 1-(inFlight-retrying))), 0
}

func (b *breaker) isProbing() bool { return b.circuit.IsHalfOpen() }

// isNews reports whether the failure of a push would say something new about the CRM. Another one of a
// thread that has failed before does not, unless it is the probe: a few threads that always fail do not
// open the breaker for all others. Once the CRM has served nobody for a while each failure counts,
// however few threads there are.
func (b *breaker) isNews(failedBefore bool) bool {
	return !failedBefore || b.circuit.IsHalfOpen() || time.Since(b.served) > breakerSilence
}

// note tells the breaker how a push ended.
func (b *breaker) note(health health, isNews bool) {
	switch health {
	case healthy:
		b.served = time.Now()
		b.circuit.RecordSuccess()
	case ailing:
		if isNews {
			b.circuit.RecordFailure()
		}
	}
}

// health is what a push says about the CRM.
type health int

const (
	unknown health = iota // no request was made, or it was aborted
	healthy               // it answers
	ailing                // it, or the way to it, has trouble
)

const (
	// A CRM that wants to be left alone and does not say for how long gets a time between these, which
	// doubles with each such answer in a row. The second is short compared with pauseMost: the CRM may
	// be back at any moment.
	pauseFirst = time.Second
	pauseGuess = 15 * time.Second

	// pauseMost caps the time for which a CRM asks: one that asks for a day, by mistake or by a wrong
	// clock, is asked again after five minutes.
	pauseMost = store.MaxWait
)

// throttle works out how long the CRM is left alone. The dispatcher alone uses it.
type throttle struct {
	guesses    int       // pauses in a row for which the CRM gave no length
	lastPaused time.Time // when the last pause began
}

// pauseFor returns the pause after a push that was throttled. Of those that were in flight together,
// only the first makes the guess longer, and the first after an answer starts over.
func (t *throttle) pauseFor(asked time.Duration, begun time.Time) time.Duration {
	if asked > 0 {
		return min(asked, pauseMost)
	}
	if t.guesses == 0 || !begun.Before(t.lastPaused) {
		t.guesses++
		t.lastPaused = time.Now()
	}
	return min(pauseFirst<<min(t.guesses-1, 10), pauseGuess)
}

// answered notes that the CRM takes pushes again.
func (t *throttle) answered() { t.guesses = 0 }
