package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/store"
)

func submitThreads(t *testing.T, in *ingest.Ingest, raws ...string) {
	t.Helper()
	var readings []ingest.Reading
	for _, raw := range raws {
		reading := in.ReadThread([]byte(raw), at("2026-03-01T10:00:00Z"))
		if reading.Refused != nil {
			t.Fatalf("%s: %v", raw, reading.Refused)
		}
		readings = append(readings, reading)
	}
	if _, err := in.Submit(context.Background(), readings); err != nil {
		t.Fatal(err)
	}
}

// A parent with two messages, one of them of an unreadable time, and a thread merged into it.
var conversation = []string{
	`{"event":"THREAD_UPDATED","data":{"threadId":"a/1","version":2,"updatedAt":"2026-03-01T09:00:00Z",
		"participants":[{"id":"p1","role":"CUSTOMER","name":"Ada"}],
		"messages":[{"id":"m3","text":"third","timestamp":"2026-03-01T08:00:03Z","authorId":"p1"},
			{"id":"m0","text":"when?","timestamp":"yesterday","authorId":"p1"}]}}`,
	`{"event":"THREAD_MERGED","data":{"threadId":"b","parentThreadId":"a/1","version":1,"updatedAt":"2026-03-01T09:00:01Z",
		"messages":[{"id":"m1","text":"<b>first</b>","timestamp":"2026-03-01T09:00:01+0100","authorId":"p2","direction":"OUTBOUND"},
			{"id":"m4","text":"fourth","timestamp":"2026-03-01T08:00:04Z","authorId":"p2"}]}}`,
}

type timeline struct {
	Threads []string
	Items   []struct{ ID, ThreadID, Text, Timestamp, Direction, Delivery string }
	Next    *string
}

func (l timeline) ids() string {
	var ids []string
	for _, item := range l.Items {
		ids = append(ids, item.ThreadID+":"+item.ID)
	}
	return strings.Join(ids, " ")
}

func TestTimelineFromSQLite(t *testing.T) {
	b, in := sqliteBench(t)
	submitThreads(t, in, conversation...)
	shown := decode[timeline](t, b.ask(t, "GET", "/api/threads/a%2F1/timeline", viewerToken), http.StatusOK)
	if got, want := shown.ids(), "a/1:m0 b:m1 a/1:m3 b:m4"; got != want {
		t.Errorf("timeline %s, want %s", got, want)
	}
	if m := shown.Items[1]; m.Text != "<b>first</b>" || m.Timestamp != "2026-03-01T08:00:01Z" || m.Direction != "OUTBOUND" || m.Delivery != "pending" {
		t.Errorf("message %+v", m)
	}
	if diff := cmp.Diff([]string{"a/1", "b"}, shown.Threads); diff != "" {
		t.Error(diff)
	}
	var paged []string
	for target := "/api/threads/a%2F1/timeline?limit=1"; target != ""; {
		page := decode[timeline](t, b.ask(t, "GET", target, viewerToken), http.StatusOK)
		paged = append(paged, page.ids())
		target = ""
		if page.Next != nil {
			target = "/api/threads/a%2F1/timeline?limit=1&cursor=" + *page.Next
		}
	}
	if got := strings.Join(paged, " "); got != shown.ids() {
		t.Errorf("by pages of one: %s", got)
	}
	wantProblem(t, b.ask(t, "GET", "/api/threads/none/timeline", viewerToken), http.StatusNotFound)
	wantProblem(t, b.ask(t, "GET", "/api/threads/b/timeline?cursor=x", viewerToken), http.StatusUnprocessableEntity)
}

func TestThreadFromSQLite(t *testing.T) {
	b, in := sqliteBench(t)
	submitThreads(t, in, conversation...)
	type shown struct {
		ThreadID, Link          string
		Version                 int64
		UpdatedAt               time.Time
		ParentThreadID          *string
		LinkFollowed            bool
		Participants            []struct{ ID, Role, Name string }
		Messages                []struct{ ID string }
		Sync                    struct{ State string }
		MessagesNext, LastError *string
	}
	child := decode[shown](t, b.ask(t, "GET", "/api/threads/b?limit=1", viewerToken), http.StatusOK)
	if child.Version != 1 || child.ParentThreadID == nil || *child.ParentThreadID != "a/1" || child.Link != "merged" || !child.LinkFollowed {
		t.Errorf("child %+v", child)
	}
	if len(child.Messages) != 1 || child.Messages[0].ID != "m1" || child.MessagesNext == nil {
		t.Fatalf("first page %+v", child)
	}
	rest := decode[shown](t, b.ask(t, "GET", "/api/threads/b?limit=1&cursor="+*child.MessagesNext, viewerToken), http.StatusOK)
	if len(rest.Messages) != 1 || rest.Messages[0].ID != "m4" || rest.MessagesNext != nil {
		t.Errorf("second page %+v", rest)
	}
	parent := decode[shown](t, b.ask(t, "GET", "/api/threads/a%2F1", viewerToken), http.StatusOK)
	if parent.ParentThreadID != nil || parent.LinkFollowed || len(parent.Participants) != 1 || parent.Participants[0].Name != "Ada" {
		t.Errorf("parent %+v", parent)
	}
	if parent.Sync.State != "waiting" {
		t.Errorf("without a CRM the state is %s", parent.Sync.State)
	}
	b.HasCRM = true
	parent = decode[shown](t, b.ask(t, "GET", "/api/threads/a%2F1", viewerToken), http.StatusOK)
	if parent.Sync.State != "pending" {
		t.Errorf("with a CRM the state is %s", parent.Sync.State)
	}
	for _, id := range []string{"none", "%FF", "a%00b"} {
		wantProblem(t, b.ask(t, "GET", "/api/threads/"+id, viewerToken), http.StatusNotFound)
	}
}

// All participants of a crowd can be read, a page after the other.
func TestParticipantsOfACrowd(t *testing.T) {
	const crowd = 2*participantPage + 1
	b, in := sqliteBench(t)
	events := []string{`{"event":"THREAD_UPDATED","data":{"threadId":"c","version":1,"messages":[{"id":"m","text":"hello","authorId":"p00001"}]}}`}
	for begin, names := 0, []string(nil); begin < crowd; names = nil { // many at once would be a slow commit
		for ; begin < crowd && len(names) < 1000; begin++ {
			names = append(names, fmt.Sprintf(`{"id":"p%05d","role":"CUSTOMER"}`, begin))
		}
		events = append(events, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"c","version":%d,"participants":[%s]}}`,
			len(events)+1, strings.Join(names, ",")))
	}
	for _, event := range events {
		submitThreads(t, in, event)
	}
	read := 0
	for cursor, pages := "", 1; ; pages++ {
		page := decode[struct {
			Participants     []struct{ ID string }
			ParticipantsNext string
			Messages         []struct{ ID string }
		}](t, b.ask(t, "GET", "/api/threads/c?participantsCursor="+cursor, viewerToken), http.StatusOK)
		for _, p := range page.Participants {
			if want := fmt.Sprintf("p%05d", read); p.ID != want {
				t.Fatalf("participant %s, want %s", p.ID, want)
			}
			read++
		}
		if len(page.Messages) != 1 || len(page.Participants) > participantPage || pages > 3 {
			t.Fatalf("page %d has %d participants and %d messages", pages, len(page.Participants), len(page.Messages))
		}
		if cursor = page.ParticipantsNext; cursor == "" {
			break
		}
	}
	if read != crowd {
		t.Errorf("%d participants were read, want %d", read, crowd)
	}
	for _, cursor := range []string{"x", messageCursor.makePosition(store.ItemPosition{ID: "m"})} {
		refused := decode[struct{ Errors []struct{ Location string } }](t,
			b.ask(t, "GET", "/api/threads/c?participantsCursor="+cursor, viewerToken), http.StatusUnprocessableEntity)
		if len(refused.Errors) != 1 || refused.Errors[0].Location != "query.participantsCursor" {
			t.Errorf("cursor %s: %+v", cursor, refused)
		}
	}
}

func TestRing(t *testing.T) {
	b, in := sqliteBench(t)
	link := `{"event":"THREAD_MERGED","data":{"threadId":%q,"parentThreadId":%q,"version":1,"updatedAt":"2026-03-01T09:00:0%dZ"}}`
	submitThreads(t, in, fmt.Sprintf(link, "x", "y", 1), fmt.Sprintf(link, "y", "x", 2))
	for id, followed := range map[string]bool{"x": true, "y": false} {
		shown := decode[struct{ LinkFollowed bool }](t, b.ask(t, "GET", "/api/threads/"+id, viewerToken), http.StatusOK)
		if shown.LinkFollowed != followed {
			t.Errorf("the link of %s is followed: %t", id, shown.LinkFollowed)
		}
	}
}

// A cursor that the API has made is one that it takes, however long the ids are: 256 characters of 4 bytes.
func TestCursorsOfLongIDs(t *testing.T) {
	b, in := sqliteBench(t)
	long := strings.Repeat("🦊", 255)
	for _, last := range []string{"a", "b"} {
		submitThreads(t, in, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"%[1]s%[2]s","version":1,"messages":[{"id":"%[1]sa"},{"id":"%[1]sb"}]}}`, long, last))
	}
	for target, name := range map[string]string{
		"/api/threads": "Next", "/api/threads/" + url.PathEscape(long+"a"): "MessagesNext",
		"/api/threads/" + url.PathEscape(long+"a") + "/timeline": "Next",
	} {
		first := decode[struct{ Next, MessagesNext string }](t, b.ask(t, "GET", target+"?limit=1", viewerToken), http.StatusOK)
		cursor := first.Next + first.MessagesNext
		second := decode[map[string]any](t, b.ask(t, "GET", target+"?limit=1&cursor="+cursor, viewerToken), http.StatusOK)
		if cursor == "" || second[strings.ToLower(name[:1])+name[1:]] != nil {
			t.Errorf("%s: the first page has %s %q, the second one more", strings.ReplaceAll(target, url.PathEscape(long), "…"), name, cursor)
		}
	}
	cursor := participantCursor.makePosition(store.ItemPosition{ID: long + "a"}) // without a crowd
	if w := b.ask(t, "GET", "/api/threads/"+url.PathEscape(long+"a")+"?participantsCursor="+cursor, viewerToken); w.Code != http.StatusOK {
		t.Errorf("participants: %d after a cursor of %d characters", w.Code, len(cursor))
	}
}

// failPush lets the push of the thread that has waited longest fail.
func failPush(t *testing.T, queue store.Queue) {
	t.Helper()
	claimed, err := queue.Claim(t.Context(), store.ClaimRequest{Limit: 1, Lease: time.Minute, Items: 1})
	if err != nil || len(claimed.Work) != 1 {
		t.Fatalf("claimed %d, %v", len(claimed.Work), err)
	}
	w := &claimed.Work[0]
	if _, err := queue.Record(t.Context(), []store.Push{{Claim: w.Claim, Rev: w.Row.Sync.Want, Error: "no answer"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestListThreads(t *testing.T) {
	b, in := sqliteBench(t)
	for i := range 5 {
		submitThreads(t, in, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"T%%_%d","version":1}}`, i))
	}
	ids := func(query string) (ids []string) {
		for cursor := ""; ; {
			page := decode[struct {
				Items []struct{ ThreadID string }
				Next  string
			}](t, b.ask(t, "GET", "/api/threads?limit=2&cursor="+cursor+query, viewerToken), http.StatusOK)
			for _, item := range page.Items {
				ids = append(ids, item.ThreadID)
			}
			if cursor = page.Next; cursor == "" {
				return ids
			}
		}
	}
	all := []string{"T%_0", "T%_1", "T%_2", "T%_3", "T%_4"}
	future := url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	for query, want := range map[string][]string{
		"": all, "&state=waiting": all, "&state=synced": nil, "&state=pending": nil, "&state=retrying": nil, "&state=parked": nil,
		"&text=t%25_3": all[3:4], "&text=%25%25": nil, "&text=%00": nil,
		"&since=2026-01-01T00:00:00Z": all, "&since=" + future: nil,
	} {
		if diff := cmp.Diff(want, ids(query)); diff != "" {
			t.Errorf("%q (-want +got)\n%s", query, diff)
		}
	}
	failPush(t, b.Store.(store.Queue))
	if diff := cmp.Diff(all, ids("&state=waiting")); diff != "" {
		t.Errorf("waiting, though it has failed (-want +got)\n%s", diff)
	}
	b.HasCRM = true
	if got := ids("&state=pending"); len(got) != 4 {
		t.Errorf("pending, with a CRM: %v", got)
	}
	if diff := cmp.Diff(all[:1], ids("&state=retrying")); diff != "" {
		t.Errorf("retrying, with a CRM (-want +got)\n%s", diff)
	}
	if got := ids("&state=waiting"); len(got) != 0 {
		t.Errorf("waiting, with a CRM: %v", got)
	}
	for _, query := range []string{"state=lost", "since=monday", "limit=0", "cursor=x"} {
		wantProblem(t, b.ask(t, "GET", "/api/threads?"+query, viewerToken), http.StatusUnprocessableEntity)
	}
}

// told is an entry of the audit log as a client reads it.
type told struct {
	Seq                             int64
	Subject, Action, PrevHash, Hash string
	Detail                          map[string]any
}

func TestAuditFromSQLite(t *testing.T) {
	b, in := sqliteBench(t)
	submitThreads(t, in, conversation...)
	submitThreads(t, in, `{"event":"THREAD_UPDATED","data":{"threadId":"b","version":5}}`)
	type page struct {
		Items []told
		Next  *string
	}
	entries := decode[page](t, b.ask(t, "GET", "/api/audit?subject=b", viewerToken), http.StatusOK).Items
	if len(entries) != 2 || entries[0].Seq != 2 || entries[0].PrevHash != entries[1].Hash || entries[1].Action != "event" {
		t.Errorf("entries %+v", entries)
	}
	if text := b.ask(t, "GET", "/api/audit", viewerToken).Body.String(); strings.Contains(text, "first") || !strings.Contains(text, `"a/1"`) {
		t.Errorf("the audit tells %s", text)
	}
	first := decode[page](t, b.ask(t, "GET", "/api/audit?limit=2", viewerToken), http.StatusOK)
	if len(first.Items) != 2 || first.Next == nil {
		t.Fatalf("first page %+v", first)
	}
	second := decode[page](t, b.ask(t, "GET", "/api/audit?limit=2&cursor="+*first.Next, viewerToken), http.StatusOK)
	if len(second.Items) != 1 || second.Next != nil {
		t.Errorf("second page %+v", second)
	}
}

// What an operator deletes is told in the audit log.
func TestDeleteIsAudited(t *testing.T) {
	b, in := sqliteBench(t)
	submit(t, in, at("2026-03-01T10:00:00Z"), `{"messageId":"m"}`)
	if w := b.ask(t, "DELETE", "/api/dead-letters/1", adminToken); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	entries := decode[struct{ Items []told }](t, b.ask(t, "GET", "/api/audit?subject=dead-letter:1", viewerToken), http.StatusOK).Items
	if len(entries) != 1 || entries[0].Action != "delete" || entries[0].Detail["about"] != "m" {
		t.Errorf("entries %+v", entries)
	}
}

type reconcileFunc func(ctx context.Context, id string) (reconcile.Outcome, error)

func (f reconcileFunc) Reconcile(ctx context.Context, id string) (reconcile.Outcome, error) {
	return f(ctx, id)
}

func TestReconcile(t *testing.T) {
	for _, test := range []struct {
		name       string
		outcome    reconcile.Outcome
		err        error
		status     int
		body       string // "" is a problem
		detail     string // part of that of the problem
		retryAfter string
	}{
		{"up to date", reconcile.Outcome{Status: reconcile.UpToDate, Version: 3}, nil, 200, `{"status":"UP_TO_DATE"}`, "", ""},
		{"reconciled", reconcile.Outcome{Status: reconcile.Reconciled, Version: 3}, nil, 200, `{"status":"RECONCILED","version":3}`, "", ""},
		{"version 0", reconcile.Outcome{Status: reconcile.Reconciled}, nil, 200, `{"status":"RECONCILED","version":0}`, "", ""},
		{"set aside", reconcile.Outcome{Status: reconcile.SetAside}, nil, 200, `{"status":"SET_ASIDE"}`, "", ""},
		{"reconciled and set aside", reconcile.Outcome{Status: reconcile.SetAside, Version: 4}, nil, 200, `{"status":"SET_ASIDE","version":4}`, "", ""},
		{"stored", reconcile.Outcome{Status: reconcile.Stored}, nil, 200, `{"status":"STORED"}`, "", ""},
		{"nothing there", reconcile.Outcome{}, fmt.Errorf("%w: CXone", store.ErrNotFound), 404, "", "CXone has no thread by this id", ""},
		{"CXone fails", reconcile.Outcome{}, &reconcile.UpstreamError{Reason: "CXone: 500"}, 502, "", "CXone: 500", ""},
		{"CXone asks for a pause", reconcile.Outcome{}, &reconcile.UpstreamError{Reason: "CXone: 429", RetryAfter: 6100 * time.Millisecond}, 502, "", "CXone: 429", "7"},
		{"busy", reconcile.Outcome{}, &ingest.BusyError{Reason: "full"}, 503, "", "full", "1"},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(test.name+" "+method, func(t *testing.T) {
				b := newBench()
				b.Reconciler = reconcileFunc(func(_ context.Context, id string) (reconcile.Outcome, error) {
					if id != "a/b" {
						t.Errorf("id %q", id)
					}
					return test.outcome, test.err
				})
				w := b.ask(t, method, "/api/reconcile/a%2Fb", adminToken)
				if got := w.Header().Get("Retry-After"); got != test.retryAfter {
					t.Errorf("Retry-After %q, want %q", got, test.retryAfter)
				}
				if test.body == "" {
					if detail := wantProblem(t, w, test.status); !strings.Contains(detail, test.detail) {
						t.Errorf("detail %q, want %q in it", detail, test.detail)
					}
				} else if diff := cmp.Diff(normal(t, test.body), normal(t, w.Body.String())); w.Code != test.status || diff != "" {
					t.Errorf("%d %s", w.Code, diff)
				}
				wantProblem(t, b.ask(t, method, "/api/reconcile/a", viewerToken), http.StatusForbidden)
			})
		}
	}
	b := newBench()
	b.Reconciler = nil
	wantProblem(t, b.ask(t, "POST", "/api/reconcile/a", adminToken), http.StatusBadGateway)
}
