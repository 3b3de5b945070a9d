// Package sim is a world to try cxbridge in without a CXone tenant:
//
//	CXone          a platform that issues tokens, takes subscriptions    cxone.go, webhooks.go,
//	               and returns threads                                   cxone_threads.go
//	Traffic        SMS receipts as gateways send them, good and bad      traffic.go, mix.go, life.go,
//	                                                                     form.go
//	Ledger         what a correct receiver must make of that traffic     ledger.go
//	Conversations  social threads that grow, merge and split, and what   conversation_*.go
//	               CXone posts of them, good and bad
//	CRM            a CRM that keeps threads, fails now and then, and     crm*.go
//	               has other writers
//	Sender         posts the traffic to a webhook                        sender.go
//
// Conversations keeps the truth and posts events about it. Every change of a thread raises its version
// by one and is reported by an event, which may be late, overtaken, repeated or lost, may contain all of
// the thread or only the news, and may leave out what has not changed. Once all events are posted, its
// Expected is what a CRM must have. CXone returns the same threads when it is given its Thread:
//
//	conversation.go         a thread as CXone and a CRM report it
//	conversation_truth.go   what is true of the threads, and which link of a ring does not count
//	conversation_life.go    what happens to a thread on its own, and storms
//	conversation_links.go   merges and splits
//	conversation_story.go   how often what happens, where somebody has a say in it
//	conversation_timeline.go
//	                        what a thread shows of itself and of those that were merged into it
//	conversation_flaw.go    what a CRM does not take, and its correction
//	conversation_event.go   the events, and bodies that are none
//	conversation_stream.go  when they are posted
//	conversation_words.go   names, ids and texts
//
// The package knows the wire formats from their descriptions and shares no code with the packages
// that read them, so that a mistake in one is not hidden by the same mistake in the other.
package sim
