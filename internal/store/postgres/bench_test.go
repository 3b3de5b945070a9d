package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
)

// BenchmarkCommit commits first receipts of new messages, and second receipts of known ones.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 32, 512, 5000} {
		for _, second := range []bool{false, true} {
			name := fmt.Sprintf("first/%d", size)
			if second {
				name = fmt.Sprintf("second/%d", size)
			}
			b.Run(name, func(b *testing.B) { benchmarkCommit(b, size, second) })
		}
	}
}

func benchmarkCommit(b *testing.B, size int, second bool) {
	ctx := context.Background()
	st, err := postgres.Open(pgtest.Database(b))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	rules, _ := sms.BuiltinRules("default")
	judge := &sms.Judge{Rules: rules, DefaultRegion: "US"}
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	batch := func(round int, status sms.Status) store.Batch {
		batch := store.Batch{Now: now, Judge: judge, Entries: make([]store.Entry, size)}
		for i := range batch.Entries {
			r := &sms.Receipt{
				MessageID: fmt.Sprintf("message-%08d-%06d", round, i), Status: status, RawStatus: status.String(),
				At: now.Add(time.Duration(status) * time.Second), Carrier: "TMOBILE", SenderID: "+12025550100",
				Recipient: "+12025550101", RecipientRegion: "US", Received: now,
			}
			r.Raw = fmt.Appendf(nil, `{"eventType":"messaging.status.update","payload":{"messageId":%q,"status":%q,"errorCode":null,`+
				`"carrier":"TMOBILE","from":"+12025550100","to":"+12025550101","timestamp":%q,"note":"as long as a real one is, more or less"}}`,
				r.MessageID, r.RawStatus, r.At.Format(time.RFC3339))
			batch.Entries[i].Receipt = r
		}
		return batch
	}
	b.ReportAllocs()
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		todo := batch(round, sms.Pending)
		if second {
			if _, err := st.Commit(ctx, todo); err != nil {
				b.Fatal(err)
			}
			todo = batch(round, sms.Delivered)
		}
		b.StartTimer()
		if _, err := st.Commit(ctx, todo); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/receipt")
}
