package console

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/status"
	"github.com/cxbridge/cxbridge/internal/store"
)

// story is a conversation into which another was merged, and of which two messages were split off.
var story = []string{
	`{"event":"THREAD_UPDATED","data":{"threadId":"case/1","version":2,"updatedAt":"2026-03-01T09:00:00Z",
		"participants":[{"id":"p1","role":"CUSTOMER","name":"Ada","platformId":"@ada"},{"id":"a1","role":"AGENT","name":"Grace"},{"id":"s1","role":"SYSTEM","name":"Queue"}],
		"messages":[{"id":"m1","text":"My parcel?","timestamp":"2026-03-01T08:00:00Z","authorId":"p1"},
			{"id":"m2","text":"I look.","timestamp":"2026-03-01T08:01:00Z","authorId":"a1","direction":"OUTBOUND"},
			{"id":"m3","text":"Moved to PARCELS","timestamp":"2026-03-01T08:02:00Z","authorId":"s1"},
			{"id":"m4","text":"My bill?","timestamp":"2026-03-01T08:03:00Z","authorId":"p1"},
			{"id":"m5","text":"Both?","timestamp":"2026-03-01T08:04:00Z","authorId":"p1"}]}}`,
	`{"event":"THREAD_MERGED","data":{"threadId":"dm","parentThreadId":"case/1","version":1,"updatedAt":"2026-03-01T08:01:45Z",
		"participants":[{"id":"p1","role":"CUSTOMER","name":"Ada elsewhere"}],
		"messages":[{"id":"d1","text":"Anybody?","timestamp":"2026-03-01T08:01:30Z","authorId":"p1"}]}}`,
	`{"event":"THREAD_SPLIT","data":{"threadId":"bill","parentThreadId":"case/1","version":1,"updatedAt":"2026-03-01T09:01:00Z",
		"messages":[{"id":"m4","text":"My bill?","timestamp":"2026-03-01T08:03:00Z","authorId":"p1"},
			{"id":"m5","text":"Both?","timestamp":"2026-03-01T08:04:00Z","authorId":"p1"}]}}`,
}

func withCRM(c *Config) { c.HasCRM = true }

// inOrder checks that a page has texts, one after the other.
func inOrder(t *testing.T, page string, texts ...string) {
	t.Helper()
	rest := page
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("no %q, or not in its place, in %s", text, page)
		}
		rest = after
	}
}

// element returns the part of a page that begins with the element of an id.
func element(t *testing.T, page, id string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, `id="`+id+`"`)
	if !found {
		t.Fatalf("no element %s in %s", id, page)
	}
	shown, _, _ := strings.Cut(rest, "\n<section class=\"card\" id=")
	return shown
}

func TestConversation(t *testing.T) {
	w := newWorld(t, withCRM)
	w.threads(t, story...)
	page := w.get(t, viewerToken, "/threads/case%2F1", http.StatusOK)
	talk := element(t, page, "thread-conversation")
	inOrder(t, talk, `"said customer"`, "Ada</bdi>", "My parcel?", `"said agent"`, "Grace", "I look.",
		"merged lane-1", `href="/threads/dm"`, "Ada elsewhere", "Anybody?", `"mark merged"`, "was merged in",
		`"said system"`, "Moved to PARCELS", `"mark moved"`, "2 messages moved to", `href="/threads/bill"`, "(split)")
	wants(t, talk, "!My bill?", "!Both?", "not in the CRM yet")
	wants(t, element(t, page, "thread-family"), `<strong aria-current="true"><bdi>case/1</bdi></strong>`, "merged in", "split off", "@ada")
	inOrder(t, element(t, page, "thread-trail"), "THREAD_SPLIT, of bill, 2 messages", "THREAD_UPDATED, 5 messages, 3 participants")
	wants(t, element(t, page, "thread-events"), "THREAD_UPDATED", "&#34;threadId&#34;: &#34;case/1&#34;")

	child := w.get(t, viewerToken, "/threads/bill", http.StatusOK)
	inOrder(t, element(t, child, "thread-conversation"), "was split from", `href="/threads/case%2F1"`, "My bill?", "Both?", "2 messages came from")
	merged := w.get(t, viewerToken, "/threads/dm", http.StatusOK)
	inOrder(t, element(t, merged, "thread-conversation"), "was merged into", `href="/threads/case%2F1"`, "Anybody?")
}

// Texts of people are shown as text, whatever they hold, and however long they are.
func TestTextsAreText(t *testing.T) {
	w := newWorld(t, nil)
	texts := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "{{.}}", "\u202eright to left\u202c مرحبا", "👩‍👩‍👧‍👦 é",
		strings.Repeat("long ", 1000), strings.Repeat("x", 5000), "two\nlines",
	}
	var messages []string
	for i, text := range texts {
		messages = append(messages, fmt.Sprintf(`{"id":"m%d","text":%s,"authorId":"p1","timestamp":"2026-03-01T08:00:0%dZ"}`, i, quoted(text), i))
	}
	w.threads(t, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"t","version":1,"participants":[{"id":"p1","name":%s,"role":%s}],"messages":[%s]}}`,
		quoted(texts[0]), quoted(texts[1]), strings.Join(messages, ",")))
	page := w.get(t, viewerToken, "/threads/t", http.StatusOK)
	wants(t, page, "!<script>alert", "!<img src=x", `dir="auto"`)
	shown := html.UnescapeString(page)
	for _, text := range texts {
		wants(t, shown, text)
	}
	if strings.Contains(page, "not in the CRM yet") {
		t.Error("there is no CRM")
	}
}

// A page that does not show all participants says so.
func TestCrowd(t *testing.T) {
	for _, n := range []int{peopleShown, peopleShown + 1} {
		w := newWorld(t, nil)
		var participants []string
		for i := range n {
			participants = append(participants, fmt.Sprintf(`{"id":"p%03d","name":"Name %03d"}`, i, i))
		}
		w.threads(t, `{"event":"THREAD_UPDATED","data":{"threadId":"t","version":1,"participants":[`+strings.Join(participants, ",")+`]}}`)
		page := w.get(t, viewerToken, "/threads/t", http.StatusOK)
		if shown := strings.Count(page, `<bdi class="name">Name `); shown != peopleShown {
			t.Errorf("%d of %d are shown", shown, n)
		}
		if told := strings.Contains(page, "These are the first 200."); told != (n > peopleShown) {
			t.Errorf("of %d: told that there are more: %t", n, told)
		}
	}
}

func TestLongConversation(t *testing.T) {
	w := newWorld(t, nil)
	var messages []string
	for i := range 2*messagesOnPage + 1 {
		messages = append(messages, fmt.Sprintf(`{"id":"../%03d","text":"text %03d.","authorId":"p","timestamp":"%s"}`, i, i,
			at("2026-03-01T08:00:00Z").Add(time.Duration(i)*time.Second).Format(time.RFC3339)))
	}
	w.threads(t, `{"event":"THREAD_UPDATED","data":{"threadId":"..","version":1,"messages":[`+strings.Join(messages, ",")+`]}}`,
		// The merge happened while the messages of the second page were written.
		`{"event":"THREAD_MERGED","data":{"threadId":"child","parentThreadId":"..","version":1,"updatedAt":"2026-03-01T08:02:30Z"}}`)
	var found, pages int
	for path := pathOf(threadsPath, ".."); path != ""; pages++ {
		page := w.get(t, viewerToken, path, http.StatusOK)
		for strings.Contains(page, fmt.Sprintf("text %03d.", found)) {
			found++
		}
		if isSecond := pages == 1; strings.Contains(page, `"mark merged"`) != isSecond {
			t.Errorf("page %d has the mark: %t", pages, !isSecond)
		}
		path = ""
		if before, _, more := strings.Cut(page, `" rel="next"`); more {
			path = html.UnescapeString(before[strings.LastIndex(before, `href="`)+len(`href="`):])
		}
	}
	if pages != 3 || found != 2*messagesOnPage+1 {
		t.Errorf("%d messages on %d pages", found, pages)
	}
	for _, place := range []string{"x", "1", ".", "1.\x00", "99999999999999999999.a", "9223372036854775807.a"} {
		w.get(t, viewerToken, "/threads/?id=..&after="+url.QueryEscape(place), http.StatusNotFound)
	}
}

func TestThreadsOfAnyID(t *testing.T) {
	w := newWorld(t, withCRM)
	for _, id := range strangeIDs {
		reading := w.in.ReadThread(fmt.Appendf(nil, `{"event":"THREAD_UPDATED","data":{"threadId":%s,"version":1}}`, quoted(id)), at("2026-03-01T10:00:00Z"))
		path := pathOf(threadsPath, id)
		if reading.Refused != nil {
			w.get(t, viewerToken, path, http.StatusNotFound)
			continue
		}
		w.threads(t, string(reading.Entry.Thread.Raw))
		page := w.get(t, adminToken, path, http.StatusOK)
		wants(t, page, "!<script>alert")
		wants(t, html.UnescapeString(page), "<bdi>"+id+"</bdi>")
		_, rest, _ := strings.Cut(page, `action="/threads/wake`)
		action, _, _ := strings.Cut(rest, `"`)
		if next := w.post(t, html.UnescapeString("/threads/wake"+action)); next.Path != mustParse(t, path).Path || next.Query().Get("id") != mustParse(t, path).Query().Get("id") {
			t.Errorf("%q: from the action to %s", id, next)
		}
	}
	list := w.get(t, viewerToken, "/threads", http.StatusOK)
	wants(t, list, "!<script>alert", "&lt;script&gt;")
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestListThreads(t *testing.T) {
	w := newWorld(t, withCRM)
	for i := range threadsShown + 5 {
		w.threads(t, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"T%%_%02d","version":7}}`, i))
	}
	w.push(t, func(p *store.Push) {
		switch {
		case strings.HasSuffix(p.ThreadID, "1"):
			p.Status, p.Error, p.RetryIn = 503, "the CRM is <busy>", store.MaxWait
		case p.ThreadID == "T%_02":
			p.Status, p.Error = 422, "no such role"
			p.Park = &store.DeadLetter{Kind: store.KindThreadPush, Key: p.ThreadID, Subject: p.ThreadID, Reason: p.Error, Received: at("2026-03-01T10:00:00Z"), Raw: []byte("{}")}
		case p.ThreadID != "T%_03":
			p.Done = true
		default:
			p.Postponed = true
		}
	})
	count := func(query string) int {
		return strings.Count(w.get(t, viewerToken, "/threads?"+query, http.StatusOK), `<th scope="row"`)
	}
	for query, want := range map[string]int{
		"": threadsShown, "state=parked": 1, "state=retrying": 6, "state=pending": 1, "state=synced": threadsShown + 5 - 8, "state=none": 0,
		"text=t%25_0": 10, "text=%25": threadsShown, "text=x": 0, "text=%00": 0, "text=%FF": 0, "text=0&state=retrying": 1, "after=T%25_49": 5,
	} {
		if got := count(query); got != want {
			t.Errorf("%q: %d threads, want %d", query, got, want)
		}
	}
	page := w.get(t, viewerToken, "/threads", http.StatusOK)
	wants(t, page, `Retrying <span class="count">6</span>`, `Parked <span class="count">1</span>`, `Pending <span class="count">1</span>`,
		"the CRM is &lt;busy&gt;", `rel="next"`, "!>Waiting", "!Back to the first")
	wants(t, w.get(t, viewerToken, "/threads?after=T%25_49", http.StatusOK), "Back to the first", "!rel=\"next\"")
	// A page behind the last one does not say that there are none.
	wants(t, w.get(t, viewerToken, "/threads?after=Z", http.StatusOK), "There are no more", "Back to the first", "!No threads")

	w.HasCRM = false
	for _, state := range []string{"waiting", "pending", "retrying"} {
		if got := count("state=" + state); got != 7 {
			t.Errorf("%q without a CRM: %d threads, want those that are pending or retrying", state, got)
		}
		wants(t, w.get(t, viewerToken, "/threads?state="+state, http.StatusOK), `Waiting <span class="count">7</span>`, "T%_03", "T%_11", ">waiting<",
			"!>Retrying", "!>retrying<", "!>Pending")
	}
}

// Where counting has ended, no tab shows an exact count of the threads that wait.
func TestThreadTabsOfManyThreads(t *testing.T) {
	c := newConsole(t)
	texts := func(b store.Backlog) (texts []string) {
		for _, tab := range c.threadTabs(&threadList{}, b) {
			texts = append(texts, fmt.Sprint(tab.Text, " ", tab.Count))
		}
		return texts
	}
	want := []string{"All -1", "Pending 3", "Retrying 4", "Parked 5", "Synced -1"}
	if diff := cmp.Diff(want, texts(store.Backlog{Pending: 7, Retrying: 4, Parked: 5})); diff != "" {
		t.Error(diff)
	}
	want = []string{"All -1", "Pending (6,000 or more) -1", "Retrying (4,000 or more) -1", "Parked 5", "Synced -1"}
	if diff := cmp.Diff(want, texts(store.Backlog{Pending: countedThreads, Retrying: 4000, Parked: 5})); diff != "" {
		t.Error(diff)
	}
}

// push claims all threads and records what becomes of them.
func (w *world) push(t *testing.T, end func(*store.Push)) {
	t.Helper()
	claimed, err := w.db.Claim(t.Context(), store.ClaimRequest{Limit: 1000, Lease: time.Minute, Items: 100})
	if err != nil {
		t.Fatal(err)
	}
	pushes := make([]store.Push, len(claimed.Work))
	for i, work := range claimed.Work {
		pushes[i] = store.Push{Claim: work.Claim, Rev: work.Row.Sync.Want}
		end(&pushes[i])
	}
	if _, err := w.db.Record(t.Context(), pushes, at("2026-03-01T11:00:00Z")); err != nil {
		t.Fatal(err)
	}
}

// A thread is about to be pushed only if neither it nor the whole CRM is to be left alone for now.
func TestThreadThatWaits(t *testing.T) {
	w := newWorld(t, withCRM)
	w.threads(t, story[0])
	const path = "/threads/case%2F1"
	show := func(crm status.CRMFigures, texts ...string) {
		t.Helper()
		w.Figures = &bench{figures: status.Figures{CRM: &crm}}
		wants(t, w.get(t, viewerToken, path, http.StatusOK), texts...)
	}
	until := time.Now().Add(4 * time.Minute)
	due := `The next attempt is due at <time datetime="` + until.UTC().Format(time.RFC3339Nano)
	show(status.CRMFigures{State: "up"}, "The CRM is about to get it", "!Next attempt")
	show(status.CRMFigures{State: "paused", PausedUntil: until}, "The CRM is left alone for a while, as it answered 429 or 503.", due, "Next attempt", "!about to get it")
	show(status.CRMFigures{State: "failing"}, "The CRM fails at the moment.", "!about to get it")
	w.push(t, func(p *store.Push) { p.Status, p.Error, p.Postponed, p.RetryIn = 429, "later", true, 3*time.Minute })
	show(status.CRMFigures{State: "up"}, "The CRM has not got all of it yet. The next attempt is due at <time", "!about to get it")
	show(status.CRMFigures{State: "paused", PausedUntil: until}, due)
	next := w.post(t, "/threads/wake?id=case%2F1")
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), "The thread is tried when that is over.", "!tried now")
}

func TestWakeThread(t *testing.T) {
	w := newWorld(t, withCRM)
	w.threads(t, story[0])
	w.push(t, func(p *store.Push) {
		p.Status, p.Error = 422, "no such role"
		p.Park = &store.DeadLetter{Kind: store.KindThreadPush, Key: p.ThreadID, Subject: p.ThreadID, Reason: p.Error, Received: at("2026-03-01T10:00:00Z"), Raw: []byte("{}")}
		p.Notes = []audit.Note{{Subject: p.ThreadID, Action: audit.ActionPark, Outcome: "parked", Detail: audit.Detail{"status": 422, "reason": p.Error}}}
	})
	page := w.get(t, adminToken, "/threads/case%2F1", http.StatusOK)
	wants(t, page, "Try now", "It waits for an operator", "HTTP 422", "no such role", `href="/dead-letters?text=case%2F1"`, "!Reconcile with CXone")
	wants(t, w.get(t, viewerToken, "/threads/case%2F1", http.StatusOK), "!Try now", "!/dead-letters", "no such role")
	if answer := w.try("/threads/wake?id=case%2F1", viewerToken); answer.Code != http.StatusForbidden {
		t.Errorf("a viewer gets %d", answer.Code)
	}
	next := w.post(t, "/threads/wake?id=case%2F1")
	page = w.get(t, adminToken, next.String(), http.StatusOK)
	wants(t, page, "The thread is tried now", "The CRM is about to get it", "Tried at once")
	for _, id := range []string{"none", "%00", "%FF", ""} {
		if answer := w.try("/threads/wake?id="+id, adminToken); answer.Code != http.StatusNotFound {
			t.Errorf("thread %q: %d", id, answer.Code)
		}
	}
	w.HasCRM = false
	if answer := w.try("/threads/wake?id=case%2F1", adminToken); answer.Code != http.StatusConflict {
		t.Errorf("without a CRM: %d", answer.Code)
	}
}

type reconcileFunc func(ctx context.Context, id string) (reconcile.Outcome, error)

func (f reconcileFunc) Reconcile(ctx context.Context, id string) (reconcile.Outcome, error) {
	return f(ctx, id)
}

func TestReconcileThread(t *testing.T) {
	var outcome reconcile.Outcome
	var fault error
	w := newWorld(t, func(c *Config) {
		c.Reconciler = reconcileFunc(func(_ context.Context, id string) (reconcile.Outcome, error) {
			if id != "case/1" {
				t.Errorf("reconciles %q", id)
			}
			return outcome, fault
		})
	})
	w.threads(t, story[0])
	wants(t, w.get(t, adminToken, "/threads/case%2F1", http.StatusOK), "Reconcile with CXone", "!Try now")
	for told, o := range map[string]reconcile.Outcome{
		"Nothing was missing":               {Status: reconcile.UpToDate},
		"Now we and the CRM have version 7": {Status: reconcile.Reconciled, Version: 7},
		"We have all that CXone has":        {Status: reconcile.Stored},
		"except what is set aside":          {Status: reconcile.SetAside},
	} {
		outcome = o
		next := w.post(t, "/threads/reconcile?id=case%2F1")
		wants(t, w.get(t, adminToken, next.String(), http.StatusOK), told)
	}
	for _, test := range []struct {
		err    error
		status int
		told   string
	}{
		{&reconcile.UpstreamError{Reason: "CXone: <no answer>"}, http.StatusBadGateway, "CXone: &lt;no answer&gt;"},
		{store.ErrNotFound, http.StatusNotFound, "CXone does not know this thread"},
		{store.ErrUnavailable, http.StatusServiceUnavailable, "database does not answer"},
		{errors.New("secret"), http.StatusInternalServerError, "!secret"},
	} {
		fault = test.err
		answer := w.try("/threads/reconcile?id=case%2F1", adminToken)
		if answer.Code != test.status {
			t.Errorf("%v: %d", test.err, answer.Code)
		}
		wants(t, answer.Body.String(), test.told)
	}
	w.Reconciler = nil
	if answer := w.try("/threads/reconcile?id=case%2F1", adminToken); answer.Code != http.StatusConflict {
		t.Errorf("without CXone: %d", answer.Code)
	}
}
