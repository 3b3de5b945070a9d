package e2e_test

import (
	"net/http"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// spooled is the answer to an event that waits for the database.
var spooled = object{"status": "ACCEPTED", "queuedForRetry": true}

// Events of threads that come while PostgreSQL is away are in the CRM when it is back.
func TestThreadsWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	crm, withCRM := newCRM(t)
	conversations, posts := shortHistories(20)
	third := len(posts) / 3
	p := serve(t, o.settings.with(withCRM))
	deliverAll(t, p, posts[:third])
	p.awaitSynced(t) // else the leases of pushes that the kill cuts off would have to run out first

	o.stop(t)
	one, two := line("m-1", "One", 1), line("m-2", "Two", 2)
	p.wantAnswer(t, spooled, event(updated, "away", 1, saying(one)))
	p.wantAnswer(t, spooled, event(updated, "away", 2, saying(two)), "Prefer", "wait=30")
	p.wantAnswer(t, object{"status": "ACCEPTED", "queuedForRetry": true, "results": []any{
		object{"threadId": "away", "status": "ACCEPTED", "queuedForRetry": true},
	}}, "["+event(updated, "away", 1, saying(one))+"]")
	p.postThread(t, http.StatusUnprocessableEntity, `{"event":"THREAD_UPDATED","data":{"threadId":"away","version":"x"}}`)
	deliverAll(t, p, posts[third:2*third])
	if status := p.call(t, http.MethodGet, "/api/threads", viewerToken, nil); status != http.StatusServiceUnavailable {
		t.Errorf("the API answers %d while it cannot read, want 503", status)
	}

	// The events outlive the process.
	p.kill(t)
	p = serveWithout(t, o.settings.with(withCRM))
	o.resume(t)
	awaitDrained(t, p)
	deliverAll(t, p, posts[2*third:])
	p.awaitSynced(t)
	wantEqual(t, crm, append(conversations.Expected(), conversation("away", 2, "", one, two)))
	wantAuditVerified(t, o.settings)
}

// PostgreSQL crashes while threads are pushed. What the CRM has acknowledged meanwhile is not pushed
// on top of itself, and nothing is missing.
func TestPostgresCrashesDuringPushes(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	crm, guard, withCRM := newWatchedCRM(t)
	conversations, posts := shortHistories(21)
	half := len(posts) / 2
	p := serve(t, o.settings.with(withCRM))
	answer := make(chan struct{})
	crm.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Until: answer} })
	deliverAll(t, p, posts[:half])
	eventually(t, "pushes are under way", func() bool { return p.metric(t, "cxbridge_pushes_in_flight") > 0 })
	if err := o.cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	crm.SetFaults(nil)
	close(answer)
	deliverAll(t, p, posts[half:])
	o.resume(t)
	awaitDrained(t, p)
	p.awaitSynced(t)
	wantEqual(t, crm, conversations.Expected())
	guard.wantNoOverlaps(t)
	wantAuditVerified(t, o.settings)
}
