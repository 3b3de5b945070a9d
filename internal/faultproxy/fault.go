package faultproxy

import (
	"context"
	"sync/atomic"
	"time"
)

// Fault is what happens to the connections of a Proxy. Its parts add up; the zero Fault is none.
type Fault struct {
	// Latency is added to every chunk and to the end of a direction, each way. It is that of a long
	// wire: chunks travel at the same time, so it costs no throughput until 512 of them, of up to
	// 32 KiB, are under way in one direction. Then the sender is held up, as by a full window.
	Latency time.Duration

	// Jitter is the most that is added to Latency, drawn uniformly for each chunk. No chunk overtakes
	// another.
	Jitter time.Duration

	// BytesPerSecond bounds each direction of each connection. 0 is no limit.
	BytesPerSecond int

	// BlackHole takes what is sent and passes nothing on: no byte, no end, no reset, and no new
	// connection, though its client believes that it is connected. When it ends, all of that is passed
	// on, since TCP would have repeated it. A write that has begun is not taken back.
	BlackHole bool

	// Refuse resets new connections at once. A client notices when it dials, or when it first reads or
	// writes.
	Refuse bool

	// CutAfter resets a connection after this many bytes from the client were passed on to the target:
	// a request is cut in the middle. They are counted from the call of Set, or from the beginning of a
	// connection that is younger. 0 is never.
	CutAfter int64
}

// delay returns how long a chunk is under way. Luck is in [0, 1).
func (f Fault) delay(luck float64) time.Duration {
	return f.Latency + time.Duration(luck*float64(f.Jitter))
}

// perSecond is the number of portions in which a second's worth of bytes is passed on: a low rate trickles.
const perSecond = 20

// portion returns how many of n bytes are passed on at once.
func (f Fault) portion(n int) int {
	if f.BytesPerSecond <= 0 {
		return n
	}
	return min(n, max(1, f.BytesPerSecond/perSecond))
}

// transmission returns how long it takes to put n bytes on the wire, rounded up.
func (f Fault) transmission(n int) time.Duration {
	if f.BytesPerSecond <= 0 {
		return 0
	}
	rate := time.Duration(f.BytesPerSecond)
	return (time.Duration(n)*time.Second + rate - 1) / rate
}

// regime is a Fault for as long as it is in force.
type regime struct {
	Fault
	over chan struct{} // closed by the next one
}

// weather is the fault that is in force at the moment.
type weather struct{ current atomic.Pointer[regime] }

func newWeather() *weather {
	w := &weather{}
	w.current.Store(&regime{over: make(chan struct{})})
	return w
}

func (w *weather) set(f Fault) {
	close(w.current.Swap(&regime{Fault: f, over: make(chan struct{})}).over)
}

// hold waits until something is due and no black hole is in its way. It calls due again whenever the fault
// changes, so that the change affects what is under way. It returns the regime that let it pass.
func (w *weather) hold(ctx context.Context, due func(Fault) time.Time) (*regime, error) {
	for {
		now := w.current.Load()
		var come <-chan time.Time
		if !now.BlackHole {
			wait := time.Until(due(now.Fault))
			if wait <= 0 {
				return now, nil
			}
			come = time.After(wait)
		}
		select {
		case <-come:
		case <-now.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
