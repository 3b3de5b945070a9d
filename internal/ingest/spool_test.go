package ingest

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
	"github.com/cxbridge/cxbridge/internal/store"
)

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// The trace context of an event is there when the spool drains after a restart, so that the push of
// what it changes continues the trace.
func TestSpoolKeepsTraces(t *testing.T) {
	dir := t.TempDir()
	spool := newSpool(t, dir, 1<<20)
	var bytes int64
	synctest.Test(t, func(t *testing.T) {
		in := startWith(t, Config{Store: &fakeStore{away: true}, Spool: spool})
		traced, plain := in.ReadThread(event("traced", 1), received), in.ReadThread(event("plain", 1), received)
		traced.Entry.Trace = traceparent
		if _, err := in.Submit(t.Context(), []Reading{traced, plain}); err != nil {
			t.Fatal(err)
		}
		bytes = spool.Bytes()
	})
	if err := spool.Close(); err != nil {
		t.Fatal(err)
	}
	spool = newSpool(t, dir, 1<<20)
	if spool.Bytes() != bytes {
		t.Errorf("%d bytes after a restart, %d before", spool.Bytes(), bytes)
	}
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		startWith(t, Config{Store: st, Spool: spool})
		time.Sleep(reconnectMost + time.Second)
		synctest.Wait()
		got := make(map[string]string)
		for _, e := range st.committed {
			got[e.Thread.ThreadID] = e.Trace
		}
		if diff := cmp.Diff(map[string]string{"traced": traceparent, "plain": ""}, got); diff != "" {
			t.Errorf("the traces (-want +got):\n%s", diff)
		}
	})
	if spool.Bytes() != 0 {
		t.Errorf("%d bytes in an empty spool", spool.Bytes())
	}
}

// A release that kept no traces may have left events behind.
func TestSpoolOfAnEarlierRelease(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlitedb.Open(filepath.Join(dir, "spool.db"), sqlitedb.Options{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, received_at INTEGER NOT NULL, raw BLOB NOT NULL)",
		"INSERT INTO events (kind, received_at, raw) VALUES ('sms', 7, x'7b7d')",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSpool(t, dir, 1<<20)
	later := SpoolEvent{Kind: store.KindThread, Received: time.UnixMicro(8).UTC(), Raw: []byte("{}"), Trace: traceparent}
	if err := s.Append([]SpoolEvent{later}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Oldest(10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	later.ID = 2
	want := []SpoolEvent{{ID: 1, Kind: store.KindSMS, Received: time.UnixMicro(7).UTC(), Raw: []byte("{}")}, later}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
