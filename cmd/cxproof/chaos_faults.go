package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/faultproxy"
	"github.com/cxbridge/cxbridge/internal/proof"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// The lease of the syncer is 15 s: a replica that stands still for longer loses its threads to others.
const pastLease = 16 * time.Second

func between(least, most time.Duration) [2]time.Duration { return [2]time.Duration{least, most} }

var (
	usual = between(2*time.Second, 8*time.Second)
	brief = between(500*time.Millisecond, 1500*time.Millisecond)
	long  = between(pastLease, 25*time.Second)
)

const (
	// paused is the name of the fault that makes requests come late.
	paused = "paused past its lease"

	// withPushes is appended to the name of a fault that struck while the CRM held pushes of the replica.
	withPushes = ", its pushes held"
)

// faultKinds are the kinds of faults, except rolling restarts, during which nothing else strikes.
var faultKinds = []*faultKind{
	{name: "killed", lasts: between(0, 4*time.Second), short: brief, strike: kill},
	{name: paused, lasts: long, short: between(pastLease, pastLease), strike: pause},
	{name: "PostgreSQL partitioned", lasts: long, short: between(4*time.Second, 6*time.Second), strike: partition},
	{name: "latency", lasts: usual, short: brief, links: true, strike: setting(func(rng *rand.Rand) faultproxy.Fault {
		return faultproxy.Fault{Latency: upTo(rng, 300*time.Millisecond), Jitter: upTo(rng, 300*time.Millisecond)}
	})},
	{name: "bandwidth", lasts: usual, short: brief, links: true, strike: setting(func(rng *rand.Rand) faultproxy.Fault {
		return faultproxy.Fault{BytesPerSecond: 2000 + rng.IntN(50000)}
	})},
	{name: "black hole", lasts: between(time.Second, 20*time.Second), short: brief, links: true, strike: setting(func(*rand.Rand) faultproxy.Fault {
		return faultproxy.Fault{BlackHole: true}
	})},
	{name: "refused", lasts: usual, short: brief, links: true, strike: refuse},
	{name: "cut in the middle", lasts: usual, short: brief, links: true, strike: setting(func(rng *rand.Rand) faultproxy.Fault {
		return faultproxy.Fault{CutAfter: 1 + rng.Int64N(3000)}
	})},
	{name: "reset", lasts: usual, short: brief, links: true, strike: repeating(reset)},
	{name: "half-closed", lasts: usual, short: brief, links: true, strike: repeating(halfClose)},
	{name: "lies", lasts: usual, short: brief, onCRM: true, strike: inMood(sim.CRMTrouble{Failed: 0.6, Cut: 0.2})},
	{name: "throttles", lasts: usual, short: brief, onCRM: true, strike: inMood(sim.CRMTrouble{Throttled: 0.5, RetryAfter: time.Second})},
	{name: "hangs", lasts: usual, short: brief, onCRM: true, strike: inMood(sim.CRMTrouble{Stalled: 1})},
}

func upTo(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Float64() * float64(most))
}

// kill ends a replica as a crash would, and starts it again.
func kill(ctx context.Context, a *arena, f *fault) error {
	r := a.replicas[f.replica]
	if err := r.Kill(); err != nil {
		return err
	}
	if err := pass(ctx, f.lasts); err != nil {
		return err
	}
	return r.Start(ctx)
}

// pause freezes a replica in the middle of pushes. The CRM gets to some of them only when the leases have
// ended and other replicas have the threads; then the replica goes on.
func pause(ctx context.Context, a *arena, f *fault) error {
	r := a.replicas[f.replica]
	if err := a.holdPushes(ctx, f); err != nil {
		return err
	}
	defer a.moods.release(r.Name)
	began := time.Now()
	if err := r.Process().Pause(); err != nil {
		return err
	}
	err := pass(ctx, f.lasts)
	a.moods.release(r.Name)
	err = errors.Join(err, r.Process().Continue())
	a.harmed(r, began)
	return err
}

// partition cuts a replica off from PostgreSQL in the middle of pushes. The CRM gets to some of them only when
// the leases have ended: a replica that still waits for the answer has not kept to its lease.
func partition(ctx context.Context, a *arena, f *fault) error {
	r := a.replicas[f.replica]
	if err := a.holdPushes(ctx, f); err != nil {
		return err
	}
	defer a.moods.release(r.Name)
	r.Proxy(proof.Database).Set(faultproxy.Fault{BlackHole: true})
	defer r.Proxy(proof.Database).Set(faultproxy.Fault{})
	first := min(f.lasts, pastLease)
	if err := pass(ctx, first); err != nil {
		return err
	}
	a.moods.release(r.Name)
	return pass(ctx, f.lasts-first)
}

// holdPushes makes the CRM hold the requests of the replica that a fault is about to strike, and waits for
// pushes among them. A replica may have none for a while, so the faults that strike with pushes held are
// counted separately.
func (a *arena) holdPushes(ctx context.Context, f *fault) error {
	held := a.moods.hold(a.replicas[f.replica].Name)
	select {
	case <-held:
		a.count(f.name+withPushes, f.where())
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// setting returns a strike that sets a fault on a link, and heals it.
func setting(draw func(*rand.Rand) faultproxy.Fault) func(context.Context, *arena, *fault) error {
	return func(ctx context.Context, a *arena, f *fault) error {
		r := a.replicas[f.replica]
		began := time.Now()
		r.Proxy(f.link).Set(draw(f.rng))
		err := pass(ctx, f.lasts)
		r.Proxy(f.link).Set(faultproxy.Fault{})
		if f.link == proof.ToCRM {
			a.harmed(r, began)
		}
		return err
	}
}

// refuse resets the connections of a link, and refuses new ones.
func refuse(ctx context.Context, a *arena, f *fault) error {
	proxy := a.replicas[f.replica].Proxy(f.link)
	proxy.Set(faultproxy.Fault{Refuse: true})
	defer proxy.Set(faultproxy.Fault{})
	proxy.Reset()
	return pass(ctx, f.lasts)
}

// repeating returns a strike that does something to all connections of a link again and again.
func repeating(do func(*faultproxy.Proxy, *rand.Rand)) func(context.Context, *arena, *fault) error {
	return func(ctx context.Context, a *arena, f *fault) error {
		proxy := a.replicas[f.replica].Proxy(f.link)
		for end := time.Now().Add(f.lasts); time.Now().Before(end); {
			do(proxy, f.rng)
			if err := pass(ctx, upTo(f.rng, 500*time.Millisecond)); err != nil {
				return err
			}
		}
		return nil
	}
}

func reset(p *faultproxy.Proxy, _ *rand.Rand) { p.Reset() }

// halfClose ends one direction of all connections: that of the requests, or that of the answers.
func halfClose(p *faultproxy.Proxy, rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		p.HalfClose()
	} else {
		p.HalfCloseClients()
	}
}

// inMood returns a strike that gives the CRM other trouble than it usually has.
func inMood(trouble sim.CRMTrouble) func(context.Context, *arena, *fault) error {
	return func(ctx context.Context, a *arena, f *fault) error {
		a.moods.set(trouble.Faults(f.rng))
		defer a.moods.set(a.moods.usual)
		return pass(ctx, f.lasts)
	}
}

// pass lets time pass.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// moods decide what the CRM does to requests: the same to all, except that it may hold those of a replica.
type moods struct {
	usual func(*http.Request) sim.CRMFault

	mu   sync.Mutex
	now  func(*http.Request) sim.CRMFault
	held map[string]*hold
}

// hold keeps the requests of a replica.
type hold struct {
	pushes  int           // of the requests
	some    chan struct{} // closed when there are enough pushes
	release chan struct{} // closed when the requests may go on
}

func newMoods(usual func(*http.Request) sim.CRMFault) *moods {
	return &moods{usual: usual, now: usual, held: make(map[string]*hold)}
}

func (m *moods) set(now func(*http.Request) sim.CRMFault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// hold keeps the requests of a replica until release. Of every two pushes the CRM carries out one at once,
// and the other one after the release. The channel that hold returns is closed once there are enough pushes.
func (m *moods) hold(replica string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := &hold{some: make(chan struct{}), release: make(chan struct{})}
	m.held[replica] = h
	return h.some
}

// release ends a hold, if there is one.
func (m *moods) release(replica string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.held[replica]; h != nil {
		close(h.release)
		delete(m.held, replica)
	}
}

// enough is how many held pushes show that a replica is in the middle of pushing.
const enough = 2

// befalls decides what happens to a request.
func (m *moods) befalls(request *http.Request) sim.CRMFault {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := proof.OperationOf(request)
	if o == nil || m.held[o.Replica] == nil {
		return m.now(request)
	}
	h := m.held[o.Replica]
	if request.Method == http.MethodGet {
		return sim.CRMFault{Until: h.release}
	}
	if h.pushes++; h.pushes == enough {
		close(h.some)
	}
	return sim.CRMFault{Until: h.release, Applied: h.pushes%2 == 0}
}
