package webhook

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// waitingRequests bounds the requests that wait for the CRM.
	waitingRequests = 256

	// waitingBytes bounds the memory that their answers hold meanwhile. It has room for all of them
	// with a single event each, or for some fifteen of the longest arrays with ids of usual length.
	waitingBytes = 16 << 20
)

// later is an answer that waiting may improve. It holds nothing of the request's body.
type later struct {
	wait  time.Duration // at most, from when the request came; more than 0
	bytes int64         // of memory that it holds

	// answer returns the better answer once there is nothing left to wait for or ctx ends.
	answer func(ctx context.Context) reply
}

// waiting counts the requests that wait, over all webhooks of a Gate.
type waiting struct {
	requests atomic.Int64
	bytes    atomic.Int64
	ended    context.Context // ends when no request may wait any more
	end      context.CancelFunc
}

// enter counts an answer in, or reports that there are too many.
func (w *waiting) enter(l *later) bool {
	if !take(&w.requests, 1, waitingRequests) {
		return false
	}
	if !take(&w.bytes, l.bytes, waitingBytes) {
		w.requests.Add(-1)
		return false
	}
	return true
}

func (w *waiting) leave(l *later) {
	w.bytes.Add(-l.bytes)
	w.requests.Add(-1)
}

// StopWaiting answers the requests that wait for the CRM with what is known so far, and lets no more
// of them wait. It is for the start of a graceful stop, which would wait for them in turn.
func (g *Gate) StopWaiting() { g.waiting.end() }

// await lets a request wait before it is answered. Its events are durable, and its body is no longer
// needed, so it gives back what it holds of the load. Beyond the bounds it does not wait, and keeps
// the answer that it has, which is just as true.
func (rt *route) await(v *visit, rep *reply) {
	g, l := rt.gate, rep.later
	if !g.waiting.enter(l) {
		return
	}
	defer g.waiting.leave(l)
	v.ticket.leave()
	begun := g.now()
	ctx, span := childSpan(v.ctx, "wait for the CRM")
	defer end(span)
	ctx, cancel := context.WithTimeout(ctx, l.wait-begun.Sub(v.start))
	defer cancel()
	defer context.AfterFunc(g.waiting.ended, cancel)()
	defer func() {
		if p := recover(); p != nil {
			rt.logPanic(ctx, v, p)
		}
		v.waited = g.now().Sub(begun)
	}()
	*rep = l.answer(ctx)
}
