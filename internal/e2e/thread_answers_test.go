package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// object is a JSON object.
type object = map[string]any

var (
	accepted = object{"status": "ACCEPTED"}
	ignored  = object{"status": "IGNORED", "reason": "NO_DELTA_OR_STALE"}
	synced   = object{"status": "SYNCED"}
)

// wantAnswer posts an event and wants an answer of 200.
func (p *process) wantAnswer(t testing.TB, want object, body string, header ...string) {
	t.Helper()
	if diff := cmp.Diff(want, p.postThread(t, http.StatusOK, body, header...)); diff != "" {
		t.Errorf("answer to %.200s (-want +got):\n%s", body, diff)
	}
}

func TestThreadAnswers(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		p := serve(t, s.settings.with(withCRM))
		hello, second := line("m-1", "Hello", 1), line("m-2", "Anybody there?", 2)
		first := event(updated, "t-1", 3, saying(hello))
		p.wantAnswer(t, accepted, first)
		p.wantAnswer(t, ignored, first)
		p.wantAnswer(t, ignored, event(updated, "t-1", 2, saying(hello)))
		p.wantAnswer(t, accepted, event(updated, "t-1", 2, saying(second))) // late, and it has something new
		third := line("m-3", "Yes", 4)
		p.wantAnswer(t, synced, event(updated, "t-1", 4, saying(third)), "Prefer", "wait=30")
		wantEqual(t, crm, []sim.Conversation{conversation("t-1", 4, "", hello, second, third)})
		p.wantAnswer(t, ignored, first, "Prefer", "wait=30")

		other := event(updated, "t-2", 1, saying(hello))
		p.wantAnswer(t, object{"status": "ACCEPTED", "results": []any{
			object{"threadId": "t-2", "status": "SYNCED"},
			object{"threadId": "t-2", "status": "IGNORED", "reason": "NO_DELTA_OR_STALE"},
			object{
				"threadId": "t-3", "status": "REJECTED", "error": "/data/version: must be a whole number from 0",
				"fields": []any{object{"path": "/data/version", "error": "must be a whole number from 0"}},
			},
			object{"threadId": nil, "status": "REJECTED", "error": "must be an object", "fields": []any{object{"path": "", "error": "must be an object"}}},
		}}, "["+other+","+other+`,{"event":"THREAD_UPDATED","data":{"threadId":"t-3","version":-1}},7]`, "Prefer", "wait=30")
		p.wantAnswer(t, object{"status": "SYNCED", "results": []any{
			object{"threadId": "t-3", "status": "SYNCED"}, object{"threadId": "t-4", "status": "SYNCED"},
		}}, "["+event(updated, "t-3", 1)+","+event(merged, "t-4", 1, under("t-3"))+"]", "Prefer", "wait=30")
		p.wantAnswer(t, object{"status": "ACCEPTED", "results": []any{}}, "[]")
		wantEqual(t, crm, []sim.Conversation{
			conversation("t-1", 4, "", hello, second, third), conversation("t-2", 1, "", hello),
			conversation("t-3", 1, ""), conversation("t-4", 1, "t-3"),
		})
		if n := s.deadLetterCount(t); n != 2 {
			t.Errorf("%d dead letters, want 2", n)
		}
	})
}

// A split is in the CRM when the parent there has lost the messages, too.
func TestSplitWaitsForItsParent(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		befallParent := func(f sim.CRMFault) {
			crm.SetFaults(func(r *http.Request) sim.CRMFault {
				if r.URL.Path == "/threads/parent" {
					return f
				}
				return sim.CRMFault{}
			})
		}
		p := serve(t, s.settings.with(withCRM))
		one, two, three := line("m-1", "One", 1), line("m-2", "Two", 2), line("m-3", "Three", 3)
		p.wantAnswer(t, synced, event(updated, "parent", 1, saying(one, two, three)), "Prefer", "wait=30")

		befallParent(sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"not today"}`})
		p.wantAnswer(t, accepted, event(split, "first", 2, under("parent"), saying(two)), "Prefer", "wait=2")
		p.wantParked(t, "parent", http.StatusUnprocessableEntity)
		p.awaitState(t, "first", "synced")
		// A newer version of the same brings the parent nothing new, and the CRM's still has the message.
		p.wantAnswer(t, accepted, event(split, "first", 3, under("parent"), saying(two)), "Prefer", "wait=2")
		p.awaitState(t, "first", "synced")
		first := conversation("first", 3, "parent", two)
		wantEqual(t, crm, []sim.Conversation{conversation("parent", 1, "", one, two, three), first})

		befallParent(sim.CRMFault{Delay: time.Second})
		p.wantAnswer(t, synced, event(split, "second", 4, under("parent"), saying(three)), "Prefer", "wait=30")
		wantEqual(t, crm, []sim.Conversation{conversation("parent", 1, "", one), first, conversation("second", 4, "parent", three)})
		if left := p.deadLetters(t); len(left) != 0 {
			t.Errorf("dead letters left: %+v", left)
		}
	})
}

func TestThreadRefusals(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		for _, test := range []struct{ body, path string }{
			{`7`, ""},
			{`{"data":{"threadId":"r-1"}}`, "/event"},
			{`{"event":"THREAD_CLOSED","data":{"threadId":"r-1"}}`, "/event"},
			{`{"event":"THREAD_UPDATED"}`, "/data"},
			{`{"event":"THREAD_UPDATED","data":{}}`, "/data/threadId"},
			{`{"event":"THREAD_UPDATED","data":{"threadId":"r\u0000"}}`, "/data/threadId"},
			{`{"event":"THREAD_UPDATED","data":{"threadId":"r-1","version":1.5}}`, "/data/version"},
			{`{"event":"THREAD_UPDATED","data":{"threadId":"r-1","updatedAt":"yesterday"}}`, "/data/updatedAt"},
			{`{"event":"THREAD_UPDATED","data":{"threadId":"r-1","messages":{}}}`, "/data/messages"},
			{`{"event":"THREAD_UPDATED","data":{"threadId":"r-1","messages":[{"id":"m"},{"text":"Hi"}]}}`, "/data/messages/1/id"},
			{`{"event":"THREAD_UPDATED","data":{"threadId":"r-1","participants":[{"role":"AGENT"}]}}`, "/data/participants/0/id"},
			{`{"event":"THREAD_MERGED","data":{"threadId":"r-1"}}`, "/data/parentThreadId"},
			{`{"event":"THREAD_MERGED","data":{"threadId":"r-1","parentThreadId":"r-1"}}`, "/data/parentThreadId"},
		} {
			answer := p.postThread(t, http.StatusUnprocessableEntity, test.body)
			fields, _ := answer["fields"].([]any)
			if len(fields) != 1 || fields[0].(object)["path"] != test.path || answer["error"] == "" {
				t.Errorf("%s: %v, want the path %q", test.body, answer, test.path)
			}
		}
		before := s.deadLetterCount(t)
		if before != 13 {
			t.Errorf("%d dead letters, want 13", before)
		}
		all := p.postThread(t, http.StatusUnprocessableEntity, `[{"event":"THREAD_SPLIT"},{"data":{"threadId":"r-2"}}]`)
		if results, _ := all["results"].([]any); len(results) != 2 || all["error"] == "" {
			t.Errorf("array without a good item: %v", all)
		}
		if answer := p.postThread(t, http.StatusBadRequest, `{"event":"THREAD_UPDATED","data":`); answer["error"] == "" {
			t.Errorf("malformed: %v", answer)
		}
		p.postThread(t, http.StatusUnauthorized, event(updated, "r-3", 1), "X-Webhook-Secret", "wrong")
		p.postThread(t, http.StatusUnauthorized, event(updated, "r-3", 1), "X-Webhook-Secret", "")
		p.postThread(t, http.StatusUnsupportedMediaType, event(updated, "r-3", 1), "Content-Encoding", "br")
		if n := s.deadLetterCount(t); n != before+3 {
			t.Errorf("%d dead letters, want %d", n, before+3)
		}
		if n := s.count(t, "SELECT count(*) FROM threads") + s.count(t, "SELECT count(*) FROM thread_events"); n != 0 {
			t.Errorf("%d threads and events are stored", n)
		}
	})
}

// A request that is too large is refused as a whole.
func TestThreadsTooLarge(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	p := serve(t, s.settings)
	items := make([]string, 5001)
	for i := range items {
		items[i] = fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"large-%d"}}`, i)
	}
	p.postThread(t, http.StatusRequestEntityTooLarge, "["+strings.Join(items, ",")+"]")
	p.postThread(t, http.StatusOK, "["+strings.Join(items[:5000], ",")+"]")
	if n := s.count(t, "SELECT count(*) FROM threads"); n != 5000 {
		t.Errorf("%d threads, want 5000", n)
	}
	if n := s.deadLetterCount(t); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// Without a CRM threads are kept and wait, and no request waits for them. The CRM gets all of it when one is
// set.
func TestThreadsWithoutCRM(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		p := serve(t, s.settings)
		hello := line("m-1", "Hello", 1)
		p.wantAnswer(t, accepted, event(updated, "w-1", 1, saying(hello)), "Prefer", "wait=30")
		p.wantAnswer(t, accepted, event(merged, "w-2", 2, under("w-1")))
		if state := p.thread(t, "w-1").Sync.State; state != "waiting" {
			t.Errorf("the thread is %s, want it waiting", state)
		}
		if waiting, pending := p.threadIDs(t, "state=waiting"), p.threadIDs(t, "state=pending"); len(waiting) != 2 || len(pending) != 0 {
			t.Errorf("waiting: %v, pending: %v", waiting, pending)
		}
		if status, parts := p.ready(t); status != http.StatusOK || parts["crm"] != "off" {
			t.Errorf("/readyz: %d %v", status, parts)
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		crm, withCRM := newCRM(t)
		p = serve(t, s.settings.with(withCRM))
		p.awaitSynced(t)
		wantEqual(t, crm, []sim.Conversation{conversation("w-1", 1, "", hello), conversation("w-2", 2, "w-1")})
	})
}

// An event that was refused is replayed when it makes sense, and stays as long as it does not.
func TestThreadDeadLetterIsReplayed(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		hello := line("m-1", "Hello", 1)
		p := serve(t, s.settings.with(withCRM).with(settings{"THREAD_ID_FORMAT": "uuid"}))
		refused := p.postThread(t, http.StatusUnprocessableEntity, event(updated, "no-uuid", 1, saying(hello)))
		if !strings.Contains(fmt.Sprint(refused["error"]), "/data/threadId") {
			t.Errorf("answer %v", refused)
		}
		letters := p.deadLetters(t)
		if len(letters) != 1 {
			t.Fatalf("dead letters %+v", letters)
		}
		path := fmt.Sprintf("/api/dead-letters/%d/replay", letters[0].ID)
		if status := p.call(t, http.MethodPost, path, adminToken, nil); status != http.StatusUnprocessableEntity {
			t.Errorf("replay of what is still wrong: %d", status)
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		p = serve(t, s.settings.with(withCRM))
		var replayed struct {
			Replayed bool
			ThreadID string
		}
		if status := p.call(t, http.MethodPost, path, adminToken, &replayed); status != http.StatusOK || !replayed.Replayed || replayed.ThreadID != "no-uuid" {
			t.Errorf("replay: %d %+v", status, replayed)
		}
		p.awaitSynced(t)
		wantEqual(t, crm, []sim.Conversation{conversation("no-uuid", 1, "", hello)})
		if left := p.deadLetters(t); len(left) != 0 {
			t.Errorf("dead letters left: %+v", left)
		}
		wantAuditVerified(t, s.settings)
	})
}
