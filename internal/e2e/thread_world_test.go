package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
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
	server := httptest.NewServer(debugWrap(crm))
	t.Cleanup(server.Close)
	return crm, settings{"CRM_API_URL": server.URL, "CRM_API_TOKEN": crmToken, "CRM_TIMEOUT": "500ms"}
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
		URL: p.address + threadsPath, Sign: byDefault, Workers: 16,
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

const threadsPath = "/api/webhooks/cxone-threads"

// postThread posts an event of a thread and wants a status.
func (p *process) postThread(t testing.TB, want int, body string, header ...string) map[string]any {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, p.address+threadsPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	byDefault(request.Header, []byte(body), time.Now())
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&answer); err != nil || response.StatusCode != want {
		t.Fatalf("status %d, want %d: %s (%v)", response.StatusCode, want, text, err)
	}
	return answer
}

// unsynced lists the threads that are in another state than synced.
func (p *process) unsynced(t testing.TB) (ids []string) {
	t.Helper()
	for _, state := range []string{"pending", "retrying", "parked", "waiting"} {
		var page struct {
			Items []struct {
				ThreadID string
				Sync     struct{ LastError string }
			}
		}
		if status := p.call(t, http.MethodGet, "/api/threads?limit=500&state="+state, viewerToken, &page); status != http.StatusOK {
			t.Fatalf("list threads: status %d", status)
		}
		for _, item := range page.Items {
			ids = append(ids, fmt.Sprintf("%s is %s: %s", item.ThreadID, state, item.Sync.LastError))
		}
	}
	return ids
}

// awaitSynced waits until every thread is synced.
func (p *process) awaitSynced(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(2 * patience)
	for {
		left := p.unsynced(t)
		if len(left) == 0 {
			return
		}
		for _, line := range left {
			if strings.Contains(line, " is parked: ") {
				os.WriteFile("/tmp/dump.txt", []byte(debugDump("")), 0o644)
				t.Fatalf("%d threads are not synced, and one waits for an operator: %s", len(left), line)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads are not synced:\n%s", len(left), strings.Join(left[:min(len(left), 20)], "\n"))
		}
		<-time.After(20 * time.Millisecond)
	}
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

// threadAnswer is a thread as the API shows it.
type threadAnswer struct {
	ThreadID, Link string
	Version        int64
	ParentThreadID string
	Messages       []struct{ ID, Text, Delivery string }
	Sync           struct {
		State, LastError string
		WantRev, DoneRev int64
		LastStatus       int
	}
}

func (p *process) thread(t testing.TB, id string) (a threadAnswer) {
	t.Helper()
	if status := p.call(t, http.MethodGet, "/api/threads/"+url.PathEscape(id), viewerToken, &a); status != http.StatusOK {
		t.Fatalf("thread %s: status %d", id, status)
	}
	return a
}
