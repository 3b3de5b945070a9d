package webhook

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/ingest"
)

// pipeListener hands one connection to a server, so that it runs on the clock of a synctest bubble.
type pipeListener struct {
	conns chan net.Conn
}

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l pipeListener) Close() error   { close(l.conns); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// dial serves a handler by net/http's server and returns a connection to it. It is for use in a
// bubble.
func dial(t *testing.T, h http.Handler) (conn net.Conn, answers *bufio.Reader) {
	t.Helper()
	client, server := net.Pipe()
	l := pipeListener{conns: make(chan net.Conn, 1)}
	l.conns <- server
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		client.Close()
		srv.Close()
		<-done
		synctest.Wait()
	})
	return client, bufio.NewReader(client)
}

func send(t *testing.T, conn net.Conn, lines ...string) {
	t.Helper()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
}

// receive reads an answer, and returns its status and how long it took to come.
func receive(t *testing.T, answers *bufio.Reader) (*http.Response, time.Duration) {
	t.Helper()
	asked := time.Now()
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(asked)
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response, took
}

func TestSlowBody(t *testing.T) {
	const authentic = headerSecret + ": " + secret
	tests := []struct {
		name   string
		header string
		length int
		status int
		after  time.Duration
		closes bool
	}{
		{"of a caller who is known", authentic, 100, 503, 10 * time.Second, true},
		{"signed", headerRequestSignature + ": " + sign(secret, ""), 100, 503, 10 * time.Second, true},
		{"of a stranger", "X: y", 100, 401, linger, true},
		{"of a stranger, large", "X: y", lingerBytes + 1, 401, 0, true},
		{"too large", authentic, 8<<20 + 1, 413, 0, true},
		{"coded", authentic + "\r\nContent-Encoding: gzip", lingerBytes + 1, 415, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, nil)
				conn, answers := dial(t, g.SMS(&fakeIntake{}))
				send(t, conn, "POST / HTTP/1.1", "Host: x", tt.header, fmt.Sprintf("Content-Length: %d", tt.length), "", `{"messageId"`)
				response, took := receive(t, answers)
				if response.StatusCode != tt.status || took != tt.after || response.Close != tt.closes {
					t.Errorf("got %d after %v, close %t, want %d after %v", response.StatusCode, took, response.Close, tt.status, tt.after)
				}
				if _, err := answers.ReadByte(); err != io.EOF {
					t.Errorf("the connection is still there: %v", err)
				}
				if g.load.bytes.Load() != 0 || g.load.requests.Load() != 0 {
					t.Error("something is still held")
				}
			})
		})
	}
}

// The time limit is for the body alone: a commit may take longer.
func TestSlowCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commit := answersWith(ingest.Answer{})
		h := newGate(t, nil).SMS(&fakeIntake{submit: func(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error) {
			select {
			case <-time.After(time.Minute):
				return commit(ctx, readings)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}})
		conn, answers := dial(t, h)
		for range 2 {
			send(t, conn, "POST / HTTP/1.1", "Host: x", headerSecret+": "+secret, fmt.Sprintf("Content-Length: %d", len(receipt)), "", receipt)
			if response, took := receive(t, answers); response.StatusCode != 200 || took != time.Minute {
				t.Errorf("got %d after %v", response.StatusCode, took)
			}
		}
	})
}

// A caller that goes away takes its request along.
func TestCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var given error
		h := newGate(t, nil).SMS(&fakeIntake{submit: func(ctx context.Context, _ []ingest.Reading) ([]ingest.Answer, error) {
			<-ctx.Done()
			given = ctx.Err()
			return nil, given
		}})
		conn, _ := dial(t, h)
		send(t, conn, "POST / HTTP/1.1", "Host: x", headerSecret+": "+secret, fmt.Sprintf("Content-Length: %d", len(receipt)), "", receipt)
		synctest.Wait()
		conn.Close()
		synctest.Wait()
		if given != context.Canceled {
			t.Errorf("the commit was given %v", given)
		}
	})
}

// A refusal does not cost the connection when the body is small and there.
func TestConnectionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, answers := dial(t, newGate(t, nil).SMS(&fakeIntake{}))
		length := fmt.Sprintf("Content-Length: %d", len(receipt))
		send(t, conn, "POST / HTTP/1.1", "Host: x", length, "", receipt)
		if response, took := receive(t, answers); response.StatusCode != 401 || took != 0 || response.Close {
			t.Errorf("stranger: got %d after %v, close %t", response.StatusCode, took, response.Close)
		}
		send(t, conn, "POST / HTTP/1.1", "Host: x", headerSecret+": "+secret, length, "", receipt)
		if response, _ := receive(t, answers); response.StatusCode != 200 {
			t.Errorf("caller: got %d", response.StatusCode)
		}
		send(t, conn, "POST / HTTP/1.1", "Host: x", headerSecret+": "+secret, "Transfer-Encoding: chunked", "", "2", "{}", "0", "", "")
		if response, _ := receive(t, answers); response.StatusCode != 422 {
			t.Errorf("chunked: got %d", response.StatusCode)
		}
		send(t, conn, "POST / HTTP/1.1", "Host: x", headerSecret+": "+secret, "Transfer-Encoding: chunked", "", "zz", "")
		if response, _ := receive(t, answers); response.StatusCode != 503 || !response.Close {
			t.Errorf("broken chunk: got %d, close %t", response.StatusCode, response.Close)
		}
	})
}
