package ingest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// instantStore costs next to nothing, so that a benchmark shows what ingest itself costs.
type instantStore struct{ Store }

func (instantStore) Ping(context.Context) error { return nil }

func (instantStore) Commit(_ context.Context, b store.Batch) ([]store.Outcome, error) {
	return make([]store.Outcome, len(b.Entries)), nil
}

func BenchmarkSubmit(b *testing.B) {
	raw := receipt("0f8fad5b-d9cb-469f-a165-70867728950e")
	for _, senders := range []int{1, 64} {
		b.Run(fmt.Sprint("senders=", senders), func(b *testing.B) {
			in := startWith(b, Config{Store: instantStore{}, SLA: testSLA})
			b.ReportAllocs()
			b.SetParallelism(senders)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					readings := []Reading{in.ReadSMS(raw, time.Now().UTC().Truncate(time.Microsecond))}
					if _, err := in.Submit(context.Background(), readings); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
