// Package sim is a world to try cxbridge in without a CXone tenant:
//
//	CXone     a platform that issues tokens and takes subscriptions    cxone.go, webhooks.go
//	Traffic   SMS receipts as gateways send them, good and bad         traffic.go, life.go, form.go
//	Ledger    what a correct receiver must make of that traffic        ledger.go
//	Sender    posts the traffic to a webhook                           sender.go
//
// The package knows the wire formats from their descriptions and shares no code with the packages
// that read them, so that a mistake in one is not hidden by the same mistake in the other.
package sim
