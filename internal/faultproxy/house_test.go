package faultproxy

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// patience is how long a test waits for what must come. It is far beyond what that takes, because a
// slow machine is no error.
const patience = 60 * time.Second

// house is a proxy with a target.
type house struct {
	*Proxy
	target *net.TCPListener
}

func newHouse(t *testing.T) house {
	t.Helper()
	target := listen(t)
	return house{Proxy: start(t, target.Addr().String()), target: target}
}

func start(t *testing.T, target string) *Proxy {
	t.Helper()
	p, err := Start(target, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// connect makes a connection through the proxy, and passes a byte each way: both sides are there.
func (h house) connect(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	client = h.dial(t)
	server = accept(t, h.target)
	say(t, client, "c")
	mustHear(t, server, "c")
	say(t, server, "s")
	mustHear(t, client, "s")
	return client, server
}

// dial connects to the proxy, which may not reach the target.
func (h house) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return lend(t, conn.(*net.TCPConn))
}

func accept(t *testing.T, l *net.TCPListener) *net.TCPConn {
	t.Helper()
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	return lend(t, conn)
}

// lend gives a connection to a test, until its end or that of patience.
func lend(t *testing.T, c *net.TCPConn) *net.TCPConn {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func say(t *testing.T, c *net.TCPConn, words string) {
	t.Helper()
	if _, err := io.WriteString(c, words); err != nil {
		t.Fatal(err)
	}
}

func mustHear(t *testing.T, c *net.TCPConn, words string) {
	t.Helper()
	heard := make([]byte, len(words))
	if n, err := io.ReadFull(c, heard); string(heard[:n]) != words || err != nil {
		t.Fatalf("heard %q and %v, not %q", heard[:n], err, words)
	}
}

// mustEnd reads all there is: these words, and then io.EOF or another error.
func mustEnd(t *testing.T, c *net.TCPConn, words string, end error) {
	t.Helper()
	heard, err := io.ReadAll(c)
	if err == nil {
		err = io.EOF
	}
	if string(heard) != words || !errors.Is(err, end) {
		t.Fatalf("heard %q and %v, not %q and %v", heard, err, words, end)
	}
}

func closeWrite(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// counts is what a proxy has done since its start.
type counts struct {
	taken, open, reset int64 // connections: all, those of now, and those that ended by RST
	toTarget, toClient int64 // bytes
}

func (h house) counts() counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return counts{
		taken: h.taken, open: int64(len(h.links)), reset: h.reset,
		toTarget: h.toTarget.Load(), toClient: h.toClient.Load(),
	}
}

// mustCount waits until so much is counted. A byte may be heard before it is.
func (h house) mustCount(t *testing.T, want counts) {
	t.Helper()
	defer func() {
		if got := h.counts(); got != want {
			t.Errorf("it counted %+v, not %+v", got, want)
		}
	}()
	eventually(t, "all is counted", func() bool { return h.counts() == want })
}

// mustHaveReset waits for the end of all connections. So many were reset.
func (h house) mustHaveReset(t *testing.T, n int64) {
	t.Helper()
	eventually(t, "all connections have ended", func() bool { return h.counts().open == 0 })
	if got := h.counts().reset; got != n {
		t.Errorf("%d connections were reset, not %d", got, n)
	}
}
