package sqlite_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

// BenchmarkCommit measures one writer with the disk in it. Fresh receipts are the first of their
// messages; second ones displace a PENDING. Ids are random, as most gateways make them, or in
// sequence, which spares the index.
func BenchmarkCommit(b *testing.B) {
	for _, ids := range []string{"random", "sequence"} {
		for _, size := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("fresh/%s/%d", ids, size), func(b *testing.B) { benchmarkCommit(b, ids, size, false) })
			b.Run(fmt.Sprintf("second/%s/%d", ids, size), func(b *testing.B) { benchmarkCommit(b, ids, size, true) })
		}
	}
}

func benchmarkCommit(b *testing.B, ids string, size int, second bool) {
	s := open(b, filepath.Join(b.TempDir(), "bench.db"))
	commit := func(batch store.Batch) {
		if _, err := s.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	var slowest time.Duration
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		first, last := benchmarkBatch(ids, next, size, sms.Pending), benchmarkBatch(ids, next, size, sms.Delivered)
		next += size
		if second {
			commit(first)
		}
		b.StartTimer()
		start := time.Now()
		commit(last)
		slowest = max(slowest, time.Since(start))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(next), "ns/receipt")
	b.ReportMetric(float64(slowest.Milliseconds()), "ms-slowest")
}

func benchmarkBatch(ids string, from, size int, status sms.Status) store.Batch {
	now := time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)
	batch := store.Batch{Now: now, Judge: &sms.Judge{Rules: &sms.SenderRules{}, DefaultRegion: "US"}}
	for i := from; i < from+size; i++ {
		id := fmt.Sprintf("SM%030d", i)
		if ids == "random" {
			sum := sha256.Sum256([]byte(id))
			id = hex.EncodeToString(sum[:16])
		}
		r := &sms.Receipt{
			MessageID: id, Status: status, RawStatus: status.String(), At: now.Add(time.Duration(status) * time.Second),
			Carrier: "TWILIO", SenderID: "ACME", Recipient: "+14155550123", RecipientRegion: "US", Received: now,
		}
		raw := fmt.Sprintf(`{"messageId":%q,"status":%q,"carrier":"TWILIO","from":"ACME","to":"+14155550123","pad":`, id, status)
		r.Raw = []byte(raw + `"` + strings.Repeat("x", max(0, 297-len(raw))) + `"}`)
		batch.Entries = append(batch.Entries, store.Entry{Receipt: r})
	}
	return batch
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}
