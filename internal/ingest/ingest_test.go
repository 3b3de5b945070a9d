package ingest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConcurrentRequestsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, release := make(chan struct{}, 100), make(chan struct{})
		st := &fakeStore{before: func(context.Context, []store.Entry) error {
			entered <- struct{}{}
			<-release
			return nil
		}}
		in := start(t, st, nil)

		var requests sync.WaitGroup
		request := func(id string) {
			requests.Go(func() { mustSubmit(t, in, id) })
		}
		request("first")
		<-entered
		for i := range 50 {
			request(fmt.Sprint("m", i))
		}
		synctest.Wait() // all 50 are in the queue
		close(release)
		requests.Wait()

		if len(st.batches) != 2 || len(st.batches[1]) != 50 {
			t.Errorf("commits took %v events, want [1 50]", sizes(st.batches))
		}
	})
}

func sizes(batches [][]store.Entry) []int {
	var n []int
	for _, b := range batches {
		n = append(n, len(b))
	}
	return n
}

func TestAnEventThatTheDatabaseRefusesFailsAlone(t *testing.T) {
	for _, place := range []int{0, 3, 6} {
		t.Run(fmt.Sprint("at ", place), func(t *testing.T) {
			st := &fakeStore{poison: "poison"}
			in := start(t, st, nil)
			ids := []string{"a", "b", "c", "d", "e", "f", "g"}
			ids[place] = "poison"
			for i, a := range mustSubmit(t, in, ids...) {
				if a.Refused != (i == place) || a.Duplicate || a.Spooled {
					t.Errorf("the answer to event %d is %+v", i, a)
				}
			}
			ids[place] = "dead: poison"
			if diff := cmp.Diff(ids, st.ids()); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDuplicateIsTold(t *testing.T) {
	in := start(t, &fakeStore{}, nil)
	if a := mustSubmit(t, in, "m"); a[0].Duplicate {
		t.Error("the first delivery is told as a duplicate")
	}
	if a := mustSubmit(t, in, "m"); !a[0].Duplicate {
		t.Error("the second delivery is not told as a duplicate")
	}
}

func TestFullQueueIsBusyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		st := &fakeStore{before: func(context.Context, []store.Entry) error {
			<-release
			return nil
		}}
		in := start(t, st, nil)
		var requests sync.WaitGroup
		requests.Go(func() { mustSubmit(t, in, "blocks") })
		synctest.Wait()
		for i := range queueRequests {
			requests.Go(func() { mustSubmit(t, in, fmt.Sprint("m", i)) })
		}
		synctest.Wait()
		began := time.Now()
		if _, err := submit(in, "one too many"); !isBusy(err) {
			t.Errorf("got %v, want a BusyError", err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it took %v to refuse", waited)
		}
		close(release)
		requests.Wait()
		if got := len(st.ids()); got != queueRequests+1 {
			t.Errorf("%d events were committed, want %d", got, queueRequests+1)
		}
	})
}

func TestWithoutASpoolAnUnavailableDatabaseIsTold(t *testing.T) {
	st, registry := &fakeStore{}, prometheus.NewRegistry()
	in := startWith(t, Config{Store: st, Metrics: NewMetrics(registry)})
	wantDatabaseUp(t, registry, "at first", 1)
	st.setAway(true)
	if _, err := submit(in, "m"); !isUnstored(err) {
		t.Errorf("got %v, want one that tells of the storage", err)
	}
	wantDatabaseUp(t, registry, "away", 0)
	st.setAway(false)
	mustSubmit(t, in, "m")
	wantDatabaseUp(t, registry, "back", 1)
}

func wantDatabaseUp(t *testing.T, registry *prometheus.Registry, when string, want float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "cxbridge_database_up" {
			continue
		}
		if got := f.GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("%s: cxbridge_database_up is %v, want %v", when, got, want)
		}
		return
	}
	t.Error("there is no cxbridge_database_up")
}

// While no event comes, only a look shows that the database is gone or back. The log has each once, and the
// cause at each look.
func TestWithoutASpoolTheDatabaseIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, registry := &fakeStore{}, prometheus.NewRegistry()
		var log bytes.Buffer
		in := startWith(t, Config{Store: st, Metrics: NewMetrics(registry), Log: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(lookEvery / 2) // from now on nothing happens at the time of a look
		for _, when := range []string{"found by a commit", "found by a look"} {
			st.setAway(true)
			if when == "found by a commit" {
				for range 2 {
					if _, err := submit(in, "m"); !isUnstored(err) {
						t.Errorf("got %v, want one that tells of the storage", err)
					}
				}
			}
			time.Sleep(2 * lookEvery)
			wantDatabaseUp(t, registry, when+", away", 0)
			st.setAway(false)
			time.Sleep(2 * lookEvery)
			wantDatabaseUp(t, registry, when+", back", 1)
		}
		in.Stop()
		for line, want := range map[string]int{
			"the database does not commit": 2, "the database is back": 2,
			`the database still does not commit" error="` + errAway.Error(): 3,
		} {
			if n := strings.Count(log.String(), line); n != want {
				t.Errorf("%d lines say that %s, want %d:\n%s", n, line, want, log.String())
			}
		}
	})
}

func TestStopCommitsWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		st := &fakeStore{before: func(context.Context, []store.Entry) error {
			<-release
			return nil
		}}
		in := start(t, st, nil)
		var requests sync.WaitGroup
		for _, id := range []string{"a", "b", "c"} {
			requests.Go(func() { mustSubmit(t, in, id) })
		}
		synctest.Wait()
		stopped := make(chan struct{})
		go func() {
			in.Stop()
			close(stopped)
		}()
		synctest.Wait()
		if _, err := submit(in, "late"); !isBusy(err) {
			t.Errorf("while stopping got %v, want a BusyError", err)
		}
		close(release)
		<-stopped
		requests.Wait()
		if got := st.ids(); len(got) != 3 {
			t.Errorf("committed %v, want a, b and c", got)
		}
	})
}

func TestSubmitKeepsNothingAfterTheEndOfItsContext(t *testing.T) {
	st := &fakeStore{}
	in := start(t, st, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := in.Submit(ctx, []Reading{in.ReadSMS(receipt("m"), time.Now())}); err != context.Canceled {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if len(st.ids()) != 0 {
		t.Errorf("committed %v", st.ids())
	}
}

// The memory of a request is free only when Submit returns.
func TestSubmitWaitsForItsCommitWhenTheSenderHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		st := &fakeStore{before: func(context.Context, []store.Entry) error {
			<-release
			return nil
		}}
		in := start(t, st, nil)
		ctx, cancel := context.WithCancel(context.Background())
		returned := make(chan error, 1)
		go func() {
			_, err := in.Submit(ctx, []Reading{in.ReadSMS(receipt("m"), time.Now())})
			returned <- err
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if len(returned) != 0 {
			t.Error("Submit returned before the commit")
		}
		close(release)
		if err := <-returned; err != nil || !slices.Equal(st.ids(), []string{"m"}) {
			t.Errorf("got %v, and committed %v; want m", err, st.ids())
		}
	})
}

func TestAnEventThatMakesTheStorePanicFailsAlone(t *testing.T) {
	st := &fakeStore{before: func(_ context.Context, entries []store.Entry) error {
		for _, e := range entries {
			if e.Receipt != nil && e.Receipt.MessageID == "bad" {
				panic("a fault")
			}
		}
		return nil
	}}
	in := start(t, st, nil)
	answers := mustSubmit(t, in, "a", "bad", "b")
	if answers[0].Refused || !answers[1].Refused || answers[2].Refused {
		t.Errorf("got %+v, want the second refused alone", answers)
	}
	if diff := cmp.Diff([]string{"a", "dead: bad", "b"}, st.ids()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestQuarantinePolicyKeepsViolationsApart(t *testing.T) {
	rd := newReader(t)
	rd.Policy = Quarantine
	raw := []byte(`{"messageId":"m","status":"SENT","from":"ACME","to":"+12025550101"}`)
	r := rd.ReadSMS(raw, time.Now())
	if !r.Quarantined || r.Warning == "" || r.Entry.DeadLetter == nil || r.Entry.DeadLetter.Subject != "m" {
		t.Errorf("quarantined: %+v", r)
	}
	rd.Policy = Flag
	r = rd.ReadSMS(raw, time.Now())
	if r.Quarantined || r.Warning == "" || r.Entry.Receipt == nil {
		t.Errorf("flagged: %+v", r)
	}
}

// A database keeps the body as JSON, which is UTF-8.
func TestReceiptIsKeptInUTF8(t *testing.T) {
	r := newReader(t).ReadSMS([]byte("{\"messageId\":\"m\",\"status\":\"SENT\",\"text\":\"caf\xe9\"}"), time.Now())
	want := `{"messageId":"m","status":"SENT","text":"caf` + "\uFFFD" + `"}`
	if r.Entry.Receipt == nil || string(r.Entry.Receipt.Raw) != want {
		t.Errorf("got %+v, want the body %s", r, want)
	}
}
