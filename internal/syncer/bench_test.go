package syncer

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkTurns brings a new version of each of many threads to a CRM that answers in 5 ms, through a
// database that answers at once.
func BenchmarkTurns(b *testing.B) {
	const threads = 500
	queue, sink := newMemory(), newCRM()
	for i := range threads {
		queue.commit(event(fmt.Sprint("t", i), 0, "m", "text"))
	}
	sink.trouble = func(context.Context, string, string) mishap {
		time.Sleep(5 * time.Millisecond)
		return mishap{}
	}
	s := newSyncer(queue, sink)
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	await := func() {
		for !queue.isSynced() {
			time.Sleep(time.Millisecond)
		}
	}
	await()
	queue.calls = 0
	pushes := 0
	begun := time.Now()
	for b.Loop() {
		for i := range threads {
			queue.commit(event(fmt.Sprint("t", i), int64(pushes+1)))
		}
		pushes += threads
		s.Wake()
		await()
	}
	b.ReportMetric(float64(pushes)/time.Since(begun).Seconds(), "pushes/s")
	b.ReportMetric(float64(queue.calls)/float64(pushes), "calls/push")
	stop()
	<-ended
}
