// Package faultproxy forwards TCP connections, and does to them what networks do.
//
//	fault.go  what can happen to a connection
//	proxy.go  listens, and holds the connections that are open
//	link.go   one connection, from its beginning to one of its ends
//	pipe.go   one direction of a connection
//
// Without a fault it is transparent: bytes, half-closes and resets come out in the order in which they went in.
// Whatever the fault, the bytes that come out are a prefix of those that went in.
package faultproxy
