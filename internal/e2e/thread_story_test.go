package e2e_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// A conversation that is updated, merged in a chain and split reads the same here and in the CRM.
func TestThreadIsUpdatedMergedAndSplit(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		customer := sim.Participant{ID: "c-1", Role: "CUSTOMER", Name: "Ada", PlatformID: "x:ada"}
		agent := sim.Participant{ID: "a-1", Role: "AGENT", Name: "Grace"}
		p1, p2, p3 := line("p-1", "Where is it?", 1), line("p-2", "My parcel", 4), line("p-3", "And the bill", 5)
		a1, b1 := line("a-1", "On its way", 2), line("b-1", "To Utrecht", 3)
		edited := p1
		edited.Text = "Where is my parcel?"

		p.wantAnswer(t, accepted, event(updated, "P", 1, saying(p1, p2, p3), among(customer)))
		p.wantAnswer(t, accepted, event(updated, "A/1", 1, saying(a1), among(agent)))
		p.wantAnswer(t, accepted, event(updated, "B", 1, saying(b1)))
		p.wantAnswer(t, accepted, event(updated, "P", 2, saying(edited), among(agent)))
		p.wantAnswer(t, accepted, event(merged, "B", 3, under("A/1")))
		p.wantAnswer(t, accepted, event(merged, "A/1", 4, under("P")))
		p.awaitSynced(t)
		p.wantTimeline(t, "P", "p-1 of P", "a-1 of A/1", "b-1 of B", "p-2 of P", "p-3 of P")
		p.wantTimeline(t, "A/1", "a-1 of A/1", "b-1 of B")
		p.wantTimeline(t, "B", "b-1 of B")
		parent, child := conversation("P", 2, "", edited, p2, p3), conversation("A/1", 4, "P", a1)
		parent.Participants = []sim.Participant{customer, agent}
		child.Participants = []sim.Participant{agent}
		wantEqual(t, crm, []sim.Conversation{parent, child, conversation("B", 3, "A/1", b1)})

		p.wantAnswer(t, accepted, event(split, "C", 6, under("P"), saying(p3)))
		p.wantAnswer(t, accepted, event(split, "A/1", 7))
		p.awaitSynced(t)
		p.wantTimeline(t, "P", "p-1 of P", "p-2 of P")
		p.wantTimeline(t, "A/1", "a-1 of A/1", "b-1 of B")
		p.wantTimeline(t, "C", "p-3 of C")
		parent.Messages = []sim.Message{edited, p2}
		child.Version, child.UpdatedAt, child.ParentThreadID = 7, minuteTime(7), nil
		wantEqual(t, crm, []sim.Conversation{
			parent, child, conversation("B", 3, "A/1", b1), conversation("C", 6, "P", p3),
		})
		checkThreadAPI(t, p)
	})
}

func (p *process) wantTimeline(t *testing.T, id string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, p.timeline(t, id)); diff != "" {
		t.Errorf("timeline of %s (-want +got):\n%s", id, diff)
	}
}

// checkThreadAPI reads the threads of TestThreadIsUpdatedMergedAndSplit.
func checkThreadAPI(t *testing.T, p *process) {
	t.Helper()
	for query, want := range map[string][]string{
		"":                           {"A/1", "B", "C", "P"},
		"state=synced":               {"A/1", "B", "C", "P"},
		"state=parked":               nil,
		"text=b":                     {"B"},
		"text=a%2F":                  {"A/1"},
		"since=2026-01-01T00:00:00Z": {"A/1", "B", "C", "P"},
		"since=2999-01-01T00:00:00Z": nil,
	} {
		if got := p.threadIDs(t, query); !slices.Equal(got, want) {
			t.Errorf("threads by %q: %v, want %v", query, got, want)
		}
	}
	a := p.thread(t, "P")
	if a.Version != 2 || a.ParentThreadID != "" || a.Link != "" || a.Sync.State != "synced" || a.Sync.WantRev != a.Sync.DoneRev ||
		a.Sync.WantRev == 0 || a.Sync.LastStatus != http.StatusOK || a.Sync.LastError != "" {
		t.Errorf("thread P is %+v", a)
	}
	if len(a.Participants) != 2 || len(a.Messages) != 2 || a.Messages[0].Text != "Where is my parcel?" || a.Messages[0].Delivery != "acknowledged" {
		t.Errorf("thread P has %+v and %+v", a.Participants, a.Messages)
	}
	for id, want := range map[string][2]string{"B": {"merged", "A/1"}, "C": {"split", "P"}} {
		if a := p.thread(t, id); a.Link != want[0] || a.ParentThreadID != want[1] {
			t.Errorf("thread %s is %s of %s, want %v", id, a.Link, a.ParentThreadID, want)
		}
	}
	for _, path := range []string{"/api/threads/none", "/api/threads/none/timeline"} {
		if status := p.call(t, http.MethodGet, path, viewerToken, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	for _, path := range []string{"/api/threads", "/api/threads/P", "/api/threads/P/timeline", "/api/audit"} {
		for _, token := range []string{"", webhookSecret} {
			if status := p.call(t, http.MethodGet, path, token, nil); status != http.StatusUnauthorized {
				t.Errorf("%s with the token %q: status %d", path, token, status)
			}
		}
	}
}
