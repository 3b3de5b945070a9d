package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

func testBacklog(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	requireBacklog(t, s, 100, store.Backlog{})

	commitAt(t, s, at(10), events(updated("a", 1), updated("b", 1))...)
	commitAt(t, s, at(20), events(updated("c", 1), split("child", "unseen", 1, message("m", 1)))...)
	requireBacklog(t, s, 100, store.Backlog{Pending: 4, Oldest: at(10)})

	// One is refused for good, one fails, one is done, and one is being pushed.
	work := make(map[string]*store.Work)
	for _, w := range claim(t, s, 10, time.Hour) {
		work[w.ThreadID] = &w
	}
	refused := failed(work["a"], 422, 0)
	refused.Park = &store.DeadLetter{Kind: store.KindThreadPush, Subject: "a", Reason: "no", Received: at(7200), Key: "a"}
	record(t, s, refused, failed(work["c"], 500, store.MaxWait), done(work["child"]))
	requireBacklog(t, s, 100, store.Backlog{Pending: 2, Retrying: 1, Parked: 1, Oldest: at(10)})
	record(t, s, done(work["b"]))
	requireBacklog(t, s, 100, store.Backlog{Pending: 1, Retrying: 1, Parked: 1, Oldest: at(20)})

	for i := range 20 {
		commitAt(t, s, at(30+i), events(updated(fmt.Sprintf("t%d", i), 1))...)
	}
	requireBacklog(t, s, 100, store.Backlog{Pending: 21, Retrying: 1, Parked: 1, Oldest: at(20)})
	requireBacklog(t, s, 5, store.Backlog{Pending: 5, Retrying: 1, Parked: 1, Oldest: at(20)})
	requireBacklog(t, s, 1, store.Backlog{Pending: 1, Retrying: 1, Parked: 1, Oldest: at(20)})
}

func requireBacklog(t failer, s store.Store, most int, want store.Backlog) {
	t.Helper()
	got, err := s.Backlog(ctx(), most)
	if err != nil {
		t.Fatalf("Backlog: %v", err)
	}
	requireEqual(t, fmt.Sprintf("backlog to %d", most), got, want)
}

func testDescribe(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	before, err := s.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before.Engine == "" || before.Version == "" || before.Schema < 3 || before.Bytes <= 0 {
		t.Errorf("description %+v", before)
	}
	// Noise, because zeros would be compressed, and a vacuum of the catalog could free more than they take.
	noise := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // cannot fail
	commit(t, s, letters(letter("large", "bad", string(noise)))...)
	after, err := s.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Bytes <= before.Bytes {
		t.Errorf("%d bytes after a large commit, %d before", after.Bytes, before.Bytes)
	}
	requireEqual(t, "the rest", store.Description{Engine: after.Engine, Version: after.Version, Schema: after.Schema},
		store.Description{Engine: before.Engine, Version: before.Version, Schema: before.Schema})
}

func requireUnavailable(t failer, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%s: %v, want ErrUnavailable", what, err)
	}
}
