package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"time"
)

// client is one keep-alive connection that carries one request at a time.
type client interface {
	// exchange sends a request, given as it goes over the wire, and reads its answer, whose body
	// is valid until the next call.
	exchange(wire []byte) (response, error)
	close()
}

// conn is a client that speaks HTTP/1.1 by itself instead of through net/http: the generator
// shares its cores with the server it measures, and the client of net/http (two goroutines and a
// dozen allocations for each request) takes as much of them as a small server does. Here a request
// is one write and about one read, and allocates nothing.
type conn struct {
	tcp  net.Conn
	r    *bufio.Reader
	body []byte // of the last answer, for reuse
	stop func() bool
}

// dial connects. Until the deadline the connection may be used; when ctx ends it fails at once.
func dial(ctx context.Context, addr string, deadline time.Time) (*conn, error) {
	tcp, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := tcp.SetDeadline(deadline); err != nil {
		return nil, err
	}
	c := &conn{tcp: tcp, r: bufio.NewReader(tcp)}
	c.stop = context.AfterFunc(ctx, func() { tcp.Close() })
	return c, nil
}

func (c *conn) exchange(request []byte) (response, error) {
	if _, err := c.tcp.Write(request); err != nil {
		return response{}, err
	}
	answer, err := readResponse(c.r, c.body)
	c.body = answer.body
	return answer, err
}

func (c *conn) close() {
	c.stop()
	c.tcp.Close()
}

var (
	acknowledgedTrue   = []byte(`"acknowledged":true`)
	queuedForRetryTrue = []byte(`"queuedForRetry":true`)
)

// acknowledges reports whether the body of a 2xx acknowledges all of the receipts of its request,
// and whether it says that they are in the spool.
func acknowledges(body []byte, receipts int) (all, spooled bool) {
	all = bytes.Contains(body, acknowledgedTrue)
	if all && receipts > 1 {
		var counts struct{ Accepted, Duplicates int }
		err := json.Unmarshal(body, &counts)
		all = err == nil && counts.Accepted+counts.Duplicates == receipts
	}
	return all, bytes.Contains(body, queuedForRetryTrue)
}
