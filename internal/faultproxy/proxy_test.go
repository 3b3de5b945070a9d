package faultproxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestClosesOneSideAfterTheOther(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	say(t, client, "a request")
	closeWrite(t, client)
	mustEnd(t, server, "a request", io.EOF)
	h.mustCount(t, counts{taken: 1, open: 1, toTarget: 10, toClient: 1})
	say(t, server, "an answer")
	closeWrite(t, server)
	mustEnd(t, client, "an answer", io.EOF)
	h.mustCount(t, counts{taken: 1, toTarget: 10, toClient: 10})
}

func TestResetOfASideIsPassedOn(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	say(t, client, "last words")
	abort(client)
	mustEnd(t, server, "last words", syscall.ECONNRESET)
	h.mustCount(t, counts{taken: 1, reset: 1, toTarget: 11, toClient: 1})

	client, server = h.connect(t)
	say(t, server, "last words")
	abort(server)
	mustEnd(t, client, "last words", syscall.ECONNRESET)
	h.mustCount(t, counts{taken: 2, reset: 2, toTarget: 12, toClient: 12})
}

// A target may answer and go while it is still being sent to. On a wire the answer comes first.
func TestAnswerOfATargetThatIsGone(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	h.Set(Fault{Latency: 100 * time.Millisecond})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			if _, err := client.Write(make([]byte, 1)); err != nil {
				return
			}
		}
	}()
	mustHear(t, server, strings.Repeat("\x00", 10))
	say(t, server, "an answer")
	abort(server)
	// The goroutine that writes may have got the reset.
	if heard, _ := io.ReadAll(client); string(heard) != "an answer" {
		t.Errorf("heard %q", heard)
	}
	<-sent
	h.mustHaveReset(t, 1)
}

// A sender who is held up is let go when its receiver is gone.
func TestSenderToATargetThatIsGone(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	closeWrite(t, server)
	mustEnd(t, client, "", io.EOF)
	h.Set(Fault{BlackHole: true})
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(client, forever{})
		sent <- err
	}()
	up := h.open()[0].up
	eventually(t, "all is full", func() bool { return len(up.chunks) == underWay })
	abort(server)
	h.Set(Fault{})
	if err := <-sent; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the sender ended with %v", err)
	}
	h.mustHaveReset(t, 1)
}

func TestResetEndsBothSides(t *testing.T) {
	h := newHouse(t)
	h.Reset() // nothing
	var conns []*net.TCPConn
	for range 3 {
		client, server := h.connect(t)
		conns = append(conns, client, server)
	}
	closeWrite(t, conns[0])
	mustEnd(t, conns[1], "", io.EOF)
	h.Reset()
	if got, want := h.counts(), (counts{taken: 3, reset: 3, toTarget: 3, toClient: 3}); got != want {
		t.Errorf("it counted %+v, not %+v", got, want)
	}
	for i, c := range conns {
		if i != 1 { // it has ended
			mustEnd(t, c, "", syscall.ECONNRESET)
		}
	}
	if _, err := conns[1].Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the target wrote to it: %v", err)
	}
	h.connect(t)
}

func TestHalfClose(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	h.HalfClose()
	mustEnd(t, server, "", io.EOF)
	if _, err := client.Write(make([]byte, 32<<20)); err != nil { // more than is ever under way
		t.Fatalf("the client is held up: %v", err)
	}
	say(t, server, "still there")
	mustHear(t, client, "still there")
	h.HalfClose() // is the same
	closeWrite(t, server)
	mustEnd(t, client, "", io.EOF)
	if _, err := client.Write(make([]byte, 32<<20)); err != nil {
		t.Fatalf("the client is cut off before it has closed: %v", err)
	}
	h.mustCount(t, counts{taken: 1, open: 1, toTarget: 1, toClient: 12})
	closeWrite(t, client)
	h.mustCount(t, counts{taken: 1, toTarget: 1, toClient: 12})
}

func TestHalfCloseClients(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	h.HalfCloseClients()
	mustEnd(t, client, "", io.EOF)
	say(t, client, "still there")
	mustHear(t, server, "still there")
	abort(server) // though nothing of it is passed on any more
	eventually(t, "the client is told", func() bool {
		_, err := client.Write([]byte("x"))
		return err != nil
	})
	h.mustHaveReset(t, 1)
}

func TestBlackHole(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	h.Set(Fault{BlackHole: true})
	say(t, client, "held")
	closeWrite(t, client)
	young := h.dial(t)
	say(t, young, "hello?")
	h.HalfClose() // goes into the hole too, and leaves the young one alone
	for _, c := range []*net.TCPConn{server, young} {
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		mustEnd(t, c, "", os.ErrDeadlineExceeded)
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.target.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.target.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the young one reached the target, or %v", err)
	}
	h.mustCount(t, counts{taken: 2, open: 2, toTarget: 1, toClient: 1})
	h.Set(Fault{})
	mustEnd(t, server, "held", io.EOF)
	mustHear(t, accept(t, h.target), "hello?")
}

func TestResetInABlackHole(t *testing.T) {
	h := newHouse(t)
	h.Set(Fault{BlackHole: true})
	client := h.dial(t)
	eventually(t, "it is taken", func() bool { return h.counts().open == 1 })
	h.Reset()
	mustEnd(t, client, "", syscall.ECONNRESET)
	h.mustCount(t, counts{taken: 1, reset: 1})
}

func TestRefuse(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	h.Set(Fault{Refuse: true})
	h.mustTurnAway(t)
	say(t, client, "I was here before")
	mustHear(t, server, "I was here before")
	h.mustCount(t, counts{taken: 2, open: 1, reset: 1, toTarget: 18, toClient: 1})
	h.Set(Fault{})
	h.connect(t)
}

func TestCutAfter(t *testing.T) {
	h := newHouse(t)
	client, server := h.connect(t)
	h.Set(Fault{CutAfter: 5})
	say(t, server, "what a target sends is not counted")
	mustHear(t, client, "what a target sends is not counted")
	say(t, client, "POST /webhooks")
	mustEnd(t, server, "POST ", syscall.ECONNRESET)
	mustEnd(t, client, "", syscall.ECONNRESET)
	h.mustCount(t, counts{taken: 1, reset: 1, toTarget: 6, toClient: 35})
}

func TestTargetThatIsAway(t *testing.T) {
	h := newHouse(t)
	if err := h.target.Close(); err != nil {
		t.Fatal(err)
	}
	h.mustTurnAway(t)
	h.mustCount(t, counts{taken: 1, reset: 1})
}

// mustTurnAway dials, and is reset: at once, or when it reads.
func (h house) mustTurnAway(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", h.Addr())
	if err == nil {
		mustEnd(t, lend(t, conn.(*net.TCPConn)), "", syscall.ECONNRESET)
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it was turned away with %v", err)
	}
}

// A receiver that does not read holds its sender up, and neither what is held up nor any fault keeps
// a proxy from its end.
func TestCloseLeavesNothing(t *testing.T) {
	for name, fault := range map[string]Fault{
		"no fault":   {},
		"latency":    {Latency: time.Hour},
		"rate":       {BytesPerSecond: 1},
		"black hole": {BlackHole: true},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			target := listen(t)
			p, err := Start(target.Addr().String(), rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			h := house{Proxy: p, target: target}
			client, server := h.connect(t)
			h.Set(fault)
			var writers []chan error
			for _, c := range []*net.TCPConn{client, server} {
				done := make(chan error, 1)
				writers = append(writers, done)
				go func() {
					_, err := io.Copy(c, forever{})
					done <- err
				}()
			}
			young := h.dial(t)
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			for _, done := range writers {
				if err := <-done; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("a sender ended with %v", err)
				}
			}
			mustEnd(t, young, "", syscall.ECONNRESET)
			goleak.VerifyNone(t, before)
			if got := h.counts(); got.open != 0 {
				t.Errorf("it counted %+v", got)
			}
			if _, err := net.Dial("tcp", h.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("who dials is told %v", err)
			}
		})
	}
}

// forever is bytes without end.
type forever struct{}

func (forever) Read(p []byte) (int, error) { return len(p), nil }

func TestCloseTellsWhyItCouldNotTakeConnections(t *testing.T) {
	p, err := Start("127.0.0.1:1", rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.listener.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "clients are turned away", func() bool {
		conn, err := net.Dial("tcp", p.Addr())
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	if err := p.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it closed with %v", err)
	}
}
