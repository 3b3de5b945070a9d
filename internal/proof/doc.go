// Package proof runs a real cxbridge, does it harm, and holds what it has kept against what it
// promised. It is what the commands of cxproof have in common:
//
//	program.go     builds cxbridge once
//	process.go     a process: started, killed, paused, stopped
//	log.go         what it writes
//	store.go       where it keeps its data: a SQLite file, or a PostgreSQL of its own to be crashed
//	service.go     a cxbridge at one address, through its restarts, and its API
//	waiting.go     what is waited for
//	clock.go       a wall clock that is set forwards and back, for a cxbridge that clock_build.go
//	               builds with the changed package of clock_time.txt
//	crm.go         a CRM that lies, throttles and hangs, with another writer
//	replicas.go    several cxbridges on one PostgreSQL, with a network between everything
//	balancer.go    hands requests to replicas in turn, and restarts them one after the other
//	recorder.go, recorder_writer.go
//	               what the CRM is asked, by whom, and what came of it
//	register.go    whether that is the history of one register for each thread
//	leases.go      whether one replica at a time pushed a thread
//	lock_waits.go  how long replicas wait for each other in PostgreSQL
//	traffic.go     receipts and thread events at a rate, and an account of what was acknowledged
//	probe.go       what another caller sees meanwhile
//	slow.go        callers who never come to an end
//	promises.go    what an acknowledgement is a promise of
//	check.go       what is stored, and in the CRM, against what was promised
//	analytics.go   the counts of analytics against a count of all messages
//	resources_linux.go, table.go
//	               what is measured, and shown
//
// Nothing here knows the code under test: it is driven over HTTP, read by SQL, and killed by signals.
package proof
