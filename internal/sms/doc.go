// Package sms is the domain of SMS delivery receipts: what a receipt says, how receipts of one
// message add up to its state, and which sender IDs a destination allows.
//
// The package is pure. It does no I/O, reads no clock and draws no random numbers: time comes in
// as an argument, and rule files come in as bytes.
//
// The way of a receipt through the package:
//
//	Decode   JSON item → Receipt          payload.go, item.go, smpp.go, date.go
//	Judge    sender ID and region         judge.go, sender.go, region.go, region_national.go
//	Fold     Receipt into its Message     message.go, under the total order of order.go
package sms
