package sim_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// bodies is a stream of the given bodies.
func bodies(list ...string) func() (sim.Post, bool) {
	return func() (sim.Post, bool) {
		if len(list) == 0 {
			return sim.Post{}, false
		}
		p := sim.Post{Body: []byte(list[0])}
		list = list[1:]
		return p, true
	}
}

// webhook answers by the body of a post: a status, a space and the body of the answer.
var webhook = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	first, answer, _ := strings.Cut(string(body), " ")
	status, err := strconv.Atoi(first)
	if err != nil || r.Header.Get("X-Webhook-Secret") != "s" || r.Header.Get("Content-Type") != "application/json" {
		status = 500
	}
	if status == 503 {
		w.Header().Set("Retry-After", "2")
	}
	w.WriteHeader(status)
	io.WriteString(w, answer)
})

// inProcess carries requests to a handler without a network, so that time in a synctest bubble
// stands still while one is under way.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func newSender(h http.Handler) *sim.Sender {
	return &sim.Sender{
		URL: "http://bridge.test/", Sign: sim.BySecret("s"), Client: &http.Client{Transport: inProcess{h}},
	}
}

func TestSenderCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSender(webhook)
		s.Workers, s.Retries = 4, 2
		var mu sync.Mutex
		answers := make(map[string]int)
		s.Answered = func(p sim.Post, a sim.Answer) {
			mu.Lock()
			defer mu.Unlock()
			answers[string(p.Body)] = a.Status
		}
		s.Run(t.Context(), bodies(
			`200 {"acknowledged":true,"messageId":"a"}`,
			`200 {"acknowledged":true,"messageId":"a","duplicate":true}`,
			`200 {"acknowledged":true,"messageId":"b","validationWarning":"no"}`,
			`200 {"acknowledged":true,"messageId":"c","validationWarning":"no","quarantined":true}`,
			`200 {"acknowledged":true,"messageId":"d","queuedForRetry":true}`,
			`200 {"acknowledged":true,"accepted":5,"duplicates":2,"rejected":[{"index":3,"error":"no"}]}`,
			`200 {"acknowledged":true,"accepted":3,"duplicates":0,"rejected":[],"queuedForRetry":true}`,
			`200 {"acknowledged":true,"accepted":4,"duplicates":0,"rejected":[],"flagged":1,"quarantined":2}`,
			`200 {"status":"ACCEPTED"}`,
			`200 {"status":"ACCEPTED","queuedForRetry":true}`,
			`200 {"status":"SYNCED"}`,
			`200 {"status":"IGNORED","reason":"NO_DELTA_OR_STALE"}`,
			`200 {"status":"ACCEPTED","results":[{"threadId":"a","status":"ACCEPTED"},{"threadId":"b","status":"SYNCED"},
				{"threadId":"a","status":"IGNORED","reason":"NO_DELTA_OR_STALE"},{"threadId":"","status":"REJECTED","error":"no"}]}`,
			`200 {"status":"ACCEPTED","queuedForRetry":true,"results":[{"status":"ACCEPTED","queuedForRetry":true},{"status":"ACCEPTED"}]}`,
			`400 {"error":"malformed"}`,
			`422 {"error":"invalid"}`,
			`401 {"error":"who"}`,
			`503 {"error":"busy"}`,
		))
		want := sim.Counts{
			Posts: 18, OK: 14, Refused: 3, GivenUp: 1, Busy: 3, Retries: 2,
			Statuses: map[int]int{200: 14, 400: 1, 422: 1, 401: 1, 503: 1},
			Events: sim.Events{
				Accepted: 1 + 1 + 1 + 5 + 3 + 2 + 1 + 1 + 1 + 2 + 2, Duplicate: 1 + 2, Flagged: 1 + 1, Quarantined: 1 + 2, Spooled: 1 + 3 + 1 + 1,
				Refused: 1 + 2 + 1, Ignored: 1 + 1, Synced: 1 + 1,
			},
		}
		if diff := cmp.Diff(want, s.Counts()); diff != "" {
			t.Error(diff)
		}
		if len(answers) != 18 || answers[`422 {"error":"invalid"}`] != 422 {
			t.Errorf("told of %v", answers)
		}
	})
}

func TestSenderTriesAgainAfterRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		s := newSender(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Since(began))
			switch len(at) {
			case 1:
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(503)
			case 2:
				w.Header().Set("Retry-After", "86400")
				w.WriteHeader(503)
			case 3:
				w.WriteHeader(500)
			}
		}))
		s.Retries = 5
		s.Run(t.Context(), bodies("x"))
		want := []time.Duration{0, 7 * time.Second, 37 * time.Second, 38 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
		if c := s.Counts(); c.OK != 1 || c.Retries != 3 || c.Busy != 2 {
			t.Errorf("got %+v", c)
		}
	})
}

func TestSenderKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n int
		s := newSender(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n++ }))
		s.Rate = 50
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		s.Run(ctx, func() (sim.Post, bool) { return sim.Post{}, true })
		if n < 499 || n > 501 {
			t.Errorf("%d posts in 10 s at 50 a second", n)
		}
	})
}

// Posts that are due are sent at their times, or as soon as a worker is free. How late that is counts.
func TestSenderSendsWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		sent, took := make(map[string]time.Duration), make(map[string]time.Duration)
		var mu sync.Mutex
		s := newSender(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			sent[string(body)] = time.Since(began)
			mu.Unlock()
			time.Sleep(3 * time.Second) // in the bubble: both workers are busy when the third one is due
		}))
		s.Workers = 2
		s.Answered = func(p sim.Post, a sim.Answer) {
			mu.Lock()
			defer mu.Unlock()
			took[string(p.Body)] = a.Took
		}
		next := bodies("a", "b", "c", "d")
		due := []time.Duration{0, time.Second, 2 * time.Second, 10 * time.Second}
		s.Run(t.Context(), func() (sim.Post, bool) {
			p, more := next()
			if more {
				p.Due, due = began.Add(due[0]), due[1:]
			}
			return p, more
		})
		wantSent := map[string]time.Duration{"a": 0, "b": time.Second, "c": 3 * time.Second, "d": 10 * time.Second}
		wantTook := map[string]time.Duration{"a": 3 * time.Second, "b": 3 * time.Second, "c": 4 * time.Second, "d": 3 * time.Second}
		if diff := cmp.Diff(wantSent, sent) + cmp.Diff(wantTook, took); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSenderStopsBeforeWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		s := newSender(webhook)
		s.Run(ctx, func() (sim.Post, bool) { return sim.Post{Due: time.Now().Add(time.Hour)}, true })
		if s.Counts().Posts != 0 {
			t.Errorf("got %+v", s.Counts())
		}
	})
}

func TestSenderBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		s := newSender(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second) // in the bubble: lets every worker begin
			now.Add(-1)
		}))
		s.Workers = 3
		s.Run(t.Context(), bodies("1", "2", "3", "4", "5", "6", "7"))
		if got := most.Load(); got != 3 {
			t.Errorf("%d posts under way at once, want 3", got)
		}
	})
}

func TestSenderStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		release := make(chan struct{})
		s := newSender(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if string(body) == "busy" {
				w.WriteHeader(503)
				return
			}
			<-release
		}))
		s.Workers, s.Retries = 2, 1000
		var told atomic.Int64
		s.Answered = func(sim.Post, sim.Answer) { told.Add(1) }
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Run(ctx, bodies("busy", "slow", "held", "never"))
		}()
		synctest.Wait()
		stop()
		synctest.Wait()
		select {
		case <-done:
			t.Error("Run returned with a post on the wire")
		default:
		}
		close(release)
		<-done
		// The third post was taken from the stream while both workers were busy, and is sent all the same.
		if c := s.Counts(); c.Posts != 3 || c.OK != 2 || c.GivenUp != 1 || told.Load() != 3 {
			t.Errorf("got %+v, told of %d", c, told.Load())
		}
	})
}

func TestSenderWithNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	s := &sim.Sender{URL: server.URL}
	var got sim.Answer
	s.Answered = func(_ sim.Post, a sim.Answer) { got = a }
	s.Run(t.Context(), bodies("x"))
	if got.Err == nil || got.OK() || s.Counts().GivenUp != 1 {
		t.Errorf("got %+v, %+v", got, s.Counts())
	}
}
