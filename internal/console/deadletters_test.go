package console

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/deadletter"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// The first of these is stored once the policy allows it, the second never is.
const (
	quarantined = `{"messageId":%q,"status":"DELIVERED","from":"not a sender id!","to":"+12025550101"}`
	hopeless    = `{"status":"DELIVERED","note":"</pre><script>alert(1)</script>"}`
)

// letters lets what is refused come in: n receipts of quarantined, and one that is hopeless.
func (w *world) letters(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		w.sms(t, at("2026-03-01T10:00:00Z"), fmt.Sprintf(quarantined, fmt.Sprintf("m-%d", i+1)))
	}
	w.sms(t, at("2026-03-01T10:00:01Z"), hopeless)
}

func (w *world) auditOf(t *testing.T, subject string) (told []string) {
	t.Helper()
	entries, err := w.db.AuditEntries(t.Context(), subject, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		told = append(told, string(e.Action)+" "+e.Outcome)
	}
	return told
}

func TestDeadLettersAreForOperators(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, 1)
	wants(t, w.get(t, viewerToken, "/messages", http.StatusOK), "!/dead-letters")
	wants(t, w.get(t, adminToken, "/messages", http.StatusOK), `href="/dead-letters"`)
	for _, path := range []string{"/dead-letters", "/dead-letters/1", "/dead-letters/replay-all", "/dead-letters/delete-all"} {
		wants(t, w.get(t, viewerToken, path, http.StatusForbidden), "!m-1", "!script>alert")
	}
	for _, path := range []string{"/dead-letters/1/replay", "/dead-letters/1/delete", "/dead-letters/replay-all", "/dead-letters/delete-all"} {
		if answer := w.try(path, viewerToken); answer.Code != http.StatusForbidden {
			t.Errorf("%s: a viewer gets %d", path, answer.Code)
		}
	}
	wants(t, w.get(t, adminToken, "/dead-letters", http.StatusOK), "2 in all")
	if told := w.auditOf(t, "dead-letter:1"); len(told) != 0 {
		t.Errorf("a viewer has done %v", told)
	}
}

func TestDeadLetter(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, 1)
	list := w.get(t, adminToken, "/dead-letters", http.StatusOK)
	inOrder(t, list, "/dead-letters/2", "no id could be read", "/dead-letters/1", "m-1", "sender ID:")
	page := w.get(t, adminToken, "/dead-letters/2", http.StatusOK)
	wants(t, page, "&#34;status&#34;: &#34;DELIVERED&#34;", html.EscapeString(hopeless), "!<script>alert", "<dt>Failed replays</dt><dd>0</dd>", "<title>Dead letter 2")

	// Without success: its page says why, and counts it.
	next := w.post(t, "/dead-letters/2/replay?kind=sms")
	page = w.get(t, adminToken, next.String(), http.StatusOK)
	wants(t, page, "It is still refused", "messageId", "<dt>Failed replays</dt><dd>1</dd>", `href="/dead-letters?kind=sms"`)

	// With success: the list has it no more, and the message is there.
	next = w.post(t, "/dead-letters/1/replay?kind=sms")
	if next.Path != "/dead-letters" || next.Query().Get("kind") != "sms" {
		t.Errorf("goes on at %s", next)
	}
	list = w.get(t, adminToken, next.String(), http.StatusOK)
	wants(t, list, "Dead letter 1 is gone", "m-1", "!/dead-letters/1?", "1 that match")
	w.get(t, viewerToken, "/messages/m-1", http.StatusOK)
	w.get(t, adminToken, "/dead-letters/1", http.StatusNotFound)
	if answer := w.try("/dead-letters/1/replay", adminToken); answer.Code != http.StatusNotFound {
		t.Errorf("a second replay: %d", answer.Code)
	}
	if told := fmt.Sprint(w.auditOf(t, "message:m-1")); told != "[replay accepted]" {
		t.Errorf("audit of the message: %s", told)
	}

	next = w.post(t, "/dead-letters/2/delete")
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), "Dead letter 2 is deleted", "No dead letters: nothing is waiting for you.")
	if told := fmt.Sprint(w.auditOf(t, "dead-letter:2")); told != "[delete deleted replay refused]" {
		t.Errorf("audit of the dead letter: %s", told)
	}
	for _, id := range []string{"0", "-1", "x", "99999999999999999999", "1e3"} {
		w.get(t, adminToken, "/dead-letters/"+id, http.StatusNotFound)
	}
}

func TestFilterDeadLetters(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, lettersShown+5)
	for query, want := range map[string]int{
		"": lettersShown, "kind=sms": lettersShown, "kind=thread": 0, "kind=none": 0, "text=M-7": 1, "text=is+required": 1,
		"text=%25": 0, "text=m-1&kind=sms": 11, "text=%00": 0, "text=%FF": 0, "before=3": 2, "before=x": lettersShown, "before=-1": lettersShown,
		"text=" + strings.Repeat("x", 10_000): 0,
	} {
		page := w.get(t, adminToken, "/dead-letters?"+query, http.StatusOK)
		if got := strings.Count(page, `<th scope="row"`); got != want {
			t.Errorf("%.40q: %d dead letters, want %d", query, got, want)
		}
	}
	page := w.get(t, adminToken, "/dead-letters?kind=sms&text=m-", http.StatusOK)
	next := html.UnescapeString(page[strings.LastIndex(page[:strings.Index(page, `" rel="next"`)], `href="`)+len(`href="`) : strings.Index(page, `" rel="next"`)])
	page = w.get(t, adminToken, next, http.StatusOK)
	wants(t, page, "Back to the first", "!rel=\"next\"", fmt.Sprintf("%d that match", lettersShown+5))
	if got := strings.Count(page, `<th scope="row"`); got != 5 {
		t.Errorf("%d on the second page", got)
	}
	wants(t, w.get(t, adminToken, `/dead-letters?text=%22%3E%3Cscript%3Ealert(1)`, http.StatusOK), "!<script>alert", "No dead letters match")
	// A page behind the last one does not say that there are none.
	wants(t, w.get(t, adminToken, "/dead-letters?before=1", http.StatusOK), "There are no more", "Back to the first", "!No dead letters")
}

// The page of a thread leads to its dead letters by its id, which may be as long as 256 characters.
func TestDeadLettersOfALongID(t *testing.T) {
	w := newWorld(t, nil)
	id := strings.Repeat("🦊", 256)
	reading := w.in.ReadThread(fmt.Appendf(nil, `{"event":"THREAD_UPDATED","data":{"threadId":%q,"version":-1}}`, id), at("2026-03-01T10:00:00Z"))
	if _, err := w.in.Submit(t.Context(), []ingest.Reading{reading}); err != nil || reading.Refused == nil {
		t.Fatal(reading.Refused, err)
	}
	v := threadView{}
	v.ID = id
	if page := w.get(t, adminToken, v.LettersPath(), http.StatusOK); strings.Count(page, `<th scope="row"`) != 1 {
		t.Errorf("it is not found: %s", page)
	}
}

func TestReplayAll(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, 3)
	page := w.get(t, adminToken, "/dead-letters/replay-all?kind=sms", http.StatusOK)
	wants(t, page, "Replay all that match?", "SMS receipts", "<dd>4</dd>", `action="/dead-letters/replay-all?before=5&amp;kind=sms"`, "!Goes on with")
	w.sms(t, at("2026-03-01T10:00:05Z"), fmt.Sprintf(quarantined, "late"))

	next := w.post(t, "/dead-letters/replay-all?before=5&kind=sms")
	page = w.get(t, adminToken, next.String(), http.StatusOK)
	wants(t, page, "3 replayed and gone, 1 refused again", "2 that match", "late", "no id could be read", "!m-1")
	for _, id := range []string{"m-1", "m-2", "m-3"} {
		w.get(t, viewerToken, "/messages/"+id, http.StatusOK)
	}
	w.get(t, viewerToken, "/messages/late", http.StatusNotFound)
	// The next step of many says where it goes on: the count has those that were refused before, too.
	wants(t, w.get(t, adminToken, "/dead-letters/replay-all?before=3&kind=sms", http.StatusOK), "those up to dead letter 2",
		`action="/dead-letters/replay-all?before=3&amp;kind=sms"`)
	next = w.post(t, "/dead-letters/replay-all?kind=thread")
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), "nothing left to do")
}

func TestDeleteAll(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, 3)
	page := w.get(t, adminToken, "/dead-letters/delete-all?text=m-", http.StatusOK)
	wants(t, page, "Delete all that match?", "for good", "<dd>3</dd>", "<bdi>m-</bdi>")
	next := w.post(t, "/dead-letters/delete-all?text=m-&before=4")
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), "Dead letters: 3 deleted.")
	wants(t, w.get(t, adminToken, "/dead-letters", http.StatusOK), "1 in all")
	for id := range 3 {
		if told := fmt.Sprint(w.auditOf(t, fmt.Sprintf("dead-letter:%d", id+1))); told != "[delete deleted]" {
			t.Errorf("audit of dead letter %d: %s", id+1, told)
		}
	}
	wants(t, w.get(t, adminToken, "/dead-letters/delete-all?text=m-", http.StatusOK), "No dead letters match any more", "!<button class=\"danger\"")
	// A filter that the database cannot be asked for matches nothing, and not all.
	for _, text := range []string{"%00", "%FF", strings.Repeat("x", 10_000)} {
		w.post(t, "/dead-letters/delete-all?text="+text)
		w.get(t, adminToken, "/dead-letters/4", http.StatusOK)
	}
}

// What is more than can be done at once is asked for again, from where the work has ended.
func TestAllGoesOn(t *testing.T) {
	asked := &confirmation{letterFilter: letterFilter{store.LetterFilter{Kind: store.KindSMS}}, Do: "replay"}
	next, notice, err := doAll(t.Context(), asked, func(context.Context, store.LetterFilter, int64) (deadletter.Result, error) {
		return deadletter.Result{Replayed: 999, Spooled: 1, Next: 17}, store.ErrUnavailable
	})
	if err != nil || next != "/dead-letters/replay-all?before=17&kind=sms" || !strings.Contains(notice, "999 replayed and gone, 1 waiting in the spool") || !strings.Contains(notice, "go on?") {
		t.Errorf("%q %q %v", next, notice, err)
	}
	_, _, err = doAll(t.Context(), asked, func(context.Context, store.LetterFilter, int64) (deadletter.Result, error) {
		return deadletter.Result{}, &ingest.BusyError{Reason: "the queue is full"}
	})
	if err == nil || !strings.Contains(err.Error(), "the queue is full") {
		t.Errorf("busy: %v", err)
	}
}

// A parked thread is woken by the replay of its dead letter.
func TestReplayOfAParkedThread(t *testing.T) {
	w := newWorld(t, withCRM)
	w.threads(t, story[0])
	w.push(t, func(p *store.Push) {
		p.Status, p.Error = 422, "no such role"
		p.Park = &store.DeadLetter{Kind: store.KindThreadPush, Key: p.ThreadID, Subject: p.ThreadID, Reason: p.Error, Received: at("2026-03-01T10:00:00Z"), Raw: []byte("\xff\x00 no text")}
		p.Notes = []audit.Note{{Subject: p.ThreadID, Action: audit.ActionPark, Outcome: "parked"}}
	})
	wants(t, w.get(t, adminToken, "/dead-letters?text="+url.QueryEscape("case/1"), http.StatusOK), `href="/threads/case%2F1"`)
	wants(t, w.get(t, adminToken, "/dead-letters/1", http.StatusOK), "It is not text", "10 B", "\uFFFD")
	next := w.post(t, "/dead-letters/1/replay")
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), "the thread case/1 is on its way to the CRM again", "No dead letters")
	wants(t, w.get(t, viewerToken, "/threads/case%2F1", http.StatusOK), "The CRM is about to get it", "dead letter 1")
}

func TestReplayNotice(t *testing.T) {
	for want, replayed := range map[string]ingest.Replayed{
		"waits in the spool": {Kind: store.KindSMS, Subject: "m", Spooled: true},
		"come again":         {Kind: store.KindSMS, Subject: "m", Duplicate: true},
		"a warning: x":       {Kind: store.KindSMS, Subject: "m", Warning: "x"},
		"about t is stored":  {Kind: store.KindThread, Subject: "t"},
		"on its way":         {Kind: store.KindThreadItem, Subject: "t"},
	} {
		if got := replayNotice(7, &replayed); !strings.Contains(got, want) || !strings.HasPrefix(got, "Dead letter 7") {
			t.Errorf("%+v: %s", replayed, got)
		}
	}
}
