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

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

var errAway = fmt.Errorf("connection refused: %w", store.ErrUnavailable)

// fakeStore is a store in memory that can be made to fail. The revision of a thread is the version of
// its event, and an event without one is stale.
type fakeStore struct {
	mu        sync.Mutex
	away      bool
	poison    string // the id of a message or thread that the database refuses
	committed []store.Entry
	batches   [][]store.Entry
	migrated  int
	observed  analytics.Delta

	// migrating is waited for by Migrate, when set.
	migrating chan struct{}

	// before is called at the start of each Commit of events, when set, and alone at that of each that has
	// only observations.
	before func(ctx context.Context, entries []store.Entry) error
	alone  func(ctx context.Context) error
}

// Ping finds a schema that is old until it was migrated.
func (f *fakeStore) Ping(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.away:
		f.migrated++
		return errAway
	case f.migrated == 0:
		return store.ErrSchema
	}
	return nil
}

func (f *fakeStore) Migrate(ctx context.Context) error {
	if f.migrating != nil {
		select {
		case <-f.migrating:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.migrated++
	if f.away {
		return errAway
	}
	return nil
}

func (f *fakeStore) Commit(ctx context.Context, b store.Batch) ([]store.Outcome, error) {
	if len(b.Entries) == 0 {
		return nil, f.observe(ctx, b.Observed)
	}
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
		isReceipt := e.Receipt != nil && e.Receipt.MessageID == f.poison
		isThread := e.Thread != nil && e.Thread.ThreadID == f.poison
		if f.poison != "" && (isReceipt || isThread) {
			return nil, fmt.Errorf("bad bytes: %w", store.ErrRefused)
		}
	}
	outcomes := make([]store.Outcome, len(b.Entries))
	for i, e := range b.Entries {
		o := &outcomes[i]
		for _, known := range f.committed {
			o.Duplicate = o.Duplicate || bytes.Equal(rawOf(known), rawOf(e))
		}
		f.committed = append(f.committed, e)
		if e.Thread != nil {
			o.Stale = o.Duplicate || e.Thread.Version == 0
			o.Rev = e.Thread.Version
			if e.Thread.TakesFromParent() {
				o.ParentRev = e.Thread.Version
			}
		}
	}
	f.batches = append(f.batches, b.Entries)
	f.observed.Merge(b.Observed)
	return outcomes, nil
}

// observe is a commit of nothing else.
func (f *fakeStore) observe(ctx context.Context, d *analytics.Delta) error {
	if f.alone != nil {
		if err := f.alone(ctx); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errAway
	}
	f.observed.Merge(d)
	return nil
}

func (f *fakeStore) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// ids returns the messages of the committed receipts, in order; a thread and the subject of a dead
// letter are marked.
func (f *fakeStore) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, e := range f.committed {
		switch {
		case e.Receipt != nil:
			ids = append(ids, e.Receipt.MessageID)
		case e.Thread != nil:
			ids = append(ids, "thread: "+e.Thread.ThreadID)
		default:
			ids = append(ids, "dead: "+e.DeadLetter.Subject)
		}
	}
	return ids
}

func rawOf(e store.Entry) []byte {
	reading := Reading{Entry: e}
	return reading.source().Raw
}

func newReader(t testing.TB) *Reader {
	t.Helper()
	rules, ok := sms.BuiltinRules("default")
	if !ok {
		t.Fatal("the default sender rules are not built in")
	}
	return &Reader{Judge: &sms.Judge{Rules: rules, DefaultRegion: "US"}, Policy: Flag, Log: slog.New(slog.DiscardHandler)}
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
func start(t testing.TB, st Store, spool *Spool) *Ingest {
	t.Helper()
	return startWith(t, Config{Store: st, Spool: spool})
}

// startWith sets what a test does not care for.
func startWith(t testing.TB, c Config) *Ingest {
	t.Helper()
	c.Reader = newReader(t)
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Metrics == nil {
		c.Metrics = newMetrics()
	}
	in := New(c)
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

// event is the raw text of an event of a thread.
func event(id string, version int) []byte {
	return fmt.Appendf(nil, `{"event":"THREAD_UPDATED","data":{"threadId":%q,"version":%d,"updatedAt":"2026-03-01T10:00:00Z"}}`, id, version)
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
	busy, ok := errors.AsType[*BusyError](err)
	return ok && busy.RetryAfter > 0 && !busy.Storage
}

// isUnstored reports whether neither the database nor the spool took an event.
func isUnstored(err error) bool {
	busy, ok := errors.AsType[*BusyError](err)
	return ok && busy.RetryAfter > 0 && busy.Storage
}
