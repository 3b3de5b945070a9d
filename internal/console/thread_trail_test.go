package console

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
)

func TestTrail(t *testing.T) {
	for _, test := range []struct {
		entry audit.Entry
		want  trailEntry
	}{
		{
			audit.Entry{Action: audit.ActionPush, Outcome: "failed", Detail: `{"version":4,"status":503,"requests":2,"added":3,"removed":1,"ms":1500,"bytes":9,"reason":"busy"}`},
			trailEntry{Action: "Pushed to the CRM", Level: "bad", Outcome: "failed", Status: 503, Version: 4, Told: "3 added, 1 removed, in 2 requests", Reason: "busy", Took: 1500 * time.Millisecond},
		},
		{
			audit.Entry{Action: audit.ActionConflict, Outcome: "merged", Detail: `{"version":9,"kept":2}`},
			trailEntry{Action: "Another writer’s change", Level: "info", Outcome: "merged", Version: 9, Told: "2 changes kept in the CRM"},
		},
		{
			audit.Entry{Action: audit.ActionSetAside, Outcome: "kept as a dead letter", Detail: `{"kind":"message","item":"m1","reason":"too long"}`},
			trailEntry{Action: "Set aside", Level: "bad", Outcome: "kept as a dead letter", Told: "message m1", Reason: "too long"},
		},
		{
			audit.Entry{Subject: "a", Action: audit.ActionEvent, Outcome: "accepted", Detail: `{"type":"THREAD_MERGED","thread":"a","parent":"b","messages":1,"participants":2,"version":1}`},
			trailEntry{Action: "Event applied", Level: "neutral", Outcome: "accepted", Version: 1, Told: "THREAD_MERGED, parent b, 1 message, 2 participants"},
		},
		{ // a thread whose id is not its subject
			audit.Entry{Subject: "thread:message:1", Action: audit.ActionEvent, Outcome: "accepted", Detail: `{"type":"THREAD_UPDATED","thread":"message:1"}`},
			trailEntry{Action: "Event applied", Level: "neutral", Outcome: "accepted", Told: "THREAD_UPDATED"},
		},
		{
			audit.Entry{Action: "something new", Outcome: "odd", Detail: `{"version":"not a number","status":200}`},
			trailEntry{Action: "something new", Level: "neutral", Outcome: "odd", Status: 200},
		},
		{
			audit.Entry{Action: audit.ActionReconcile, Outcome: "woken", Detail: `no JSON`},
			trailEntry{Action: "Tried at once", Level: "neutral", Outcome: "woken"},
		},
	} {
		if diff := cmp.Diff(test.want, trailOf(&test.entry)); diff != "" {
			t.Error(diff)
		}
	}
}
