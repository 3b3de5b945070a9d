package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/refusal"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var received = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// mixed reads texts of both kinds: what has an event is of a thread.
func mixed(in *Ingest, raws ...[]byte) []Reading {
	readings := make([]Reading, len(raws))
	for i, raw := range raws {
		at := received.Add(time.Duration(i) * time.Second)
		if raw[2] == 'e' {
			readings[i] = in.ReadThread(raw, at)
		} else {
			readings[i] = in.ReadSMS(raw, at)
		}
	}
	return readings
}

func mustSubmitMixed(t *testing.T, in *Ingest, raws ...[]byte) []Answer {
	t.Helper()
	answers, err := in.Submit(context.Background(), mixed(in, raws...))
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestReadThread(t *testing.T) {
	const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
	rd := newReader(t)
	for _, test := range []struct {
		name    string
		raw     string
		ids     thread.IDFormat
		subject string
		invalid bool
	}{
		{"good", string(event("t-1", 1)), thread.AnyID, "t-1", false},
		{"uuid", string(event(uuid, 1)), thread.UUIDs, uuid, false},
		{"no uuid", string(event("t-1", 1)), thread.UUIDs, "t-1", true},
		{"no type", `{"event":"X","data":{"threadId":"t-1"}}`, thread.AnyID, "t-1", true},
		{"no id", `{"event":"THREAD_UPDATED","data":{}}`, thread.AnyID, "", true},
		{"no object", `7`, thread.AnyID, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			rd.ThreadIDs = test.ids
			r := rd.ReadThread([]byte(test.raw), received)
			_, invalid := errors.AsType[*refusal.InvalidError](r.Refused)
			if r.Subject != test.subject || invalid != test.invalid || (r.Refused != nil) != test.invalid {
				t.Errorf("subject %q, refused: %v", r.Subject, r.Refused)
			}
			want := SpoolEvent{Kind: store.KindThread, Received: received, Raw: []byte(test.raw)}
			if diff := cmp.Diff(want, r.source()); diff != "" {
				t.Errorf("the source (-want +got):\n%s", diff)
			}
			if letter := r.Entry.DeadLetter; test.invalid && (letter.Subject != test.subject || letter.Reason != r.Refused.Error()) {
				t.Errorf("dead letter %+v", letter)
			}
			if e := r.Entry.Thread; !test.invalid && (e.ThreadID != test.subject || r.Entry.DeadLetter != nil) {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// The answer to a split names the revisions of both threads.
func TestAnswerToASplit(t *testing.T) {
	in := startWith(t, Config{Store: &fakeStore{}})
	split := []byte(`{"event":"THREAD_SPLIT","data":{"threadId":"c","parentThreadId":"p","version":3,"messages":[{"id":"m"}]}}`)
	if got, want := mustSubmitMixed(t, in, split)[0], (Answer{Rev: 3, ParentRev: 3}); got != want {
		t.Errorf("answer %+v, want %+v", got, want)
	}
}

func TestReadThreadThatIsNotJSON(t *testing.T) {
	r := newReader(t).ReadThread([]byte(`{"event"`), received)
	if _, malformed := errors.AsType[*refusal.MalformedError](r.Refused); !malformed || r.Entry.DeadLetter == nil {
		t.Errorf("refused: %v, entry %+v", r.Refused, r.Entry)
	}
}

func TestBothKindsShareACommit(t *testing.T) {
	st := &fakeStore{}
	registry := prometheus.NewRegistry()
	in := startWith(t, Config{Store: st, Metrics: NewMetrics(registry)})
	answers := mustSubmitMixed(t, in, receipt("m"), event("t", 7), event("t", 0), []byte(`{"event":1}`), event("t", 7))
	want := []Answer{{}, {Rev: 7}, {Stale: true}, {}, {Duplicate: true, Stale: true, Rev: 7}}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := sizes(st.batches); len(got) != 1 {
		t.Errorf("they took commits of %v", got)
	}
	if diff := cmp.Diff(map[string]float64{"receipt": 1, "thread_event": 3, "dead_letter": 1}, keptAs(t, registry)); diff != "" {
		t.Errorf("kept as (-want +got):\n%s", diff)
	}
	if f := in.Figures(); f.Processed != 5 || f.Errors != 1 || f.Duplicates != 1 || f.DeadLetters != 1 {
		t.Errorf("figures %+v", f)
	}
}

// keptAs returns the counts of the committed events by what they are kept as.
func keptAs(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, f := range families {
		if f.GetName() == "cxbridge_committed_events_total" {
			for _, m := range f.GetMetric() {
				counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return counts
}

func TestWakeIsCalledForNewRevisions(t *testing.T) {
	for _, test := range []struct {
		name   string
		raws   [][]byte
		poison string
		away   bool
		want   int64
	}{
		{"new", [][]byte{event("t", 1)}, "", false, 1},
		{"two in a commit", [][]byte{event("t", 1), event("u", 1)}, "", false, 1},
		{"among others", [][]byte{receipt("m"), event("t", 0), event("u", 1), receipt("n")}, "", false, 1},
		{"stale", [][]byte{event("t", 0)}, "", false, 0},
		{"known", [][]byte{event("t", 1), event("t", 1)}, "", false, 1},
		{"receipt", [][]byte{receipt("m")}, "", false, 0},
		{"dead letter", [][]byte{[]byte(`{"event":1}`)}, "", false, 0},
		{"refused by the database", [][]byte{event("t", 1)}, "t", false, 0},
		{"beside one that is refused by the database", [][]byte{event("t", 1), event("u", 1)}, "t", false, 1},
		{"not durable", [][]byte{event("t", 1)}, "", true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var woken atomic.Int64
			st := &fakeStore{poison: test.poison}
			in := startWith(t, Config{Store: st, Wake: func() { woken.Add(1) }})
			st.setAway(test.away)
			_, err := in.Submit(context.Background(), mixed(in, test.raws...))
			if (err != nil) != test.away {
				t.Fatal(err)
			}
			if got := woken.Load(); got != test.want {
				t.Errorf("woken %d times, want %d", got, test.want)
			}
		})
	}
}

// When Wake is called, the commit is over and what it is about is there.
func TestWakeFollowsTheCommit(t *testing.T) {
	st := &fakeStore{}
	var found []string
	in := startWith(t, Config{Store: st, Wake: func() { found = st.ids() }})
	mustSubmitMixed(t, in, event("t", 1))
	if diff := cmp.Diff([]string{"thread: t"}, found); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAThreadEventThatTheDatabaseRefusesFailsAlone(t *testing.T) {
	st := &fakeStore{poison: "bad"}
	in := start(t, st, nil)
	answers := mustSubmitMixed(t, in, receipt("m"), event("t", 3), event("bad", 1), event("u", 4))
	want := []Answer{{}, {Rev: 3}, {Refused: true}, {Rev: 4}}
	if diff := cmp.Diff(want, answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"m", "thread: t", "dead: bad", "thread: u"}, st.ids()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	letter := st.committed[2].DeadLetter
	if letter.Kind != store.KindThread || string(letter.Raw) != string(event("bad", 1)) || !letter.Received.Equal(received.Add(2*time.Second)) {
		t.Errorf("dead letter %+v", letter)
	}
}

// The spool holds what came, of both kinds, in one order. What is read of it is what would have been
// read without it.
func TestBothKindsGoThroughTheSpool(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		var woken atomic.Int64
		st := &fakeStore{away: true}
		in := startWith(t, Config{Store: st, Spool: spool, Wake: func() { woken.Add(1) }})
		raws := [][]byte{receipt("m1"), event("t1", 1), []byte(`{"event":1,"data":{"threadId":"t2"}}`), []byte(`{"x":1}`), event("t1", 2), receipt("m2")}
		for i, a := range mustSubmitMixed(t, in, raws...) {
			if diff := cmp.Diff(Answer{Spooled: true}, a); diff != "" {
				t.Errorf("answer %d (-want +got):\n%s", i, diff)
			}
		}
		if woken.Load() != 0 {
			t.Error("woken for what is in the spool")
		}
		st.setAway(false)
		time.Sleep(reconnectMost + time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"m1", "thread: t1", "dead: t2", "dead: ", "thread: t1", "m2"}, st.ids()); diff != "" {
			t.Errorf("the order after draining (-want +got):\n%s", diff)
		}
		for i, e := range st.committed {
			kind := store.KindSMS
			if raws[i][2] == 'e' {
				kind = store.KindThread
			}
			reading := Reading{Entry: e}
			want := SpoolEvent{Kind: kind, Received: received.Add(time.Duration(i) * time.Second), Raw: raws[i]}
			if diff := cmp.Diff(want, reading.source()); diff != "" {
				t.Errorf("event %d (-want +got):\n%s", i, diff)
			}
		}
		if woken.Load() != 1 {
			t.Errorf("woken %d times, want once after the drain", woken.Load())
		}
		if spool.Events() != 0 {
			t.Errorf("%d events are left in the spool", spool.Events())
		}
	})
}

// Requests of both kinds that come while a commit runs are committed together after it.
func TestRequestsOfBothKindsGatherTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		st := &fakeStore{before: func(context.Context, []store.Entry) error {
			<-release
			return nil
		}}
		in := start(t, st, nil)
		var requests sync.WaitGroup
		submit := func(raw []byte) {
			requests.Go(func() { mustSubmitMixed(t, in, raw) })
			synctest.Wait()
		}
		submit(receipt("first"))
		for i := range 10 {
			submit(receipt(fmt.Sprint("m", i)))
			submit(event(fmt.Sprint("t", i), 1))
		}
		close(release)
		requests.Wait()
		if diff := cmp.Diff([]int{1, 20}, sizes(st.batches)); diff != "" {
			t.Errorf("commits (-want +got):\n%s", diff)
		}
	})
}
