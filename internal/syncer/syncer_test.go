package syncer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everything is a schema that takes all.
type everything struct{}

func (everything) Check(*thread.Delta, int64) (map[*thread.Item]string, error) { return nil, nil }

// anything is a schema that takes all but texts that say so.
type anything struct{}

func (anything) Check(d *thread.Delta, _ int64) (map[*thread.Item]string, error) {
	var bad map[*thread.Item]string
	for _, item := range d.Items {
		if !item.View().IsZero() && string(item.Content) == `{"id":"`+item.ID+`","text":"bad"}` {
			if bad == nil {
				bad = make(map[*thread.Item]string)
			}
			bad[item] = "text is bad"
		}
	}
	if d.ThreadID == "unfit" {
		return bad, fmt.Errorf("threadId is unfit")
	}
	return bad, nil
}

// event makes an event. Messages are given as id, text, id, text.
func event(id string, version int64, messages ...string) *thread.Event {
	e := &thread.Event{
		Type: thread.Updated, ThreadID: id, Version: version,
		UpdatedAt: time.Unix(1_700_000_000+version, 0).UTC(), Received: time.Unix(1_700_000_000, 0).UTC(),
	}
	for i := 0; i < len(messages); i += 2 {
		e.Messages = append(e.Messages, thread.Message{ID: messages[i], Text: messages[i+1]})
	}
	return sealed(e)
}

func under(e *thread.Event, t thread.Type, parent string) *thread.Event {
	e.Type, e.Parent, e.NamesParent = t, parent, true
	return sealed(e)
}

// sealed gives an event its key.
func sealed(e *thread.Event) *thread.Event {
	e.Key = thread.Key(sha256.Sum256(fmt.Append(nil, e.Type, e.ThreadID, e.Version, e.UpdatedAt, e.Parent, e.NamesParent, e.Messages, e.Participants)))
	return e
}

// bridge is a Syncer that runs, with all around it.
type bridge struct {
	*Syncer
	queue *memory
	stop  func() // and wait until it has
}

func newSyncer(queue Queue, sink crm.Sink) *Syncer {
	return New(Config{
		Queue: queue, Sink: sink, Schema: anything{},
		Metrics: NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler),
	})
}

// start runs a Syncer until the test ends. It is called in a bubble of synctest.
func start(t *testing.T, queue *memory, sink crm.Sink, change ...func(*Syncer)) *bridge {
	t.Helper()
	s := newSyncer(queue, sink)
	for _, f := range change {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	b := &bridge{Syncer: s, queue: queue, stop: func() {
		cancel()
		running.Wait()
	}}
	t.Cleanup(b.stop)
	return b
}

// take commits events and wakes the Syncer, as ingest does.
func (b *bridge) take(events ...*thread.Event) (rev int64) {
	rev = b.queue.commit(events...)
	b.Wake()
	return rev
}

// mustSync waits until all is synced. The time is that of the bubble.
func mustSync(t *testing.T, queue *memory, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); !queue.isSynced(); {
		if time.Now().After(deadline) {
			t.Fatalf("not synced within %s", within)
		}
		time.Sleep(time.Millisecond)
	}
	synctest.Wait()
}

var _ Queue = store.Queue(nil)
