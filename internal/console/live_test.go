package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/store"
)

// streamWriter keeps what a stream sends until it is taken.
type streamWriter struct {
	header http.Header
	mu     sync.Mutex
	status int
	sent   []byte
	gone   bool // the reader is
}

func (w *streamWriter) Header() http.Header    { return w.header }
func (w *streamWriter) WriteHeader(status int) { w.status = status }
func (w *streamWriter) Flush()                 {}

func (w *streamWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, b...)
	return len(b), nil
}

func (w *streamWriter) SetWriteDeadline(time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return io.ErrClosedPipe
	}
	return nil
}

func (w *streamWriter) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
}

func (w *streamWriter) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := string(w.sent)
	w.sent = nil
	return sent
}

// follower reads the stream of a page.
type follower struct {
	w      *streamWriter
	cancel context.CancelFunc
	done   chan struct{}
}

func follow(t *testing.T, c *Console, path, token string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/live?page="+path, nil)
	r.AddCookie(signedIn(t, c, token))
	f := &follower{w: &streamWriter{header: make(http.Header), status: http.StatusOK}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		c.ServeHTTP(f.w, r)
	}()
	return f
}

// read returns what has come since it was last called: the events by their names, and the blocks.
func (f *follower) read(t *testing.T) (events []string, blocks map[string]string) {
	t.Helper()
	synctest.Wait()
	blocks = make(map[string]string)
	for message := range strings.SplitSeq(f.w.take(), "\n\n") {
		if name, ok := strings.CutPrefix(message, "event: "); ok {
			events = append(events, strings.SplitN(name, "\n", 2)[0])
		} else if data, ok := strings.CutPrefix(message, "data: "); ok {
			var c change
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				t.Fatalf("%v in %q", err, data)
			}
			blocks[c.ID] = c.HTML
		}
	}
	return events, blocks
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.report = reportWithReroute()
		f := follow(t, b.console(t), "/%3Fwindow=15m", viewerToken)
		events, blocks := f.read(t)
		if got := f.w.Header(); got.Get("Content-Type") != "text/event-stream" || got.Get("Cache-Control") != "no-store" || got.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers %v", got)
		}
		if len(events) != 1 || events[0] != "fresh" || len(blocks) != 4 || !strings.Contains(blocks["overview-figures"], "4,321") {
			t.Fatalf("first %q %v", events, blocks)
		}
		if q := b.questions(); q[0].Length != 15*time.Minute {
			t.Errorf("the query of the page is lost: %v", q)
		}

		time.Sleep(liveEvery)
		if events, blocks = f.read(t); len(events) != 1 || len(blocks) != 0 {
			t.Errorf("nothing changed: %q %v", events, blocks)
		}
		// A block that changed comes; charts wait for their turn.
		report := reportWithReroute()
		report.Throughput = 8765
		report.Series[5].Receipts += 600
		b.answer(report)
		time.Sleep(liveEvery)
		if _, blocks = f.read(t); len(blocks) != 1 || !strings.Contains(blocks["overview-figures"], "8,765") {
			t.Errorf("after a change: %v", blocks)
		}
		time.Sleep((calmEvery - 2) * liveEvery)
		if _, blocks = f.read(t); len(blocks) != 1 || !strings.Contains(blocks["overview-charts"], "<svg") {
			t.Errorf("after a while: %v", blocks)
		}
		f.cancel()
		<-f.done
	})
}

// What cannot be made leaves the page as it is, and the reader is told.
func TestLiveWithoutDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		f := follow(t, b.console(t), "/carriers", viewerToken)
		f.read(t)
		b.store.fail(store.ErrUnavailable)
		time.Sleep(liveEvery)
		if events, blocks := f.read(t); len(events) != 1 || events[0] != "stale" || len(blocks) != 0 {
			t.Errorf("%q %v", events, blocks)
		}
		b.store.fail(nil)
		time.Sleep(liveEvery)
		if events, _ := f.read(t); len(events) != 1 || events[0] != "fresh" {
			t.Errorf("it does not recover: %q", events)
		}
		f.cancel()
		<-f.done
	})
}

// hangs is a Delivery that answers only when its caller goes away.
type hangs struct{ Delivery }

func (hangs) Recent(ctx context.Context, _ answers.Question) (*analytics.Report, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A stream that ends in the middle of a look does not say that the database is away.
func TestLiveEndsInALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.Delivery = hangs{}
		c := b.console(t)
		f := follow(t, c, "/carriers", viewerToken)
		synctest.Wait()
		c.Stop()
		<-f.done
		if events, _ := f.read(t); len(events) != 0 {
			t.Errorf("the reader is told %q", events)
		}
		f.cancel()
	})
}

func TestLiveEnds(t *testing.T) {
	for name, end := range map[string]func(c *Console, f *follower){
		"with the server":    func(c *Console, _ *follower) { c.Stop() },
		"with the reader":    func(_ *Console, f *follower) { f.cancel() },
		"when a write fails": func(_ *Console, f *follower) { f.w.leave(); time.Sleep(liveEvery) },
		"by itself":          func(*Console, *follower) { time.Sleep(liveLength) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newBench().console(t)
				f := follow(t, c, "/", viewerToken)
				synctest.Wait()
				end(c, f)
				synctest.Wait()
				select {
				case <-f.done:
				default:
					t.Error("the stream goes on")
					f.cancel()
				}
				<-f.done
			})
		})
	}
}

// There are only so many streams at once. Whoever comes when there are as many is told when to come again.
func TestLiveIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newBench().console(t)
		all := make([]*follower, liveStreams)
		for i := range all {
			all[i] = follow(t, c, "/", viewerToken)
		}
		synctest.Wait()
		late := follow(t, c, "/", adminToken)
		<-late.done
		if late.w.status != http.StatusServiceUnavailable || late.w.header.Get("Retry-After") != "30" {
			t.Errorf("one too many gets %d %v", late.w.status, late.w.header)
		}
		late.cancel()
		all[7].cancel()
		<-all[7].done
		all[7] = follow(t, c, "/", viewerToken)
		for i, f := range all {
			if events, blocks := f.read(t); len(events) != 1 || events[0] != "fresh" || len(blocks) != 4 {
				t.Errorf("stream %d: %q %v", i, events, blocks)
			}
			f.cancel()
			<-f.done
		}
		if len(c.streams) != 0 || len(c.looks) != 0 {
			t.Errorf("%d streams and %d looks are left", len(c.streams), len(c.looks))
		}
	})
}

func TestLiveRefuses(t *testing.T) {
	c := newConsole(t)
	for _, test := range []struct {
		path, token string
		status      int
	}{
		{"/live?page=/", "", 401}, {"/live", viewerToken, 200}, {"/live?page=/login", viewerToken, 404},
		{"/live?page=/nothing", viewerToken, 404}, {"/live?page=/live", viewerToken, 404},
		{"/live?page=/carriers/../carriers", viewerToken, 404}, {"/live?page=//carriers", viewerToken, 200},
		{"/live?page=/dead-letters", adminToken, 200}, {"/live?page=/dead-letters%3Ftext=x", adminToken, 404},
		{"/live?page=/threads%3Fstate=synced", viewerToken, 404}, {"/live?page=/threads%3Ftext=x%26state=parked", viewerToken, 404},
		{"/live?page=/messages//x", viewerToken, 404}, {"/live?page=%2F%25zz", viewerToken, 404}, {"/live?page=/dead-letters", viewerToken, 404},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a stream that begins ends at once
		r := httptest.NewRequestWithContext(ctx, "GET", test.path, nil)
		if test.token != "" {
			r.AddCookie(signedIn(t, c, test.token))
		}
		w := &streamWriter{header: make(http.Header), status: http.StatusOK}
		c.ServeHTTP(w, r)
		if w.status != test.status {
			t.Errorf("%s: %d, want %d", test.path, w.status, test.status)
		}
	}
}
