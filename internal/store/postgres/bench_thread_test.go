package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// BenchmarkThreads commits a message for each of some threads, claims the threads and records that
// the CRM has the messages. The threads have more or fewer messages from before.
func BenchmarkThreads(b *testing.B) {
	for _, size := range []int{1, 4, 32} {
		for _, before := range []int{100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%d/after/%d", size, before), func(b *testing.B) { benchmarkThreads(b, size, before) })
		}
	}
}

func benchmarkThreads(b *testing.B, size, before int) {
	ctx := context.Background()
	st, err := postgres.Open(pgtest.Database(b))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	version := 0
	round := func(messages int) {
		version++
		batch := store.Batch{Now: time.Now().UTC().Truncate(time.Microsecond)}
		for i := range size {
			batch.Entries = append(batch.Entries, store.Entry{Thread: threadEvent(fmt.Sprintf("thread-%d", i), version, messages, batch.Now)})
		}
		if _, err := st.Commit(ctx, batch); err != nil {
			b.Fatal(err)
		}
		claimed, err := st.Claim(ctx, store.ClaimRequest{Limit: size, Lease: time.Minute, Items: messages})
		if err != nil || len(claimed.Work) != size {
			b.Fatal(len(claimed.Work), err)
		}
		pushes := make([]store.Push, size)
		for i, w := range claimed.Work {
			for _, item := range w.Items {
				item.Acked = item.View()
			}
			pushes[i] = store.Push{Claim: w.Claim, Rev: w.Row.Sync.Want, Done: true, Items: w.Items, Status: 200}
		}
		if _, err := st.Record(ctx, pushes, batch.Now); err != nil {
			b.Fatal(err)
		}
	}
	round(before)
	for b.Loop() {
		round(1)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/event")
}

// threadEvent lists messages that no event with another version lists.
func threadEvent(id string, version, messages int, now time.Time) *thread.Event {
	e := &thread.Event{
		Type: thread.Updated, ThreadID: id, Version: int64(version), UpdatedAt: now.Add(time.Duration(version) * time.Second),
		Key: sha256.Sum256(fmt.Appendf(nil, "%s/%d", id, version)), Received: now, Raw: []byte(`{"event":"THREAD_UPDATED"}`),
	}
	for i := range messages {
		e.Messages = append(e.Messages, thread.Message{
			ID: fmt.Sprintf("message-%d-%d", version, i), Text: "as long as a message is, more or less, which is not very long",
			Timestamp: thread.FormatTime(e.UpdatedAt), AuthorID: "author", Direction: "INBOUND",
		})
	}
	return e
}
