// Package thread models social conversations: what an event says about one, how events that arrive
// in any order and any number of times add up to one state, and what an external CRM still lacks of
// that state. It is pure: it does no I/O and has no clock.
//
//	event.go     an event, and what it names
//	decode.go    reading an event from JSON, its fields
//	reader.go    reading an event from JSON, its objects and lists
//	stamp.go     the order of events
//	content.go   the values of items, as they go to the CRM
//	item.go      a message or participant of a thread, as a register, and what the CRM has of it
//	thread.go    a thread: its registers, and folding an event into it
//	link.go      links between threads: merged children, rings
//	timeline.go  what a thread shows
//	delta.go     what the CRM has not acknowledged
//	conflict.go  merging our delta with another writer's work
package thread
