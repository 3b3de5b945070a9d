// Package cxone is the client of the NICE CXone platform: it fetches OAuth tokens, subscribes the
// webhooks and fetches social threads. It keeps none of our state and decides nothing about messages.
//
// Everything that belongs to one version of the platform's API (paths, bodies, field names,
// scopes) is in profile.go. The rest works for any of them.
package cxone
