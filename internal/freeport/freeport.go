// Package freeport finds ports for servers that end and begin again on the same port.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that are tried. Systems give higher ones to whoever asks for any port: so nobody is given one of
// these while its server is down.
const (
	first = 15_000
	ports = 15_000
)

// Find returns a port of 127.0.0.1 on which nobody listens.
func Find() (port int, err error) {
	for range 100 {
		port = first + rand.IntN(ports)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port was found: %w", err)
}
