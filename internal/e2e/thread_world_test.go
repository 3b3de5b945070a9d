package e2e_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

const crmToken = "d1c2b3a4-crm-0e9f8a7b"

// newCRM starts a CRM without conversations, and returns the settings that name it.
func newCRM(t testing.TB) (*sim.CRM, settings) {
	t.Helper()
	crm := sim.NewCRM(crmToken)
	return crm, serveCRM(t, crm)
}

// serveCRM starts a server for a CRM, and returns the settings that name it.
func serveCRM(t testing.TB, crm http.Handler) settings {
	t.Helper()
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	return settings{"CRM_API_URL": server.URL, "CRM_API_TOKEN": crmToken, "CRM_TIMEOUT": "30s"}
}

// history draws what CXone posts of conversations: as it comes, with everything once more for about a
// third, and all of it shuffled.
func history(rng *rand.Rand, conversations *sim.Conversations, posts int) []sim.Post {
	var all []sim.Post
	for range posts {
		all = append(all, conversations.Next(time.Now()))
	}
	for post, more := conversations.Rest(); more; post, more = conversations.Rest() {
		all = append(all, post)
	}
	for _, post := range all[:len(all):len(all)] {
		if rng.IntN(3) == 0 {
			all = append(all, post)
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// deliverPosts posts a history until the service has taken all of it. It returns those that were not,
// because the service went away.
func deliverPosts(t *testing.T, p *process, posts []sim.Post) (unacknowledged []sim.Post) {
	t.Helper()
	sender := &sim.Sender{
		URL: p.address + threadsPath, Sign: byDefault, Client: p.client, Workers: 16,
		Answered: func(post sim.Post, a sim.Answer) {
			if a.Status != 0 && a.Status != post.Answer && a.Status != http.StatusServiceUnavailable {
				t.Errorf("answered with %d, want %d: %.200s", a.Status, post.Answer, post.Body)
			}
		},
	}
	var again unanswered
	answered := sender.Answered
	sender.Answered = func(post sim.Post, a sim.Answer) {
		answered(post, a)
		again.note(post, a)
	}
	i := 0
	sender.Run(t.Context(), func() (sim.Post, bool) {
		if i == len(posts) {
			return sim.Post{}, false
		}
		i++
		return posts[i-1], true
	})
	return again.posts
}

// wantEqual compares the CRM with CXone, other writers' work included.
func wantEqual(t testing.TB, crm *sim.CRM, cxone []sim.Conversation) {
	t.Helper()
	wrong := slices.Concat(crm.Violations(), crm.Differences(cxone))
	if len(wrong) > 0 {
		t.Fatalf("%d differences between the CRM and CXone:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 30)], "\n"))
	}
}

// wantAuditVerified runs `cxbridge audit verify`.
func wantAuditVerified(t *testing.T, s settings) {
	t.Helper()
	code, stdout, stderr := finish(t, s, "audit", "verify")
	if code != 0 || !strings.Contains(stdout, "as they were written") {
		t.Errorf("audit verify: exit code %d\n%s%s", code, stdout, stderr)
	}
}
