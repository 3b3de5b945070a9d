package faultproxy

import (
	"context"
	"net"
	"sync"
	"time"
)

// link is a connection of a client, and the one to the target that belongs to it.
type link struct {
	client    *net.TCPConn
	up        *pipe              // from the client to the target
	down      *pipe              // and back
	reset     context.CancelFunc // asks for the end
	connected chan struct{}      // closed when the target is reached
	gone      chan struct{}      // closed when both connections are
}

func (l *link) isConnected() bool {
	select {
	case <-l.connected:
		return true
	default:
		return false
	}
}

// run carries a connection until it ends. It reports whether it ended by a reset.
func (l *link) run(ctx context.Context, weather *weather, target string) (isReset bool) {
	server, err := dial(ctx, weather, target)
	if err != nil {
		abort(l.client)
		return true
	}
	l.up.dst, l.down.src = server, server
	close(l.connected)

	var pipes sync.WaitGroup
	ended := make(chan error, 2)
	for _, p := range []*pipe{l.up, l.down} {
		read := make(chan error, 1)
		pipes.Go(func() { read <- p.read(ctx) })
		pipes.Go(func() {
			err := p.write(ctx)
			if err == nil {
				err = <-read // after fin the sender may go on
			}
			if err != nil && err != errUnwritten {
				l.reset()
			}
			ended <- err
		})
	}
	// A receiver that is gone is not the end: what it sent before is still under way, followed, since it
	// is the same connection, by the end of the other direction.
	for range 2 {
		select {
		case err := <-ended:
			isReset = isReset || err != nil
		case <-ctx.Done():
			isReset = true
		}
	}
	if isReset {
		abort(l.client)
		abort(server)
	} else {
		// Nothing is left to lose.
		_ = l.client.Close()
		_ = server.Close()
	}
	l.reset() // releases a read that waits for room
	pipes.Wait()
	return isReset
}

// dial connects to the target, but not through a black hole.
func dial(ctx context.Context, weather *weather, target string) (*net.TCPConn, error) {
	if _, err := weather.hold(ctx, func(Fault) time.Time { return time.Time{} }); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// abort ends a connection by RST.
func abort(c *net.TCPConn) {
	// They fail if the connection has ended already.
	_ = c.SetLinger(0)
	_ = c.Close()
}
