package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// overloadResult is what was measured on one store.
type overloadResult struct {
	settings *overloadSettings
	enough   int // connections that it takes to reach the capacity
	table    proof.Table
	faults   []string
}

// The bounds of the long form. They are generous: they are there to catch a queue without an end.
const (
	maxMemory   = 600 << 20              // resident, at the most
	maxAccepted = 5 * time.Second        // p99 of what is acknowledged meanwhile
	maxRefused  = 100 * time.Millisecond // p99 of the answers of 503
	maxSettling = 5 * time.Second        // until the latency is what it was
	maxSettled  = 2                      // times the p99 of before that one post may take then, if that is above maxSlack
	maxDelay    = 10                     // times slower that others may be, if that is above maxSlack
	maxSlack    = 100 * time.Millisecond
)

func (r *overloadResult) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// bound adds a figure that must not exceed a bound; only the long form insists on it.
func (r *overloadResult) bound(figure string, reached, most time.Duration) {
	r.table = append(r.table, []string{figure, proof.Millis(reached), "≤ " + proof.Millis(most)})
	if r.settings.strict && reached > most {
		r.fault("%s: %s is above %s", figure, proof.Millis(reached), proof.Millis(most))
	}
}

// undisturbed requires that the posts of probes were taken. Only the long form insists that they were taken at
// once: on a machine that is slow enough a commit comes too late, and is answered with 503 as it should be.
func (r *overloadResult) undisturbed(who string, probes ...*proof.Probe) {
	for _, p := range probes {
		r.faults = append(r.faults, p.Wrong()...)
		if n := p.Busy(); n > 0 && r.settings.strict {
			r.fault("%s: %d answers of 503", who, n)
		}
	}
}

func (r *overloadResult) figure(figure, reached, bound string) {
	r.table = append(r.table, []string{figure, reached, bound})
}

// put puts a load on the service, and adds what is wrong with the rows that it left.
func (r *overloadResult) put(ctx context.Context, st *stage, cfg load.Config) (loadResult, error) {
	result, err := st.put(ctx, cfg)
	r.faults = append(r.faults, result.faults...)
	return result, err
}

// receiptProbe posts receipts of messages of its own.
func receiptProbe(st *stage) *proof.Probe {
	prefix := strings.ToLower(rand.Text()[:8])
	st.traffic.Promises.Beside(prefix)
	return &proof.Probe{Path: proof.ReceiptsPath, Every: 20 * time.Millisecond, Body: func(n int) string {
		return fmt.Sprintf(`{"messageId":"%s-%d","status":"DELIVERED","carrier":"ATT","timestamp":"2026-03-02T09:30:00Z"}`, prefix, n)
	}}
}

// probeFor runs a probe for a time, while meanwhile runs too, unless that is nil.
func probeFor(ctx context.Context, st *stage, p *proof.Probe, d time.Duration, meanwhile func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { p.Run(ctx, st.service) })
	if meanwhile != nil {
		both.Go(func() { meanwhile(ctx) })
	}
	both.Wait()
}

// tooMuch sends three times what can be taken, while another sender repeats what is refused. That sender posts
// from the beginning, since over a slow link its threads alone make others wait.
func (r *overloadResult) tooMuch(ctx context.Context, st *stage) error {
	s := r.settings
	before := receiptProbe(st)
	probeFor(ctx, st, before, s.part, st.traffic.Run)
	capacity, err := r.put(ctx, st, load.Config{Connections: r.enough, Warmup: time.Second, Duration: s.part})
	if err != nil {
		return err
	}
	sending, rest := context.WithCancel(ctx)
	defer rest()
	var other sync.WaitGroup
	after := receiptProbe(st)
	other.Go(func() { st.traffic.Run(sending) })
	other.Go(func() { after.Run(sending, st.service) })
	over, err := r.put(ctx, st, load.Config{Connections: s.connections, Rate: 3 * capacity.PerSecond, Warmup: time.Second, Duration: s.duration})
	if err != nil {
		rest()
		other.Wait()
		return err
	}
	select {
	case <-time.After(s.part):
	case <-ctx.Done():
	}
	rest()
	other.Wait()
	memory, err := proof.PeakMemory(st.service.Process().PID())
	if err != nil {
		return err
	}
	r.figure(fmt.Sprintf("receipts/s at capacity (%d connections, closed loop)", r.enough), fmt.Sprintf("%.0f", capacity.PerSecond), "")
	r.figure("requests/s that were due", fmt.Sprintf("%.0f", 3*capacity.PerSecond), "3 times that")
	answers := over.Ledger.Requests + over.Ledger.Refused[http.StatusServiceUnavailable]
	r.figure("requests/s that the generator got answered", fmt.Sprintf("%.0f", float64(answers)/over.Elapsed.Seconds()), "")
	r.figure("receipts/s acknowledged meanwhile", fmt.Sprintf("%.0f", over.PerSecond), "")
	r.figure("requests acknowledged from the spool", fmt.Sprint(over.Ledger.Spooled), "")
	r.figure("answers of 503", fmt.Sprint(over.Ledger.Refused[http.StatusServiceUnavailable]), "")
	r.figure("broken connections", fmt.Sprint(over.Ledger.Broken), "")
	r.bound("acknowledged, p99", over.Accepted.P99, maxAccepted)
	r.bound("503, p99", over.Refused.P99, maxRefused)
	r.figure("resident memory, most", fmt.Sprintf("%d MB", memory>>20), fmt.Sprintf("≤ %d MB", maxMemory>>20))
	if memory > maxMemory {
		r.fault("%d MB of memory", memory>>20)
	}
	usual := before.Times().P99()
	r.figure("a single receipt, p99, before", proof.Millis(usual), "")
	limit := max(maxSettled*usual, maxSlack)
	r.bound("until none takes longer than "+proof.Millis(limit), after.SettledAfter(over.ended, limit), maxSettling)
	return r.senderLosesNothing(ctx, st)
}

// senderLosesNothing checks what the sender beside the load has sent, and repeated.
func (r *overloadResult) senderLosesNothing(ctx context.Context, st *stage) error {
	var v proof.Verdict
	if err := st.check(ctx, &v, true); err != nil {
		return err
	}
	p := st.traffic.Promises
	r.figure("a sender beside it that repeats: 503s, events acknowledged at last", fmt.Sprintf("%d, %d", p.Busy(), p.Events()), "all")
	r.figure("of those lost, doubled", fmt.Sprintf("%d, %d", v.Lost, v.Doubled), "0, 0")
	r.faults = append(r.faults, v.Wrong...)
	return nil
}

// threadProbe posts an event to a thread of its own each time, and waits until the CRM has it.
func threadProbe() *proof.Probe {
	return &proof.Probe{Path: proof.ThreadsPath, Prefer: "wait=60", Every: 50 * time.Millisecond, Body: func(n int) string {
		return threadEvent(strings.ToLower(rand.Text()[:12]), n)
	}}
}

func threadEvent(threadID string, version int) string {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"event":"THREAD_UPDATED","timestamp":%q,"data":{"threadId":%q,"version":%d,"updatedAt":%q,`+
		`"messages":[{"id":"m-%d","text":"Is it on its way?","timestamp":%q,"authorId":"c-1","direction":"INBOUND"}]}}`,
		at, threadID, version+1, at, version, at)
}

// flood posts 500 events a second to one thread. Other threads must get what they got before.
func (r *overloadResult) flood(ctx context.Context, st *stage) error {
	before, during := threadProbe(), threadProbe()
	probeFor(ctx, st, before, r.settings.part, nil)
	flooding := &proof.Probe{Path: proof.ThreadsPath, Every: 2 * time.Millisecond, Body: func(n int) string { return threadEvent("flooded", n) }}
	probeFor(ctx, st, during, r.settings.part, func(ctx context.Context) { flooding.Run(ctx, st.service) })
	r.undisturbed("the other threads", before, during)
	r.faults = append(r.faults, flooding.Wrong()...)
	r.figure("events/s into one thread", fmt.Sprintf("%.0f", float64(flooding.Taken())/r.settings.part.Seconds()), "")
	r.figure("other threads, post to CRM, p99, before", proof.Millis(before.Times().P99()), "")
	r.bound("the same, while one thread is flooded", during.Times().P99(), max(maxDelay*before.Times().P99(), 5*maxSlack))
	if err := st.service.AwaitSynced(ctx); err != nil {
		r.fault("%v", err)
	}
	return nil
}

// slowClients holds connections open in every way, while other clients go on.
func (r *overloadResult) slowClients(ctx context.Context, st *stage) error {
	before, during := receiptProbe(st), receiptProbe(st)
	probeFor(ctx, st, before, r.settings.part, nil)
	closed := 0
	probeFor(ctx, st, during, r.settings.part, func(ctx context.Context) { closed = proof.SlowClients(ctx, st.service, r.settings.slow) })
	r.undisturbed("the other receipts", before, during)
	r.figure("slow clients: heads, bodies, answers not read", fmt.Sprintf("%d each", r.settings.slow), "")
	r.figure("of these hung up on", fmt.Sprint(closed), "")
	r.figure("receipts, p99, before", proof.Millis(before.Times().P99()), "")
	r.bound("the same, meanwhile", during.Times().P99(), max(maxDelay*before.Times().P99(), maxSlack))
	return nil
}
