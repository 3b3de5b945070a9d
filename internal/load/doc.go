// Package load sends SMS receipts to a webhook as fast as it answers, or at a set rate, and measures how
// fast that was. It keeps account of what was acknowledged, so that the rows of the database can be
// compared with it.
//
// The way of a request through the package:
//
//	schedule.go  when it is sent
//	source.go    what it says
//	conn.go      the wire, and response.go the answer on it
//	ledger.go    what the server promised
//	run.go       all of it, on many connections at once
//
// Besides, pace.go makes any other calls at a constant rate.
package load
