package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// fakeCRM has revisions of threads.
type fakeCRM struct {
	mu      sync.Mutex
	revs    map[string]int64
	changed chan struct{}
	asked   []string
}

func (c *fakeCRM) Wait(ctx context.Context, threadID string, rev int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, fmt.Sprint(threadID, " ", rev))
	for c.revs[threadID] < rev {
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if ctx.Err() != nil {
			break
		}
	}
	return c.revs[threadID] >= rev
}

func (c *fakeCRM) has(threadID string, rev int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revs == nil {
		c.revs = make(map[string]int64)
	}
	c.revs[threadID] = rev
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// waitFunc is a CRM that is asked by a function.
type waitFunc func(ctx context.Context, threadID string, rev int64) bool

func (f waitFunc) Wait(ctx context.Context, threadID string, rev int64) bool {
	return f(ctx, threadID, rev)
}

// never is a CRM that has nothing.
var never = waitFunc(func(ctx context.Context, _ string, _ int64) bool {
	<-ctx.Done()
	return false
})

// prefer sends a request that would wait.
func prefer(g *Gate, crm Synced, f *fakeThreads, wait, body string) *httptest.ResponseRecorder {
	r := request(body)
	r.Header.Set("Prefer", wait)
	return serve(g.Threads(f, crm), r)
}

func array(events ...string) string { return "[" + strings.Join(events, ",") + "]" }

func TestWaitEndsWhenTheCRMHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crm, g := &fakeCRM{}, newGate(t, func(o *Options) { o.Now = time.Now })
		crm.has("t", 2)
		go func() {
			time.Sleep(2 * time.Second)
			crm.has("t", 3)
		}()
		began := time.Now()
		w := prefer(g, crm, &fakeThreads{}, "wait=10", event("t", 3))
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("it took %v", waited)
		}
		checkAnswer(t, g, w.Result(), 200, `{"status":"SYNCED"}`)
		if got := w.Header().Get("Preference-Applied"); got != "wait=10" {
			t.Errorf("Preference-Applied: %q", got)
		}
	})
}

func TestWaitEndsInTime(t *testing.T) {
	for _, test := range []struct {
		prefer  string
		commit  time.Duration // which counts as a part of the wait
		want    time.Duration
		applied string
	}{
		{"wait=10", 0, 10 * time.Second, "wait=10"},
		{"wait=10", 3 * time.Second, 10 * time.Second, "wait=10"},
		{"wait=10", 11 * time.Second, 11 * time.Second, "wait=10"},
		{"wait=100", 0, 30 * time.Second, "wait=30"},
		{"wait=0", 0, 0, ""},
		{"wait=soon", 0, 0, ""},
		{"respond-async", 0, 0, ""},
	} {
		t.Run(fmt.Sprint(test.prefer, " ", test.commit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, func(o *Options) { o.Now = time.Now })
				commit := answersWith(ingest.Answer{Rev: 1})
				f := &fakeThreads{submit: func(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
					time.Sleep(test.commit)
					return commit(ctx, readings)
				}}
				began := time.Now()
				w := prefer(g, never, f, test.prefer, event("t", 1))
				if waited := time.Since(began); waited != test.want {
					t.Errorf("it took %v, want %v", waited, test.want)
				}
				checkAnswer(t, g, w.Result(), 200, `{"status":"ACCEPTED"}`)
				if got := w.Header().Get("Preference-Applied"); got != test.applied {
					t.Errorf("Preference-Applied: %q, want %q", got, test.applied)
				}
			})
		})
	}
}

func TestNothingToWaitFor(t *testing.T) {
	asked := waitFunc(func(context.Context, string, int64) bool {
		t.Error("the CRM was asked")
		return true
	})
	for _, test := range []struct {
		name   string
		body   string
		crm    Synced
		answer ingest.Answer
		status int
	}{
		{"stale", event("t", 1), asked, ingest.Answer{Stale: true, Rev: 1}, 200},
		{"known", event("t", 1), asked, ingest.Answer{Duplicate: true, Stale: true, Rev: 1}, 200},
		{"spooled", event("t", 1), asked, ingest.Answer{Spooled: true}, 200},
		{"invalid", noType, asked, ingest.Answer{}, 422},
		{"refused by the database", event("t", 1), asked, ingest.Answer{Refused: true}, 422},
		{"no CRM", event("t", 1), nil, ingest.Answer{Rev: 1}, 200},
		{"none in an array", array(noType, noType), asked, ingest.Answer{}, 422},
		{"an empty array", "[]", asked, ingest.Answer{}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, nil)
			w := prefer(g, test.crm, &fakeThreads{submit: answersWith(test.answer)}, "wait=5", test.body)
			if w.Code != test.status || strings.Contains(w.Body.String(), "SYNCED") || w.Header().Get("Preference-Applied") != "" {
				t.Errorf("got %d %s, Preference-Applied: %q", w.Code, w.Body, w.Header().Get("Preference-Applied"))
			}
			checkNothingHeld(t, g)
		})
	}
}

func TestWaitForAnArray(t *testing.T) {
	result := func(id, members string) string { return `{"threadId":"` + id + `",` + members + `}` }
	const isSynced, isAccepted = `"status":"SYNCED"`, `"status":"ACCEPTED"`
	for _, test := range []struct {
		name  string
		items []string
		has   map[string]int64
		want  string
		asked []string
	}{
		{"all", []string{event("a", 1), event("b", 2), event("a", 2)}, map[string]int64{"a": 2, "b": 2},
			`{"status":"SYNCED","results":[` + result("a", isSynced) + `,` + result("b", isSynced) + `,` + result("a", isSynced) + `]}`,
			[]string{"a 1", "b 2", "a 2"}},
		{"all but what is stale", []string{event("a", 0), event("b", 1)}, map[string]int64{"b": 1},
			`{"status":"SYNCED","results":[` + result("a", isIgnored) + `,` + result("b", isSynced) + `]}`, []string{"b 1"}},
		{"what follows the one that is late", []string{event("a", 1), event("b", 2), event("c", 1)}, map[string]int64{"a": 1, "b": 1, "c": 1},
			`{"status":"ACCEPTED","results":[` + result("a", isSynced) + `,` + result("b", isAccepted) + `,` + result("c", isSynced) + `]}`,
			[]string{"a 1", "b 2", "c 1"}},
		{"beside one that is refused", []string{event("a", 1), noType}, map[string]int64{"a": 1},
			`{"status":"ACCEPTED","results":[` + result("a", isSynced) + `,` + result("t", `"status":"REJECTED",`+noTypeWhy+`,`+noTypeList) + `]}`,
			[]string{"a 1"}},
		{"splits", []string{event("p", 3), splitOff("c", "p", 3), splitOff("d", "q", 3)}, map[string]int64{"p": 3, "c": 3, "d": 3, "q": 2},
			`{"status":"ACCEPTED","results":[` + result("p", isSynced) + `,` + result("c", isSynced) + `,` + result("d", isAccepted) + `]}`,
			[]string{"p 3", "c 3", "p 3", "d 3", "q 3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crm, g := &fakeCRM{}, newGate(t, nil)
				for id, rev := range test.has {
					crm.has(id, rev)
				}
				checkAnswer(t, g, prefer(g, crm, &fakeThreads{}, "wait=5", array(test.items...)).Result(), 200, test.want)
				if diff := cmp.Diff(test.asked, crm.asked); diff != "" {
					t.Errorf("asked for (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A split changes two threads, and is in the CRM when both are.
func TestWaitForASplit(t *testing.T) {
	for _, test := range []struct {
		name  string
		has   map[string]int64
		late  string // a thread whose revision comes after a while
		want  string
		took  time.Duration
		asked []string
	}{
		{"both are there", map[string]int64{"c": 2, "p": 2}, "", "SYNCED", 0, []string{"c 2", "p 2"}},
		{"the parent is late", map[string]int64{"c": 2, "p": 1}, "p", "SYNCED", 3 * time.Second, []string{"c 2", "p 2"}},
		{"the child is late", map[string]int64{"c": 1, "p": 2}, "c", "SYNCED", 3 * time.Second, []string{"c 2", "p 2"}},
		{"the parent does not come", map[string]int64{"c": 2, "p": 1}, "", "ACCEPTED", 5 * time.Second, []string{"c 2", "p 2"}},
		{"the child does not come", map[string]int64{"p": 2}, "", "ACCEPTED", 5 * time.Second, []string{"c 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crm, g := &fakeCRM{}, newGate(t, func(o *Options) { o.Now = time.Now })
				for id, rev := range test.has {
					crm.has(id, rev)
				}
				if test.late != "" {
					time.AfterFunc(3*time.Second, func() { crm.has(test.late, 2) })
				}
				began := time.Now()
				w := prefer(g, crm, &fakeThreads{}, "wait=5", splitOff("c", "p", 2))
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				checkAnswer(t, g, w.Result(), 200, `{"status":"`+test.want+`"}`)
				if diff := cmp.Diff(test.asked, crm.asked); diff != "" {
					t.Errorf("asked for (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Those that wait take no room from those that come, and there are not too many of them.
func TestWaitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crm, g := &fakeCRM{}, newGate(t, func(o *Options) { o.Limits.Requests, o.Limits.Bytes = 1, 10_000 })
		var waiting sync.WaitGroup
		var early atomic.Int64
		for i := range waitingRequests {
			waiting.Go(func() {
				w := prefer(g, crm, &fakeThreads{}, "wait=30", event("t", i+1))
				if w.Body.String() != `{"status":"SYNCED"}` {
					early.Add(1)
				}
			})
			synctest.Wait()
		}
		if n, m := g.load.requests.Load(), g.load.bytes.Load(); n != 0 || m != 0 {
			t.Errorf("%d requests and %d bytes are in flight while all wait", n, m)
		}
		began := time.Now()
		w := prefer(g, crm, &fakeThreads{}, "wait=30", event("t", 1))
		if w.Body.String() != `{"status":"ACCEPTED"}` || w.Header().Get("Preference-Applied") != "" || time.Since(began) != 0 {
			t.Errorf("one too many: got %s after %v", w.Body, time.Since(began))
		}
		crm.has("t", waitingRequests)
		waiting.Wait()
		if n := early.Load(); n != 0 {
			t.Errorf("%d did not wait", n)
		}
		checkAnswer(t, g, prefer(g, crm, &fakeThreads{}, "wait=30", event("t", 1)).Result(), 200, `{"status":"SYNCED"}`)
	})
}

func TestWaitingAnswersAreBounded(t *testing.T) {
	var w waiting
	l := &later{bytes: waitingBytes / 2}
	for i, want := range []bool{true, true, false} {
		if got := w.enter(l); got != want {
			t.Errorf("answer %d of half the bytes: %t", i+1, got)
		}
	}
	if !w.enter(&later{}) {
		t.Error("a small one is turned away too")
	}
	w.leave(&later{})
	w.leave(l)
	w.leave(l)
	if w.requests.Load() != 0 || w.bytes.Load() != 0 {
		t.Errorf("%d requests and %d bytes are left behind", w.requests.Load(), w.bytes.Load())
	}
}

// What an answer holds while it waits is what it says that it holds.
func TestWaitingAnswerCountsWhatItHolds(t *testing.T) {
	id := strings.Repeat("x", 100)
	split := ingest.Reading{Subject: id, Entry: store.Entry{Thread: &thread.Event{Parent: id}}}
	ev := &events{readings: []ingest.Reading{split, split}, answers: []ingest.Answer{{Rev: 1}, {Rev: 1, ParentRev: 1}}}
	if got := newThreadsAnswer(ev, true).size(); got != 2*resultCost+300 {
		t.Errorf("two results with ids of 300 bytes hold %d", got)
	}
}

func TestWaitHoldsNothingOfTheBody(t *testing.T) {
	collected := make(chan struct{})
	commit := answersWith(ingest.Answer{Rev: 1, ParentRev: 1})
	f := &fakeThreads{submit: func(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
		raw := readings[0].Entry.Thread.Raw
		runtime.AddCleanup(&raw[0], func(done chan struct{}) { close(done) }, collected)
		return commit(ctx, readings)
	}}
	waits := make(chan struct{})
	begun := sync.OnceFunc(func() { close(waits) })
	crm := waitFunc(func(context.Context, string, int64) bool {
		begun()
		for {
			runtime.GC()
			select {
			case <-collected:
				return true
			case <-time.After(time.Millisecond):
			}
		}
	})
	answered := make(chan string)
	go func() {
		answered <- prefer(newGate(t, nil), crm, f, "wait=30", splitOff("t", "p", 1)).Body.String()
	}()
	<-waits
	select {
	case got := <-answered:
		if got != `{"status":"SYNCED"}` {
			t.Errorf("got %s", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("the body is still held while the request waits")
	}
}

func TestStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, nil)
		answers := make(chan string, 2)
		for range cap(answers) {
			go func() { answers <- prefer(g, never, &fakeThreads{}, "wait=30", event("t", 1)).Body.String() }()
		}
		synctest.Wait()
		if len(answers) != 0 {
			t.Fatal("they do not wait")
		}
		began := time.Now()
		g.StopWaiting()
		for range cap(answers) {
			if got := <-answers; got != `{"status":"ACCEPTED"}` {
				t.Errorf("got %s", got)
			}
		}
		g.StopWaiting()
		if w := prefer(g, never, &fakeThreads{}, "wait=30", event("t", 1)); w.Body.String() != `{"status":"ACCEPTED"}` {
			t.Errorf("afterwards: %s", w.Body)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		checkNothingHeld(t, g)
	})
}

// A sender that goes away does not keep its place among those that wait.
func TestWaitEndsWhenTheSenderHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, nil)
		conn, _ := dial(t, g.Threads(&fakeThreads{}, never))
		body := event("t", 1)
		send(t, conn, "POST / HTTP/1.1", "Host: x", headerSecret+": "+secret, "Prefer: wait=30", fmt.Sprintf("Content-Length: %d", len(body)), "", body)
		synctest.Wait()
		if g.waiting.requests.Load() != 1 {
			t.Fatal("it does not wait")
		}
		conn.Close()
		synctest.Wait()
		checkNothingHeld(t, g)
	})
}

// The event is durable whatever goes wrong afterwards, and its sender is told so.
func TestPanicWhileWaiting(t *testing.T) {
	var out bytes.Buffer
	g := newGate(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	crm := waitFunc(func(_ context.Context, threadID string, _ int64) bool { panic("broke on " + threadID) })
	checkAnswer(t, g, prefer(g, crm, &fakeThreads{}, "wait=5", event("t-17", 1)).Result(), 200, `{"status":"ACCEPTED"}`)
	if text := out.String(); !strings.Contains(text, "webhook panic") || strings.Contains(text, "broke on") {
		t.Errorf("logged %s", text)
	}
}

func TestWaitIsLoggedAndCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		registry := prometheus.NewRegistry()
		g := newGate(t, func(o *Options) {
			o.Logger, o.Registry, o.Now = slog.New(slog.NewJSONHandler(&out, nil)), registry, time.Now
		})
		crm := &fakeCRM{}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			prefer(g, crm, &fakeThreads{}, "wait=5", event("t", 1))
		}()
		synctest.Wait()
		if diff := cmp.Diff(map[string]float64{"waiting_requests": 1}, samples(t, registry)); diff != "" {
			t.Errorf("during the wait (-want +got):\n%s", diff)
		}
		time.Sleep(2 * time.Second)
		crm.has("t", 1)
		<-answered
		var line struct {
			Outcome  string
			Synced   int
			Duration int64 `json:"duration_us"`
			Waited   int64 `json:"waited_us"`
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Outcome != "synced" || line.Synced != 1 || line.Duration != 2e6 || line.Waited != 2e6 {
			t.Errorf("logged %+v", line)
		}
		want := map[string]float64{"requests_total synced threads 200": 1, "request_duration_seconds threads": 1,
			"events_total accepted threads": 1, "marked_events_total synced threads": 1}
		if diff := cmp.Diff(want, samples(t, registry)); diff != "" {
			t.Errorf("afterwards (-want +got):\n%s", diff)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "cxbridge_webhook_request_duration_seconds" && f.GetMetric()[0].GetHistogram().GetSampleSum() != 0 {
				t.Error("the wait is in the figures of how long we take")
			}
		}
	})
}
