// Package crmtest is the conformance suite of crm.Sink. Every implementation passes it, and a change
// of the contract begins here.
package crmtest

import (
	"net/http"
	"testing"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// CRM is the far end of a sink, as the suite looks at it and troubles it. *sim.CRM is one; a sink
// that speaks another protocol brings a fake with these methods.
type CRM interface {
	Conversation(threadID string) (sim.Conversation, bool)
	Violations() []string

	// Other writers. Each raises the version.
	AddMessage(threadID string, m sim.Message) bool
	EditMessage(threadID, messageID, text string) bool
	DeleteThread(threadID string) bool

	// Fail makes requests fail, as sim.CRMFault says.
	Fail(f sim.CRMFault)
	SetFaults(befalls func(*http.Request) sim.CRMFault)
	SetTells(tells sim.Tells)
	SetETags(on bool)
}

// Setup makes a new CRM with nothing in it, and a sink for it, whose own timeout is at least a
// second. Both go when the test ends.
type Setup func(t *testing.T) (crm.Sink, CRM)

// Run tests a sink.
func Run(t *testing.T, setup Setup) {
	for name, test := range map[string]func(t *testing.T, sink crm.Sink, far CRM){
		"Create":         testCreate,
		"CreateTwice":    testCreateTwice,
		"Patch":          testPatch,
		"PatchGone":      testPatchGone,
		"Get":            testGet,
		"GetGone":        testGetGone,
		"GetIDs":         testGetIDs,
		"GetVersionOnly": testGetVersionOnly,
		"Once":           testOnce,
		"OtherBody":      testOtherBody,
		"OldVersion":     testOldVersion,
		"OtherWriter":    testOtherWriter,
		"IfMatch":        testIfMatch,
		"IDs":            testIDs,
		"Throttled":      testThrottled,
		"Failed":         testFailed,
		"Permanent":      testPermanent,
		"Echo":           testEcho,
		"Cut":            testCut,
		"Canceled":       testCanceled,
		"Concurrency":    testConcurrency,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, far := setup(t)
			test(t, sink, far)
			for _, v := range far.Violations() {
				t.Errorf("violation: %s", v)
			}
		})
	}
}
