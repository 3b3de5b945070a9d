package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

var errAway = fmt.Errorf("connection refused: %w", store.ErrUnavailable)

// fakeStore is a store in memory that can be made to fail.
type fakeStore struct {
	store.Store // nil: what is not overridden here must not be called

	mu        sync.Mutex
	away      bool
	poison    string // the id of a message that the database refuses
	committed []store.Entry
	batches   [][]store.Entry
	migrated  int

	// before is called at the start of each Commit, when set.
	before func(ctx context.Context, entries []store.Entry) error
}

func (f *fakeStore) Migrate(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.migrated++
	if f.away {
		return errAway
	}
	return nil
}

func (f *fakeStore) Commit(ctx context.Context, b store.Batch) ([]store.Outcome, error) {
	if f.before != nil {
		if err := f.before(ctx, b.Entries); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return nil, errAway
	}
	for _, e := range b.Entries {
		if f.poison != "" && e.Receipt != nil && e.Receipt.MessageID == f.poison {
			return nil, fmt.Errorf("bad bytes: %w", store.ErrRefused)
		}
	}
	outcomes := make([]store.Outcome, len(b.Entries))
	for i, e := range b.Entries {
		for _, known := range f.committed {
			outcomes[i].Duplicate = outcomes[i].Duplicate || bytes.Equal(rawOf(known), rawOf(e))
		}
		f.committed = append(f.committed, e)
	}
	f.batches = append(f.batches, b.Entries)
	return outcomes, nil
}

func (f *fakeStore) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// ids returns the messages of the committed receipts, in order; a dead letter is its reason.
func (f *fakeStore) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, e := range f.committed {
		if e.Receipt != nil {
			ids = append(ids, e.Receipt.MessageID)
		} else {
			ids = append(ids, "dead: "+e.DeadLetter.Subject)
		}
	}
	return ids
}

func rawOf(e store.Entry) []byte {
	if e.Receipt != nil {
		return e.Receipt.Raw
	}
	return e.DeadLetter.Raw
}

func newReader(t testing.TB) *Reader {
	t.Helper()
	rules, ok := sms.BuiltinRules("default")
	if !ok {
		t.Fatal("the default sender rules are not built in")
	}
	return &Reader{Judge: &sms.Judge{Rules: rules, DefaultRegion: "US"}, Policy: Flag}
}

func newMetrics() *Metrics { return NewMetrics(prometheus.NewRegistry()) }

func newSpool(t testing.TB, dir string, limit int64) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, limit, newMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start runs an Ingest for the length of a test.
func start(t testing.TB, st store.Store, spool *Spool) *Ingest {
	t.Helper()
	in := New(Config{
		Store: st, Reader: newReader(t), Spool: spool, Metrics: newMetrics(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err := in.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Stop)
	return in
}

// receipt is the raw text of a receipt.
func receipt(id string) []byte {
	return fmt.Appendf(nil, `{"messageId":%q,"status":"DELIVERED","from":"+12025550100","to":"+12025550101","timestamp":"2026-03-01T10:00:00Z"}`, id)
}

// submit sends receipts in one request.
func submit(in *Ingest, ids ...string) ([]Answer, error) {
	readings := make([]Reading, len(ids))
	for i, id := range ids {
		readings[i] = in.ReadSMS(receipt(id), time.Now().UTC().Truncate(time.Microsecond))
	}
	return in.Submit(context.Background(), readings)
}

func mustSubmit(t *testing.T, in *Ingest, ids ...string) []Answer {
	t.Helper()
	answers, err := submit(in, ids...)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func isBusy(err error) bool {
	var busy *BusyError
	return errors.As(err, &busy) && busy.RetryAfter > 0
}
