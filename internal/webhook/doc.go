// Package webhook is the HTTP intake of CXone's webhooks. It authenticates callers, bounds and splits
// what they send, and answers. It knows HTTP and the shape of the answers; what an event means is
// decided by ingest and the domain behind it.
//
// The way of a request through the package:
//
//	Gate      method, encoding, admission, answer, log, metrics   gate.go
//	Secrets   is the caller one of ours?                          secrets.go, signature.go
//	ticket    how much memory may it take?                        limits.go
//	visit     read the body, and split an array into its items    body.go, array.go
//	accept    the webhook's own part                              sms.go, threads.go
//	takeIn    read the events and make them durable               event.go
//	answer    what became of them                                 sms_answer.go, threads_answer.go
//	later     hold an answer back until the CRM has the events    prefer.go, wait.go
//	reply     the answers that all webhooks have in common        reply.go
//	span      the trace of a request                              trace.go
//
// Only accept, with its answers, is the webhook's own. To add one, write its accept and a constructor
// on Gate that hands it to Gate.handler under the name of its route.
//
// A Gate's handlers answer every method, so register them without one; the Gate then answers 405 in
// its own form:
//
//	gate := webhook.NewGate(webhook.Options{Secrets: secrets, Logger: logger, Registry: registry})
//	mux.Handle("/webhooks/cxone/sms", gate.SMS(intake))
//	mux.Handle("/api/webhooks/cxone-threads", gate.Threads(intake, syncer))
//	server.RegisterOnShutdown(gate.StopWaiting)
//
// The http.Server around it must set ReadHeaderTimeout, IdleTimeout and MaxHeaderBytes: a Gate sees
// a request only once its headers are complete. It bounds the reading of the body itself.
package webhook
