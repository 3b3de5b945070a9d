package syncer

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
)

// unwell is a CRM that answers all with an error until it is cured. It takes some time for that.
func unwell(e *crm.Error) (sink *fakeCRM, cure func()) {
	var isWell atomic.Bool
	sink = newCRM()
	sink.trouble = func(context.Context, string, string) mishap {
		if isWell.Load() {
			return mishap{}
		}
		time.Sleep(10 * time.Millisecond)
		copied := *e
		return mishap{err: &copied}
	}
	return sink, func() { isWell.Store(true) }
}

func mustBe(t *testing.T, b *bridge, want Condition) {
	t.Helper()
	got := b.Figures().CRM
	if off := got.Until.Sub(want.Until); !want.Until.IsZero() && off.Abs() < 100*time.Millisecond {
		got.Until = want.Until
	}
	if got != want {
		t.Errorf("the CRM is %+v, want %+v", got, want)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(b)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "cxbridge_crm_state" {
		t.Fatalf("%v, %v", families, err)
	}
	for _, m := range families[0].GetMetric() {
		state := State(m.GetLabel()[0].GetValue())
		if is := m.GetGauge().GetValue() == 1; is != (state == want.State) {
			t.Errorf("the metric of %s is %t while the CRM is %s", state, is, want.State)
		}
	}
}

// All replicas know that the CRM is left alone. The one that it asked also knows why.
func TestPauseIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := refusal(crm.ClassThrottled, 429)
		e.RetryAfter = time.Hour
		sink, cure := unwell(e)
		queue := newMemory()
		a, b := start(t, queue, sink), start(t, queue, sink)
		synctest.Wait() // neither finds anything to push
		mustBe(t, a, Condition{State: Up})
		for i := range 14 {
			queue.commit(event(fmt.Sprint("t", i), 1, "m1", "one"))
		}
		until := time.Now().Add(pauseMost)
		a.Wake()
		time.Sleep(2 * poll)
		mustBe(t, a, Condition{State: Paused, Status: 429, Until: until, Asked: true})
		mustBe(t, b, Condition{State: Paused, Until: until})
		cure()
		mustSync(t, queue, pauseMost)
		mustBe(t, a, Condition{State: Up})
		mustBe(t, b, Condition{State: Up})
	})
}

// A CRM that answers 503 to everything and does not say for how long does not open the breaker, but fails.
func TestCRMThatThrottlesAllFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, cure := unwell(refusal(crm.ClassThrottled, 503))
		queue := newMemory()
		b := start(t, queue, sink)
		begun := time.Now()
		for i := range 14 {
			queue.commit(event(fmt.Sprint("t", i), 1, "m1", "one"))
		}
		b.Wake()
		time.Sleep(pauseFirst / 2)
		mustBe(t, b, Condition{State: Paused, Status: 503, Until: begun.Add(pauseFirst)})
		time.Sleep(time.Until(begun.Add(4 * pauseFirst))) // the third pause is from 3 to 7
		mustBe(t, b, Condition{State: Failing, Status: 503, Until: begun.Add(7 * pauseFirst)})
		if state := b.Figures().Breaker; state != stateClosed {
			t.Errorf("the breaker is %s", state)
		}
		cure()
		mustSync(t, queue, pauseGuess)
		mustBe(t, b, Condition{State: Up})
	})
}

// A CRM that asks for one short pause after the other is paused all the time, also while a push finds out
// whether it is back.
func TestCRMThatAsksForPausesIsPausedBetweenThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := refusal(crm.ClassThrottled, 429)
		e.RetryAfter = time.Second
		sink, cure := unwell(e)
		queue := newMemory()
		b := start(t, queue, sink)
		for i := range 14 {
			queue.commit(event(fmt.Sprint("t", i), 1, "m1", "one"))
		}
		b.Wake()
		time.Sleep(failingAfter * 2 * time.Second)
		between := 0
		for range 5000 {
			got := b.Figures().CRM
			if got.State != Paused || got.Status != 429 || !got.Asked {
				t.Fatalf("the CRM is %+v", got)
			}
			if got.Until.IsZero() {
				between++
			}
			time.Sleep(time.Millisecond)
		}
		if between == 0 {
			t.Error("one pause began as soon as the other ended")
		}
		cure()
		mustSync(t, queue, pauseGuess)
		mustBe(t, b, Condition{State: Up})
	})
}

// Of the failures that are known, the latest says whether the CRM asks for pauses.
func TestLatestFailureCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := pause{until: time.Now().Add(time.Second), asked: true, status: 429}
		var c condition
		for range failingAfter {
			c.failed(502)
		}
		c.paused(asked)
		if got := c.now(stateClosed); got != (Condition{State: Paused, Status: 429, Until: asked.until, Asked: true}) {
			t.Errorf("in a pause that it asked for, it is %+v", got)
		}
		time.Sleep(time.Second)
		if got := c.now(stateClosed); got != (Condition{State: Paused, Status: 429, Asked: true}) {
			t.Errorf("after it, it is %+v", got)
		}
		c.claimed(&store.Claimed{Paused: true, Wait: time.Minute})
		if got := c.now(stateClosed); got.State != Paused || got.Asked || got.Status != 0 {
			t.Errorf("in a pause of another replica, it is %+v", got)
		}
		c.claimed(&store.Claimed{})
		c.failed(502)
		if got := c.now(stateClosed); got != (Condition{State: Failing, Status: 502}) {
			t.Errorf("after another failure, it is %+v", got)
		}
	})
}

// A few failures in a row are told before they open the breaker, but not those of one thread beside others
// that are served.
func TestCRMFailsBeforeTheBreakerOpens(t *testing.T) {
	for threads, want := range map[int]State{failingAfter - 1: Up, failingAfter: Failing} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, sink := newMemory(), newCRM()
				sink.trouble = func(_ context.Context, _, id string) mishap {
					if strings.HasPrefix(id, "bad") {
						return mishap{err: refusal(crm.ClassFailed, 502)}
					}
					return mishap{}
				}
				b := start(t, queue, sink)
				b.take(event("good", 1, "m1", "one"))
				mustSync(t, queue, time.Second)
				for i := range threads {
					queue.commit(event(fmt.Sprint("bad", i), 1, "m1", "one"))
				}
				b.Wake()
				time.Sleep(breakerSilence / 2)
				condition := Condition{State: want}
				if want == Failing {
					condition.Status = 502
				}
				mustBe(t, b, condition)
				if state := b.Figures().Breaker; state != stateClosed {
					t.Errorf("the breaker is %s", state)
				}
			})
		})
	}
}

// What nobody has tried lately is not known to fail.
func TestOldFailuresDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c condition
		for range failingAfter {
			c.failed(0)
		}
		if got := c.now(stateClosed).State; got != Failing {
			t.Errorf("the CRM is %s", got)
		}
		time.Sleep(staleAfter)
		if got := c.now(stateClosed).State; got != Up {
			t.Errorf("later it is %s", got)
		}
		if got := c.now(stateOpen).State; got != Failing {
			t.Errorf("with an open breaker it is %s", got)
		}
	})
}
