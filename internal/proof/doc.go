// Package proof runs a real cxbridge, does it harm, and compares what it keeps with what it promised. It is
// what the commands of cxproof have in common, and some of it serves cxbench:
//
//	program.go     builds cxbridge, as it is or with other source files
//	process.go     a process: started, killed, paused, stopped
//	log.go         the log of a process
//	store.go       where it keeps its data: a SQLite file, or a PostgreSQL of its own to be crashed
//	service.go     a cxbridge at one address, through its restarts, and its API
//	waiting.go     waits until a condition is true
//	clock.go       a wall clock that is set forwards and back, for a cxbridge that clock_build.go
//	               builds with the changed package of clock_time.txt
//	crm.go         a CRM that lies, throttles and hangs, with another writer
//	replicas.go    several cxbridges on one PostgreSQL, with a network between everything
//	balancer.go    hands requests to replicas in turn, and restarts them one after the other
//	recorder.go, recorder_writer.go
//	               what the CRM is asked, by whom, and with which result
//	register.go    checks that this is the history of one register for each thread
//	leases.go      checks that one replica at a time pushed a thread
//	lock_waits.go  measures how long replicas wait for each other in PostgreSQL
//	traffic.go     receipts and thread events at a rate
//	promises.go    an account of what was acknowledged, and event_set.go a compact part of it
//	probe.go       what another caller sees meanwhile
//	slow.go        clients that never finish
//	check.go       compares what is stored, and in the CRM, with what was promised
//	analytics.go   compares analytics with a count of all messages
//	resources_linux.go, table.go
//	               what is measured, and printed
//
// Nothing here knows the code under test: it is driven over HTTP, read by SQL, and killed by signals.
package proof
