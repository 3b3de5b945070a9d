package main

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A client that reads nothing is sent no more than its connection's buffers hold: ours, which Linux makes
// twice as large as it is told, for its own use, and the client's.
func TestUnreadAnswersFillLittle(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	conn, err := frugalListener{inner}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for chunk := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = conn.Write(chunk)
		sent += n
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if sent < writeBuffer/2 || sent > 4*writeBuffer {
		t.Errorf("%d bytes were taken, want about %d", sent, writeBuffer)
	}
}

func TestServiceBoundsItsConnections(t *testing.T) {
	s := startService(t, with(nil))
	if _, is := s.listener.(frugalListener); !is {
		t.Errorf("the service listens by %T", s.listener)
	}
}
