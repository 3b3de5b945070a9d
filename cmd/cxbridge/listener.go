package main

import "net"

// writeBuffer is how many bytes of an answer the kernel takes for a connection before its client has read
// any. Left alone, Linux takes 4 MB or more: a few hundred clients that ask for much and read nothing then
// cost seconds of copying, and gigabytes. A client 100 ms away still gets some megabytes a second.
const writeBuffer = 256 << 10

// frugalListener bounds the write buffer of each connection.
type frugalListener struct{ net.Listener }

// Accept returns the next connection.
func (l frugalListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(writeBuffer) // fails on a connection that is broken, as the first read will tell
	}
	return conn, err
}
