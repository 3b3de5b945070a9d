package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// post sends a body as an operator.
func (b *bench) post(t testing.TB, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+adminToken)
	w := httptest.NewRecorder()
	b.handler(t).ServeHTTP(w, r)
	return w
}

// matchingBench has dead letters 1 to n: the odd ones are receipts, the others threads. A replay of a
// receipt is refused, and one of a thread takes the dead letter away.
func matchingBench(n int64) *bench {
	b := newBench()
	for id := int64(1); id <= n; id++ {
		letter := store.DeadLetter{ID: id, Kind: store.KindThread, Subject: fmt.Sprint(id), Reason: "bad"}
		if id%2 == 1 {
			letter.Kind, letter.Reason = store.KindSMS, "worse"
		}
		b.store.letters[id] = letter
	}
	b.Replayer = replayFunc(func(_ context.Context, id int64) (ingest.Replayed, error) {
		if b.store.letters[id].Kind == store.KindSMS {
			return ingest.Replayed{}, &ingest.StillRefusedError{Reason: "worse"}
		}
		delete(b.store.letters, id)
		return ingest.Replayed{Kind: store.KindThread}, nil
	})
	return b
}

func TestDeadLetterFilters(t *testing.T) {
	b := matchingBench(6)
	for query, want := range map[string][]int64{
		"":                        {6, 5, 4, 3, 2, 1},
		"?kind=&text=":            {6, 5, 4, 3, 2, 1},
		"?kind=sms":               {5, 3, 1},
		"?kind=thread":            {6, 4, 2},
		"?kind=thread-push":       nil,
		"?text=wors":              {5, 3, 1},
		"?kind=thread&text=worse": nil,
		"?text=a%00b":             nil, // no question for a database
	} {
		var got []int64
		for _, item := range decode[page](t, b.ask(t, "GET", "/api/dead-letters"+query, adminToken), http.StatusOK).Items {
			got = append(got, item.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
	for _, query := range []string{"?kind=none", "?text=" + strings.Repeat("x", 257)} {
		wantProblem(t, b.ask(t, "GET", "/api/dead-letters"+query, adminToken), http.StatusUnprocessableEntity)
	}
}

func TestReplayMatching(t *testing.T) {
	for _, test := range []struct {
		name, body, want string
		left             int
	}{
		{"all", `{}`, `{"replayed":3, "refused":3, "deleted":0, "more":false, "next":null}`, 3},
		{"of a kind", `{"kind":"thread"}`, `{"replayed":3, "refused":0, "deleted":0, "more":false, "next":null}`, 3},
		{"with a text", `{"text":"worse"}`, `{"replayed":0, "refused":3, "deleted":0, "more":false, "next":null}`, 6},
		{"none", `{"kind":"thread","text":"worse"}`, `{"replayed":0, "refused":0, "deleted":0, "more":false, "next":null}`, 6},
		{"no question", `{"text":"\u0000"}`, `{"replayed":0, "refused":0, "deleted":0, "more":false, "next":null}`, 6},
		{"the rest", fmt.Sprintf(`{"cursor":%q}`, deadLetterCursor.makeBefore(3)), `{"replayed":1, "refused":1, "deleted":0, "more":false, "next":null}`, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := matchingBench(6)
			w := b.post(t, "/api/dead-letters/replay", test.body)
			if diff := cmp.Diff(normal(t, test.want), normal(t, w.Body.String())); w.Code != http.StatusOK || diff != "" {
				t.Errorf("%d (-want +got)\n%s", w.Code, diff)
			}
			if len(b.store.letters) != test.left {
				t.Errorf("%d dead letters are left, want %d", len(b.store.letters), test.left)
			}
		})
	}
}

func TestDeleteMatching(t *testing.T) {
	b := matchingBench(6)
	w := b.post(t, "/api/dead-letters/delete", `{"kind":"sms"}`)
	want := `{"replayed":0, "refused":0, "deleted":3, "more":false, "next":null}`
	if diff := cmp.Diff(normal(t, want), normal(t, w.Body.String())); w.Code != http.StatusOK || diff != "" {
		t.Errorf("%d (-want +got)\n%s", w.Code, diff)
	}
	if len(b.store.letters) != 3 {
		t.Errorf("%d dead letters are left, want 3", len(b.store.letters))
	}
	var notes []audit.Note
	for _, id := range []int64{5, 3, 1} {
		notes = append(notes, audit.Note{
			Subject: fmt.Sprintf("dead-letter:%d", id), Action: audit.ActionDelete, Outcome: "deleted",
			Detail: audit.Detail{"kind": store.KindSMS, "about": fmt.Sprint(id), "reason": "worse"},
		})
	}
	if diff := cmp.Diff(notes, b.store.notes); diff != "" {
		t.Errorf("audit (-want +got)\n%s", diff)
	}
}

type matchingResult struct {
	Replayed, Refused, Deleted, QueuedForRetry int
	More                                       bool
	Next                                       *string
}

// A thousand are dealt with at a time. Those that are refused and stay do not hide the others.
func TestMatchingIsBounded(t *testing.T) {
	b := matchingBench(1500)
	body, calls := `{}`, 0
	var sum matchingResult
	for more := true; more; calls++ {
		got := decode[matchingResult](t, b.post(t, "/api/dead-letters/replay", body), http.StatusOK)
		if n := got.Replayed + got.Refused; n > 1000 || got.More != (got.Next != nil) {
			t.Fatalf("%d at a time, %+v", n, got)
		}
		sum.Replayed, sum.Refused, more = sum.Replayed+got.Replayed, sum.Refused+got.Refused, got.More
		if more {
			body = fmt.Sprintf(`{"cursor":%q}`, *got.Next)
		}
	}
	if calls != 2 || sum.Replayed != 750 || sum.Refused != 750 {
		t.Errorf("%+v in %d calls", sum, calls)
	}
}

// When the database goes away in the middle, what was done is told; the next call meets the error.
func TestMatchingMeetsAnOutage(t *testing.T) {
	b := matchingBench(6)
	away := fmt.Errorf("%w: dial", store.ErrUnavailable)
	b.Replayer = replayFunc(func(_ context.Context, id int64) (ingest.Replayed, error) {
		if id == 4 {
			return ingest.Replayed{}, away
		}
		delete(b.store.letters, id)
		return ingest.Replayed{}, nil
	})
	got := decode[matchingResult](t, b.post(t, "/api/dead-letters/replay", `{}`), http.StatusOK)
	if got.Replayed != 2 || !got.More || got.Next == nil {
		t.Fatalf("answer %+v", got)
	}
	w := b.post(t, "/api/dead-letters/replay", fmt.Sprintf(`{"cursor":%q}`, *got.Next))
	wantProblem(t, w, http.StatusServiceUnavailable)
	if w.Header().Get("Retry-After") != "5" || len(b.store.letters) != 4 {
		t.Errorf("Retry-After %q, %d dead letters are left", w.Header().Get("Retry-After"), len(b.store.letters))
	}
	b.store.err = away
	wantProblem(t, b.post(t, "/api/dead-letters/delete", `{}`), http.StatusServiceUnavailable)
}

func TestBadMatching(t *testing.T) {
	for _, path := range []string{"/api/dead-letters/replay", "/api/dead-letters/delete"} {
		for body, status := range map[string]int{
			``: 400, `{`: 400, `[]`: 422, `{"kind":"none"}`: 422, `{"text":7}`: 422, `{"cursor":"x"}`: 422, `{"knid":"sms"}`: 422,
		} {
			b := matchingBench(6)
			wantProblem(t, b.post(t, path, body), status)
			if len(b.store.letters) != 6 {
				t.Errorf("%s %s did something", path, body)
			}
		}
	}
}

// On a real database, what is refused stays, what is applied goes, and the audit tells of each.
func TestMatchingInSQLite(t *testing.T) {
	b, in := sqliteBench(t)
	for i := range 3 {
		submit(t, in, at("2026-03-01T10:00:00Z").Add(time.Duration(i)*time.Second), fmt.Sprintf(
			`{"messageId":"m-%d", "status":"DELIVERED", "from":"not a sender id!", "to":"+12025550101"}`, i), fmt.Sprintf(`{"status":"S%d"}`, i))
	}
	got := decode[matchingResult](t, b.post(t, "/api/dead-letters/replay", `{"text":"M-"}`), http.StatusOK)
	if got.Replayed != 3 || got.Refused != 0 || got.More {
		t.Errorf("answer %+v", got)
	}
	shown := decode[struct{ Items []seen }](t, b.ask(t, "GET", "/api/messages?recipient=12025550101&limit=2", viewerToken), http.StatusOK)
	if len(shown.Items) != 2 || shown.Items[0].Compliance != "violation" {
		t.Errorf("messages %+v", shown)
	}
	got = decode[matchingResult](t, b.post(t, "/api/dead-letters/replay", `{"kind":"sms"}`), http.StatusOK)
	if got.Replayed != 0 || got.Refused != 3 || got.More {
		t.Errorf("answer %+v", got)
	}
	got = decode[matchingResult](t, b.post(t, "/api/dead-letters/delete", `{}`), http.StatusOK)
	if got.Deleted != 3 || got.More {
		t.Errorf("answer %+v", got)
	}
	told := make(map[string]int)
	for _, e := range decode[struct {
		Items []struct{ Action, Outcome string }
	}](t, b.ask(t, "GET", "/api/audit", viewerToken), http.StatusOK).Items {
		told[e.Action+" "+e.Outcome]++
	}
	if diff := cmp.Diff(map[string]int{"replay accepted": 3, "replay refused": 3, "delete deleted": 3}, told); diff != "" {
		t.Errorf("audit (-want +got)\n%s", diff)
	}
}
