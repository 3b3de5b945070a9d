package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What was acknowledged before or while the process stops is stored, and the exit code says that it
// stopped in order.
func TestStopUnderLoad(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		var b barrage
		p := serve(t, s.settings)
		b.fire(p, 200, func() { p.signal(t, syscall.SIGTERM) })
		p.await(t)
		if code := p.code(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		b.check(t, s)
		p = serve(t, s.settings)
		b.repeat(t, p)
		b.checkAll(t, s)
	})
}

// Requests that the server has begun to read when it is asked to stop are answered, each after its
// commit.
func TestStopAnswersWhatIsInFlight(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		var requests []*slowRequest
		for i := range 10 {
			requests = append(requests, p.begin(t, fmt.Sprintf(`{"messageId":"slow-%d","status":"SENT"}`, i)))
		}
		p.signal(t, syscall.SIGTERM)
		eventually(t, "the process takes no new requests", func() bool {
			response, err := http.Get(p.address + "/readyz")
			if err != nil {
				return true
			}
			response.Body.Close()
			return response.StatusCode == http.StatusServiceUnavailable
		})
		for _, r := range requests {
			if status := r.finish(t); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		}
		p.await(t)
		if code := p.code(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if n := len(s.messages(t)); n != len(requests) {
			t.Errorf("%d messages, want %d", n, len(requests))
		}
	})
}

// A request that does not end keeps the process only for the time that is set.
func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings.with(settings{"SHUTDOWN_TIMEOUT": "100ms"}))
	stuck := p.begin(t, `{"messageId":"stuck","status":"SENT"}`)
	if code := p.terminate(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !strings.Contains(p.log.String(), "did not end in time") {
		t.Error("the log does not say why")
	}
	stuck.abandon()
}

// A second signal ends the process at once.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings.with(settings{"SHUTDOWN_TIMEOUT": "10m"}))
	stuck := p.begin(t, `{"messageId":"stuck","status":"SENT"}`)
	p.signal(t, syscall.SIGTERM)
	eventually(t, "the process is stopping", func() bool { return strings.Contains(p.log.String(), `"stopping"`) })
	if code := p.terminate(t); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	stuck.abandon()
}

// slowRequest is a request whose head the server has read, and whose body it waits for.
type slowRequest struct {
	body   string
	pipe   *io.PipeWriter
	status chan int // 0 when there was no answer
	client *http.Client
}

// begin sends the head of a request and returns when the server asks for its body.
func (p *process) begin(t *testing.T, body string) *slowRequest {
	t.Helper()
	reader, writer := io.Pipe()
	r := &slowRequest{
		body: body, pipe: writer, status: make(chan int, 1),
		client: &http.Client{Transport: &http.Transport{ExpectContinueTimeout: patience}},
	}
	asked := make(chan struct{})
	trace := &httptrace.ClientTrace{Got100Continue: sync.OnceFunc(func() { close(asked) })}
	ctx := httptrace.WithClientTrace(context.Background(), trace)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address+"/webhooks/cxone/sms", reader)
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Expect", "100-continue")
	byDefault(request.Header, []byte(body), time.Now())
	go func() {
		response, err := r.client.Do(request)
		if err != nil {
			r.status <- 0
			return
		}
		response.Body.Close()
		r.status <- response.StatusCode
	}()
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the server does not read the request")
	}
	return r
}

// finish sends the body and returns the status of the answer.
func (r *slowRequest) finish(t *testing.T) int {
	t.Helper()
	if _, err := io.WriteString(r.pipe, r.body); err != nil {
		t.Error(err)
	}
	r.pipe.Close()
	status := <-r.status
	r.client.CloseIdleConnections()
	return status
}

// abandon ends the request without its body.
func (r *slowRequest) abandon() {
	r.pipe.CloseWithError(io.ErrUnexpectedEOF)
	<-r.status
	r.client.CloseIdleConnections()
}
