package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

// holding returns an intake whose commits wait: begun receives when each has begun, and release ends
// them all.
func holding() (f *fakeIntake, begun chan struct{}, release func()) {
	begun, gate := make(chan struct{}, 16), make(chan struct{})
	commit := answersWith(ingest.Answer{})
	f = &fakeIntake{submit: func(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
		begun <- struct{}{}
		<-gate
		return commit(ctx, readings)
	}}
	return f, begun, sync.OnceFunc(func() { close(gate) })
}

// occupy sends requests whose commits wait, and returns once all of them do.
func occupy(t *testing.T, h http.Handler, begun chan struct{}, bodies ...string) (finish func()) {
	t.Helper()
	var wg sync.WaitGroup
	for _, body := range bodies {
		wg.Go(func() {
			if w := serve(h, request(body)); w.Code != 200 {
				t.Errorf("a request in flight came to %d %s", w.Code, w.Body)
			}
		})
		<-begun
	}
	return wg.Wait
}

func signedRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set(headerRequestSignature, sign(secret, body))
	return r
}

func TestOverTheLimitIsBusyAtOnce(t *testing.T) {
	padded := func(n int) string { return receipt + strings.Repeat(" ", n-len(receipt)) }
	tests := []struct {
		name   string
		limits Limits
		held   []string
		next   *http.Request
		busy   bool
	}{
		{"requests, one more", Limits{Requests: 3}, []string{receipt, receipt}, request(receipt), false},
		{"requests, too many", Limits{Requests: 2}, []string{receipt, receipt}, request(receipt), true},
		{"bytes, just room", Limits{Bytes: 2000}, []string{padded(1000)}, request(padded(1000)), false},
		{"bytes, too many", Limits{Bytes: 2000}, []string{padded(1001)}, request(padded(1000)), true},
		{"bytes, length not known", Limits{Bytes: 2000}, []string{padded(1001)}, chunked(request(padded(1000))), true},
		{"items cost", Limits{Bytes: 10_000}, []string{"[" + strings.Repeat("{},", 7) + receipt + "]"}, request("[{}," + receipt + "]"), true},
		{"items cost, just room", Limits{Bytes: 20_000}, []string{"[" + strings.Repeat("{},", 7) + receipt + "]"}, request("[{}," + receipt + "]"), false},
		{"signed, more than half is taken", Limits{Bytes: 2000}, []string{padded(900)}, signedRequest(padded(200)), true},
		{"signed, within the half", Limits{Bytes: 2000}, []string{padded(700)}, signedRequest(padded(200)), false},
		{"signed, half the requests", Limits{Requests: 4}, []string{receipt, receipt}, signedRequest(receipt), true},
		{"signed, less than half the requests", Limits{Requests: 4}, []string{receipt}, signedRequest(receipt), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, begun, release := holding()
			defer release()
			g := newGate(t, func(o *Options) { o.Limits = tt.limits })
			h := g.SMS(f)
			finish := occupy(t, h, begun, tt.held...)
			if tt.busy {
				w := serve(h, tt.next)
				if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "in flight") {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
				release()
			} else {
				release()
				if w := serve(h, tt.next); w.Code != 200 {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
			}
			finish()
			if n, m := g.load.bytes.Load(), g.load.requests.Load(); n != 0 || m != 0 {
				t.Errorf("%d bytes and %d requests are left behind", n, m)
			}
		})
	}
}

// chunked hides the length of a request's body.
func chunked(r *http.Request) *http.Request {
	r.ContentLength = -1
	return r
}

func TestBodyTooLarge(t *testing.T) {
	limits := func(o *Options) { o.Limits.Body = 100 }
	long := receipt + strings.Repeat(" ", 101-len(receipt))
	unread := request("")
	unread.ContentLength, unread.Body = 101, untouchable{t}
	for name, r := range map[string]*http.Request{"announced": unread, "found": chunked(request(long)), "signed": chunked(signedRequest(long))} {
		w := serve(newGate(t, limits).SMS(&fakeIntake{}), r)
		if w.Code != 413 || w.Body.String() != `{"error":"the body is larger than 100 bytes"}` {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	for name, r := range map[string]*http.Request{"announced": request(long[:100]), "found": chunked(request(long[:100]))} {
		if w := serve(newGate(t, limits).SMS(&fakeIntake{}), r); w.Code != 200 {
			t.Errorf("%s, just not: got %d %s", name, w.Code, w.Body)
		}
	}
}

func TestReadBody(t *testing.T) {
	limits := Limits{Body: 300_000, Bytes: 1 << 20}.withDefaults()
	tests := []struct {
		name   string
		sent   int
		length int64
		known  bool
		want   error
		held   int64 // afterwards
	}{
		{"nothing", 0, 0, true, nil, 0},
		{"small", 500, 500, false, nil, 500},
		{"large, of a caller who is known", 200_000, 200_000, true, nil, 200_000},
		{"large, of one who is not", 200_000, 200_000, false, nil, 200_000},
		{"small, length not known", 500, -1, true, nil, firstRead},
		{"large, length not known", 200_000, -1, true, nil, 4 * firstRead},
		{"of all that may be, length not known", 300_000, -1, true, nil, 300_001},
		{"too large, length not known", 300_001, -1, true, errTooLarge, 300_001},
		{"cut", 400, 500, true, io.ErrUnexpectedEOF, 500},
		{"large, announced and never sent", 0, 300_000, false, io.ErrUnexpectedEOF, firstRead},
	}
	for _, tt := range tests {
		for reading, by := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "with the end": iotest.DataErrReader, "in halves": iotest.HalfReader,
		} {
			t.Run(tt.name+", "+reading, func(t *testing.T) {
				var l load
				ticket := ticket{load: &l, limits: &limits, known: tt.known}
				sent := bytes.Repeat([]byte("0123456789"), tt.sent/10+1)[:tt.sent]
				body, err := readBody(by(bytes.NewReader(sent)), tt.length, &ticket)
				if err != tt.want || err == nil && !bytes.Equal(body, sent) {
					t.Errorf("read %d bytes, error %v, want %v", len(body), err, tt.want)
				}
				if int64(cap(body)) > l.bytes.Load() || l.bytes.Load() != tt.held || ticket.bytes != tt.held {
					t.Errorf("%d bytes are held for %d, want %d", l.bytes.Load(), cap(body), tt.held)
				}
				ticket.leave()
				if l.bytes.Load() != 0 {
					t.Errorf("%d bytes are left behind", l.bytes.Load())
				}
			})
		}
	}
}

func TestReadBodyFails(t *testing.T) {
	limits := Limits{}.withDefaults()
	broken := errors.New("broken")
	ticket := ticket{load: &load{}, limits: &limits, known: true}
	if _, err := readBody(iotest.ErrReader(broken), 10, &ticket); err != broken {
		t.Errorf("got %v", err)
	}
	full := Limits{Bytes: 4 * firstRead}.withDefaults()
	ticket.limits = &full
	if _, err := readBody(bytes.NewReader(make([]byte, 5*firstRead)), -1, &ticket); err != errNoRoom {
		t.Errorf("a body that outgrows the limit: %v", err)
	}
}

// However requests come and go, the load never passes its ceiling and comes back to nothing.
func TestLoadUnderContention(t *testing.T) {
	limits := Limits{Bytes: 1000, Requests: 4}.withDefaults()
	var l load
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 2000 {
				ticket := ticket{load: &l, limits: &limits, known: i%2 == 0}
				if ticket.enter() && ticket.reserve(int64(n%400)) && ticket.reserve(300) {
					ticket.unreserve(100)
				}
				if bytes, requests := l.bytes.Load(), l.requests.Load(); bytes > 1000 || requests > 4 || bytes < 0 || requests < 0 {
					t.Errorf("the load is %d bytes and %d requests", bytes, requests)
				}
				ticket.leave()
			}
		})
	}
	wg.Wait()
	if l.bytes.Load() != 0 || l.requests.Load() != 0 {
		t.Errorf("%d bytes and %d requests are left behind", l.bytes.Load(), l.requests.Load())
	}
}

// The least memory that a setting may allow lets in the largest body, with the most items, even from a
// caller who has only half of it until its signature is checked.
func TestMinBytesTakesTheLargestRequest(t *testing.T) {
	body := "[" + receipt + strings.Repeat(","+receipt, defaultItems-1)
	body += strings.Repeat(" ", defaultBody-len(body)-1) + "]"
	g := newGate(t, func(o *Options) { o.Limits = Limits{Bytes: MinBytes} })
	for name, r := range map[string]*http.Request{
		"secret": request(body), "secret, length not known": chunked(request(body)),
		"signature": signedRequest(body), "signature, length not known": chunked(signedRequest(body)),
	} {
		if w := serve(g.SMS(&fakeIntake{}), r); w.Code != 200 {
			t.Errorf("%s: got %d %.200s", name, w.Code, w.Body)
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	want := Limits{Body: 8 << 20, Items: 5000, Bytes: 64 << 20, Requests: 4096, ReadTimeout: 10 * time.Second}
	if got := (Limits{}).withDefaults(); got != want {
		t.Errorf("got %+v", got)
	}
}
