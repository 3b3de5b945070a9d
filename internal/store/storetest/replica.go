package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

func testReplicas(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	requireReplicas(t, s)

	a := store.Replica{ID: "a", Host: "höst-1", Version: "1.2.3", Started: at(10), Seen: at(10)}
	b := store.Replica{ID: "b", Host: "host-2", Started: at(5), Seen: at(11)}
	beat(t, s, a)
	beat(t, s, b)
	requireReplicas(t, s, b, a)
	beat(t, s, a)
	a.Seen, a.Version = at(20), "1.2.4"
	beat(t, s, a)
	requireReplicas(t, s, b, a)

	// A replica is forgotten once it has been silent for longer than ReplicaSilence.
	a.Seen = b.Seen.Add(store.ReplicaSilence)
	beat(t, s, a)
	requireReplicas(t, s, b, a)
	a.Seen = a.Seen.Add(time.Microsecond)
	beat(t, s, a)
	requireReplicas(t, s, a)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	requireUnavailable(t, "Beat after the context ended", s.Beat(ended, b))
	requireReplicas(t, s, a)
}

// testBeats lets replicas beat at the same time, while others are forgotten.
func testBeats(t *testing.T, create func(t *testing.T) Open, replicas int) {
	stores := openReplicas(t, create, replicas)
	for i := range 20 {
		id := fmt.Sprintf("old %d", i)
		beat(t, stores[0], store.Replica{ID: id, Started: at(i), Seen: at(i)})
	}
	var want []store.Replica
	var group sync.WaitGroup
	for i := range 8 {
		r := store.Replica{ID: fmt.Sprintf("new %d", i), Host: "host", Version: "1", Started: at(100 + i)}
		r.Seen = r.Started.Add(store.ReplicaSilence + 20*time.Second)
		want = append(want, r)
		group.Go(func() {
			for seen := r.Seen.Add(-20 * time.Second); !seen.After(r.Seen); seen = seen.Add(time.Second) {
				beating := r
				beating.Seen = seen
				if err := stores[i%replicas].Beat(ctx(), beating); err != nil {
					t.Errorf("Beat: %v", err)
				}
			}
		})
	}
	group.Wait()
	requireReplicas(t, stores[0], want...)
}

func beat(t failer, s store.Store, r store.Replica) {
	t.Helper()
	if err := s.Beat(ctx(), r); err != nil {
		t.Fatalf("Beat: %v", err)
	}
}

func requireReplicas(t failer, s store.Store, want ...store.Replica) {
	t.Helper()
	got, err := s.Replicas(ctx())
	if err != nil {
		t.Fatalf("Replicas: %v", err)
	}
	requireEqual(t, "replicas", got, want)
}

// openReplicas opens several stores on one new database.
func openReplicas(t *testing.T, create func(t *testing.T) Open, replicas int) []store.Store {
	t.Helper()
	open := create(t)
	stores := make([]store.Store, replicas)
	for i := range stores {
		stores[i] = openStore(t, open)
	}
	if err := stores[0].Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return stores
}
