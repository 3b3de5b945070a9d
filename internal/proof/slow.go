package proof

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// SlowClients holds connections to a service open until ctx is done, as many as each says in each of three
// ways: headers that never end, bodies that come a byte at a time, and answers that nobody reads. It opens a
// connection that the service closes again, and returns how often it did.
func SlowClients(ctx context.Context, s *Service, each int) (closed int) {
	const post = "POST " + ReceiptsPath + " HTTP/1.1\r\nHost: x\r\nX-Webhook-Secret: " + WebhookSecret + "\r\n"
	ways := []struct{ begin, more string }{
		{"POST " + ReceiptsPath + " HTTP/1.1\r\nHost: x\r\n", "X-Slow: x\r\n"},
		{post + "Content-Length: 1000\r\n\r\n{", " "},
		{strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+ViewerToken+"\r\n\r\n", 50), ""},
	}
	var mu sync.Mutex
	var clients sync.WaitGroup
	for _, way := range ways {
		for range each {
			clients.Go(func() {
				for ctx.Err() == nil {
					if err := hold(ctx, s.Address, way.begin, way.more); err != nil && ctx.Err() == nil {
						mu.Lock()
						closed++
						mu.Unlock()
					}
				}
			})
		}
	}
	clients.Wait()
	return closed
}

// hold holds one connection until ctx is done or it breaks, which is an error. It reads nothing.
func hold(ctx context.Context, address, begin, more string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // so that unread answers fill it soon; a larger one only takes longer
	}
	if _, err := io.WriteString(conn, begin); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := io.WriteString(conn, more); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}
