package syncer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/backoff"
	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestThreadsArePushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "hello", "m2", "there"), event("b", 4, "m1", "other"))
		mustSync(t, queue, time.Second)
		b.take(event("a", 2, "m1", "hello!"))
		mustSync(t, queue, time.Second)
		sink.mustEqual(t, queue)
	})
}

func TestWorkOfOtherReplicasIsFoundWithoutAWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		start(t, queue, sink)
		synctest.Wait()
		queue.commit(event("a", 1, "m1", "hello"))
		mustSync(t, queue, poll+time.Second/10)
	})
}

// gate lets the first request through when it is opened, and all others at once.
type gate struct {
	entered, open chan struct{}
	once          sync.Once
}

func newGate() *gate { return &gate{entered: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) wait(ctx context.Context) (err error) {
	g.once.Do(func() {
		close(g.entered)
		select {
		case <-g.open:
		case <-ctx.Done():
			err = lost()
		}
	})
	return err
}

func TestEventDuringAPushCausesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink, g := newMemory(), newCRM(), newGate()
		sink.trouble = func(ctx context.Context, _, _ string) mishap { return mishap{err: g.wait(ctx)} }
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		<-g.entered
		b.take(event("a", 2, "m2", "two"))
		synctest.Wait() // the wake has found nothing to claim
		close(g.open)
		mustSync(t, queue, time.Second)
		sink.mustEqual(t, queue)
	})
}

// A worker that dies is replaced when its lease ends, and not before.
func TestDeadWorkerIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink, g := newMemory(), newCRM(), newGate()
		sink.trouble = func(ctx context.Context, _, _ string) mishap { return mishap{err: g.wait(ctx), after: true} }
		dead := &severed{memory: queue}
		first := newSyncer(dead, sink)
		ctx, kill := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { first.Run(ctx) })
		queue.commit(event("a", 1, "m1", "one"))
		<-g.entered
		dead.cut.Store(true)
		claimed := time.Now()
		start(t, queue, sink)
		mustSync(t, queue, 2*lease)
		if took := time.Since(claimed); took < lease-2*time.Second {
			t.Errorf("taken over after %s", took)
		}
		sink.mustEqual(t, queue)
		kill()
		running.Wait()
	})
}

// severed is a database that a worker cannot reach any more.
type severed struct {
	*memory
	cut atomic.Bool
}

func (s *severed) Claim(ctx context.Context, r store.ClaimRequest) (store.Claimed, error) {
	if s.cut.Load() {
		return store.Claimed{}, errAway
	}
	return s.memory.Claim(ctx, r)
}

func (s *severed) Extend(ctx context.Context, c []store.Claim, d time.Duration) ([]store.Claim, error) {
	if s.cut.Load() {
		return nil, errAway
	}
	return s.memory.Extend(ctx, c, d)
}

func (s *severed) Record(ctx context.Context, p []store.Push, now time.Time) ([]bool, error) {
	if s.cut.Load() {
		return nil, errAway
	}
	return s.memory.Record(ctx, p, now)
}

// slow is trouble that takes its time, but no longer than the context.
func slow(d time.Duration) func(context.Context, string, string) mishap {
	return func(ctx context.Context, _, _ string) mishap {
		if !backoff.Sleep(ctx, d) {
			return mishap{err: lost()}
		}
		return mishap{}
	}
}

func TestTwoReplicasNeverPushOneThreadAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(5 * time.Millisecond)
		few := func(s *Syncer) { s.workers = 2 } // so that neither can do all the work
		a, b := start(t, queue, sink, few), start(t, queue, sink, few)
		for i := range 300 {
			replica := []*bridge{a, b}[i%2]
			replica.take(event(fmt.Sprint("t", i%7), int64(i), fmt.Sprint("m", i%5), fmt.Sprint("text ", i)))
			time.Sleep(time.Millisecond)
		}
		mustSync(t, queue, 5*time.Second)
		sink.mustEqual(t, queue) // complains of two at a time
		if a.Figures().Pushes == 0 || b.Figures().Pushes == 0 {
			t.Errorf("the replicas pushed %d and %d times", a.Figures().Pushes, b.Figures().Pushes)
		}
	})
}

// A push that takes longer than a lease keeps it.
func TestLongPushKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(2 * lease)
		start(t, queue, sink)
		start(t, queue, sink)
		queue.commit(event("a", 1, "m1", "one"))
		mustSync(t, queue, 5*lease)
		if n := sink.count("a"); n != 2 {
			t.Errorf("%d requests, want PATCH and POST", n)
		}
		sink.mustEqual(t, queue)
	})
}

func TestPauseIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		var throttled atomic.Bool
		throttled.Store(true)
		sink.trouble = func(context.Context, string, string) mishap {
			if throttled.CompareAndSwap(true, false) {
				e := refusal(crm.ClassThrottled, 429)
				e.RetryAfter = 30 * time.Second
				return mishap{err: e}
			}
			return mishap{}
		}
		a, b := start(t, queue, sink), start(t, queue, sink)
		a.take(event("a", 1, "m1", "one"))
		time.Sleep(time.Second)
		b.take(event("b", 1, "m1", "one"))
		time.Sleep(28 * time.Second)
		if n := sink.count(""); n != 1 {
			t.Errorf("%d requests during the pause, want the one before", n)
		}
		if s := queue.sync("a"); s.Attempts != 0 || s.LastStatus != 429 {
			t.Errorf("%+v", s)
		}
		mustSync(t, queue, 3*time.Second)
		sink.mustEqual(t, queue)
	})
}

func TestPausesOfUnknownLengthGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		var begun []time.Duration
		from := time.Now()
		sink.trouble = func(context.Context, string, string) mishap {
			begun = append(begun, time.Since(from).Round(time.Second))
			return mishap{err: refusal(crm.ClassThrottled, 503)}
		}
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		time.Sleep(50 * time.Second)
		b.stop()
		if want := "[0s 1s 3s 7s 15s 30s 45s]"; fmt.Sprint(begun) != want {
			t.Errorf("asked at %v, want %s", begun, want)
		}
	})
}

func TestBreakerHalfOpensWithOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		var isDown atomic.Bool
		isDown.Store(true)
		sink.trouble = func(context.Context, string, string) mishap {
			if isDown.Load() {
				return mishap{err: refusal(crm.ClassFailed, 500)}
			}
			return mishap{}
		}
		b := start(t, queue, sink)
		for i := range 100 {
			queue.commit(event(fmt.Sprint("t", i), 1, "m1", "one"))
		}
		b.Wake()
		time.Sleep(time.Second)
		if n := sink.count(""); n > 2*defaultWorkers || b.Figures().Breaker != stateOpen {
			t.Fatalf("%d requests, the breaker is %s", n, b.Figures().Breaker)
		}
		before := sink.count("")
		time.Sleep(time.Minute)
		if n := sink.count("") - before; n < 11 || n > 12 {
			t.Errorf("%d probes in a minute, want one every %s", n, breakerDelay)
		}
		isDown.Store(false)
		mustSync(t, queue, 30*time.Second)
		sink.mustEqual(t, queue)
	})
}

// A CRM that is down is found out by the failures of few threads, too, even of one.
func TestBreakerOpensForFewThreads(t *testing.T) {
	for _, threads := range []int{1, breakerFailures - 1} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, sink := newMemory(), newCRM()
				var isDown atomic.Bool
				sink.trouble = func(context.Context, string, string) mishap {
					if isDown.Load() {
						return mishap{err: refusal(crm.ClassFailed, 500)}
					}
					return mishap{}
				}
				b := start(t, queue, sink)
				take := func(version int64) {
					for i := range threads {
						b.take(event(fmt.Sprint("t", i), version, "m1", fmt.Sprint("text ", version)))
					}
				}
				take(1)
				mustSync(t, queue, time.Second)
				isDown.Store(true)
				take(2)
				time.Sleep(breakerSilence + breakerFailures*backoffMost)
				if state := b.Figures().Breaker; state == stateClosed {
					t.Errorf("the breaker is %s after %d requests", state, sink.count(""))
				}
				isDown.Store(false)
				mustSync(t, queue, backoffMost+breakerDelay)
				if state := b.Figures().Breaker; state != stateClosed {
					t.Errorf("the breaker is %s when all is synced", state)
				}
			})
		})
	}
}

// A thread that always fails does not open the breaker while others succeed.
func TestBreakerStaysClosedForOnePoisonousThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = func(_ context.Context, _, id string) mishap {
			if id == "poison" {
				return mishap{err: refusal(crm.ClassFailed, 500)}
			}
			return mishap{}
		}
		b := start(t, queue, sink)
		b.take(event("poison", 1, "m1", "one"))
		for i := range 200 {
			b.take(event("healthy", int64(i), "m1", fmt.Sprint(i)))
			time.Sleep(2 * breakerSilence)
			if state := b.Figures().Breaker; state != stateClosed {
				t.Fatalf("the breaker is %s after %d requests", state, sink.count("poison"))
			}
		}
	})
}

const poisonTimeout = 10 * time.Second

// Law 4: no poison thread delays another.
func TestPoisonThreadsDoNotDelayOthers(t *testing.T) {
	for _, poison := range []struct {
		name    string
		trouble func(context.Context, string, string) mishap
	}{
		{"refused", func(context.Context, string, string) mishap { return mishap{err: refusal(crm.ClassPermanent, 400)} }},
		{"failing", func(context.Context, string, string) mishap { return mishap{err: refusal(crm.ClassFailed, 500)} }},
		{"timing out", func(ctx context.Context, _, _ string) mishap {
			backoff.Sleep(ctx, poisonTimeout)
			return mishap{err: lost()}
		}},
	} {
		t.Run(poison.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { poisonRun(t, poison.trouble) })
		})
	}
}

func poisonRun(t *testing.T, trouble func(context.Context, string, string) mishap) {
	queue, sink := newMemory(), newCRM()
	sink.trouble = func(ctx context.Context, method, id string) mishap {
		if id[0] == 'p' {
			return trouble(ctx, method, id)
		}
		return mishap{}
	}
	b := start(t, queue, sink)
	for i := range 20 {
		queue.commit(event(fmt.Sprint("p", i), 1, "m1", "one"))
	}
	b.Wake()
	time.Sleep(5 * time.Minute)
	for i := range 200 {
		rev := b.take(event("healthy", int64(i), "m1", fmt.Sprint(i)))
		wait := time.Second
		if i == 0 { // the first failures of all may have opened the breaker, and only this event closes it
			wait += breakerDelay + poisonTimeout
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if !b.Wait(ctx, "healthy", rev) {
			t.Fatalf("event %d waits; the breaker is %s", i, b.Figures().Breaker)
		}
		cancel()
		time.Sleep(700 * time.Millisecond)
	}
}

func TestDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink, g := newMemory(), newCRM(), newGate()
		sink.trouble = func(ctx context.Context, _, _ string) mishap { return mishap{err: g.wait(ctx)} }
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		<-g.entered
		queue.setAway(true)
		close(g.open)
		time.Sleep(8 * time.Second)
		queue.setAway(false)
		mustSync(t, queue, 10*time.Second)
		if n := sink.count("a"); n != 2 {
			t.Errorf("%d requests: what was pushed was not recorded when the database was back", n)
		}
		sink.mustEqual(t, queue)
	})
}

func TestDatabaseAwayForLongerThanTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink, g := newMemory(), newCRM(), newGate()
		sink.trouble = func(ctx context.Context, _, _ string) mishap { return mishap{err: g.wait(ctx)} }
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		<-g.entered
		queue.setAway(true)
		close(g.open)
		time.Sleep(2 * lease)
		queue.setAway(false)
		mustSync(t, queue, 10*time.Second)
		sink.mustEqual(t, queue)
	})
}

func TestDatabaseAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		queue.setAway(true)
		b := start(t, queue, sink)
		time.Sleep(time.Minute)
		queue.setAway(false)
		b.take(event("a", 1, "m1", "one"))
		mustSync(t, queue, 10*time.Second)
	})
}

func TestStartWakesThreadsParkedForTheirCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = func(context.Context, string, string) mishap { return mishap{err: refusal(crm.ClassPermanent, 401)} }
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		time.Sleep(time.Second)
		if !queue.sync("a").Parked {
			t.Fatal("not parked")
		}
		b.stop()
		sink.trouble = nil
		start(t, queue, sink)
		mustSync(t, queue, time.Second)
	})
}

func TestStopLetsPushesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(stopGrace / 4)
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		time.Sleep(100 * time.Millisecond)
		b.stop()
		if !queue.isSynced() {
			t.Errorf("%+v", queue.sync("a"))
		}
	})
}

func TestStopAbortsWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		sink.trouble = slow(time.Hour)
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"))
		time.Sleep(100 * time.Millisecond)
		begun := time.Now()
		b.stop()
		if took := time.Since(begun); took > stopGrace+time.Second {
			t.Errorf("the stop took %s", took)
		}
		if s := queue.sync("a"); !s.LeaseUntil.IsZero() || s.Attempts != 0 || !s.Uncertain {
			t.Errorf("%+v", s)
		}
	})
}

func TestPushThatTheDatabaseRefusesFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		queue.refused = "a"
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "one"), event("b", 1, "m1", "one"), event("c", 1, "m1", "one"))
		time.Sleep(time.Second)
		if b, c := queue.sync("b"), queue.sync("c"); b.Want != b.Done || c.Want != c.Done {
			t.Errorf("%+v, %+v", b, c)
		}
		if s := queue.sync("a"); s.Attempts == 0 || !s.LeaseUntil.IsZero() {
			t.Errorf("%+v", s)
		}
	})
}

// panics is a schema with a fault.
type panics struct{}

func (panics) Check(d *thread.Delta, _ int64) (map[*thread.Item]string, error) {
	if d.ThreadID == "a" {
		panic("text of a message")
	}
	return nil, nil
}

func TestFaultOfTheProgramFailsOneThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		b := start(t, queue, sink, func(s *Syncer) { s.schema = panics{} })
		b.take(event("a", 1, "m1", "one"), event("b", 1, "m1", "one"))
		time.Sleep(time.Second)
		if s := queue.sync("a"); s.Attempts == 0 || s.LastError == "" {
			t.Errorf("%+v", s)
		}
		if s := queue.sync("b"); s.Want != s.Done {
			t.Errorf("%+v", s)
		}
	})
}
