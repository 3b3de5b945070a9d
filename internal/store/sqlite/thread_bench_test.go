package sqlite_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// BenchmarkThread measures one event on a thread, with the disk in it: to commit it, and to push it,
// which is a claim and its record. The cost is that of the messages that the event adds, whatever
// the thread has already.
func BenchmarkThread(b *testing.B) {
	for _, added := range []int{1, 10, 100} {
		for _, size := range []int{100, 1_000, 10_000, 20_000} {
			b.Run(fmt.Sprintf("added/%d/of/%d", added, size), func(b *testing.B) { benchmarkThread(b, added, size) })
		}
	}
}

func benchmarkThread(b *testing.B, added, size int) {
	s := open(b, filepath.Join(b.TempDir(), "bench.db"))
	id, has, threads := "", 0, 0
	var committing, pushing time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if id == "" || has > size+size/4 { // it has grown too much to be of that size
			threads++
			id, has = fmt.Sprintf("thread-%d", threads), size
			commitEvent(b, s, threadEvent(id, 0, size))
			for pushDue(b, s) {
			}
		}
		event := threadEvent(id, has, added)
		has += added
		b.StartTimer()
		start := time.Now()
		commitEvent(b, s, event)
		committed := time.Now()
		if pushDue(b, s) {
			b.Fatal("there is more to push than the event brought")
		}
		committing += committed.Sub(start)
		pushing += time.Since(committed)
	}
	b.ReportMetric(float64(committing.Microseconds())/float64(b.N), "µs-commit")
	b.ReportMetric(float64(pushing.Microseconds())/float64(b.N), "µs-push")
}

// pushDue records that the CRM has taken what is due, at most a chunk of it, and reports whether
// there is more.
func pushDue(t testing.TB, s *sqlite.Store) (more bool) {
	claimed, err := s.Claim(context.Background(), store.ClaimRequest{Limit: 16, Lease: time.Minute, Items: 500})
	if err != nil {
		t.Fatal(err)
	}
	var pushes []store.Push
	for _, w := range claimed.Work {
		for _, item := range w.Items {
			item.Acked = item.View()
		}
		more = more || w.More
		pushes = append(pushes, store.Push{Claim: w.Claim, Rev: w.Row.Sync.Want, Done: !w.More, Items: w.Items, Status: 200})
	}
	if _, err := s.Record(context.Background(), pushes, time.Now()); err != nil {
		t.Fatal(err)
	}
	return more
}

func commitEvent(t testing.TB, s *sqlite.Store, e *thread.Event) {
	t.Helper()
	_, err := s.Commit(context.Background(), store.Batch{Entries: []store.Entry{{Thread: e}}, Now: e.Received})
	if err != nil {
		t.Fatal(err)
	}
}

// threadEvent adds messages to a thread that has some.
func threadEvent(id string, has, added int) *thread.Event {
	at := time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC).Add(time.Duration(has) * time.Second)
	e := &thread.Event{Type: thread.Updated, ThreadID: id, Version: int64(has + added), UpdatedAt: at, Received: at}
	for i := has; i < has+added; i++ {
		e.Messages = append(e.Messages, thread.Message{
			ID: fmt.Sprintf("message-%06d", i), Text: strings.Repeat("x", 120), AuthorID: "customer-1", Direction: "INBOUND",
			Timestamp: thread.FormatTime(at.Add(time.Duration(i-has) * time.Millisecond)),
		})
	}
	e.Raw = fmt.Appendf(nil, `{"threadId":%q,"version":%d}`, id, e.Version)
	e.Key = sha256.Sum256(e.Raw)
	return e
}
