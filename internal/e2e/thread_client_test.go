package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

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
				t.Fatalf("%d threads are not synced, and one waits for an operator: %s", len(left), line)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads are not synced:\n%s", len(left), strings.Join(left[:min(len(left), 20)], "\n"))
		}
		<-time.After(20 * time.Millisecond)
	}
}

// threadAnswer is a thread as the API shows it.
type threadAnswer struct {
	ThreadID, Link string
	Version        int64
	ParentThreadID string
	Messages       []struct{ ID, Text, Delivery string }
	Participants   []struct{ ID, Role, Name, Delivery string }
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

// threadIDs lists the threads that a query of /api/threads finds, on pages of three.
func (p *process) threadIDs(t testing.TB, query string) (ids []string) {
	t.Helper()
	path := "/api/threads?limit=3&" + query
	for cursor := ""; ; {
		var page struct {
			Items []struct{ ThreadID string }
			Next  string
		}
		if status := p.call(t, http.MethodGet, path+cursor, viewerToken, &page); status != http.StatusOK {
			t.Fatalf("%s: status %d", path+cursor, status)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ThreadID)
		}
		if page.Next == "" {
			return ids
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// timeline lists the messages that a thread shows, each with the thread that it belongs to, on pages
// of two.
func (p *process) timeline(t testing.TB, id string) (messages []string) {
	t.Helper()
	path := "/api/threads/" + url.PathEscape(id) + "/timeline?limit=2"
	for cursor := ""; ; {
		var page struct {
			Items []struct{ ID, ThreadID string }
			Next  string
		}
		if status := p.call(t, http.MethodGet, path+cursor, viewerToken, &page); status != http.StatusOK {
			t.Fatalf("%s: status %d", path+cursor, status)
		}
		for _, m := range page.Items {
			messages = append(messages, m.ID+" of "+m.ThreadID)
		}
		if page.Next == "" {
			return messages
		}
		if len(page.Items) != 2 {
			t.Fatalf("a page of %d with a next one", len(page.Items))
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// awaitState waits until a thread is in a state of its way to the CRM.
func (p *process) awaitState(t testing.TB, id, state string) {
	t.Helper()
	eventually(t, "thread "+id+" is "+state, func() bool { return p.thread(t, id).Sync.State == state })
}

// pushes is how often the process has pushed a thread.
func (p *process) pushes(t testing.TB) int {
	t.Helper()
	var figures struct{ CRM struct{ Pushes int } }
	if status := p.call(t, http.MethodGet, "/api/metrics", viewerToken, &figures); status != http.StatusOK {
		t.Fatalf("/api/metrics: status %d", status)
	}
	return figures.CRM.Pushes
}

// replay replays a dead letter.
func (p *process) replay(t testing.TB, letter deadLetter) {
	t.Helper()
	if status := p.call(t, http.MethodPost, fmt.Sprintf("/api/dead-letters/%d/replay", letter.ID), adminToken, nil); status != http.StatusOK {
		t.Fatalf("replay of %q: status %d", letter.Reason, status)
	}
}

// auditEntry is an entry of the audit as the API shows it.
type auditEntry struct{ Subject, Action, Outcome string }

// audit lists the entries about a subject, newest first; those of one action unless that is "".
func (p *process) audit(t testing.TB, subject, action string) (entries []auditEntry) {
	t.Helper()
	path := "/api/audit?limit=100&subject=" + url.QueryEscape(subject)
	for cursor := ""; ; {
		var page struct {
			Items []auditEntry
			Next  string
		}
		if status := p.call(t, http.MethodGet, path+cursor, viewerToken, &page); status != http.StatusOK {
			t.Fatalf("%s: status %d", path+cursor, status)
		}
		for _, e := range page.Items {
			if action == "" || e.Action == action {
				entries = append(entries, e)
			}
		}
		if page.Next == "" {
			return entries
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}
