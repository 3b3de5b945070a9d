package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
)

type page struct {
	Items []struct{ ID int64 }
	Next  *string
}

func TestDeadLetter(t *testing.T) {
	b := newBench()
	b.store.letters[7] = store.DeadLetter{
		ID: 7, Kind: store.KindSMS, Subject: "m-1", Reason: "/status: missing",
		Received: at("2026-01-02T04:04:05+01:00"), Raw: []byte(`{"messageId":"m-1","text":"grüße"}`), Replays: 3,
	}
	b.store.letters[8] = store.DeadLetter{
		ID: 8, Kind: store.KindSMS, Reason: "malformed", Received: at("2026-01-02T03:04:05Z"), Raw: []byte("a\xffb"),
	}
	text := `{"id":7, "kind":"sms", "subject":"m-1", "reason":"/status: missing", "receivedAt":"2026-01-02T03:04:05Z",
		"raw":"{\"messageId\":\"m-1\",\"text\":\"grüße\"}", "replays":3}`
	binary := `{"id":8, "kind":"sms", "subject":null, "reason":"malformed", "receivedAt":"2026-01-02T03:04:05Z",
		"raw":"a\ufffdb", "rawBase64":"Yf9i", "replays":0}`
	for target, want := range map[string]string{
		"/api/dead-letters/7": text,
		"/api/dead-letters/8": binary,
		"/api/dead-letters":   `{"items":[` + binary + `,` + text + `], "next":null}`,
	} {
		w := b.ask(t, "GET", target, adminToken)
		if diff := cmp.Diff(normal(t, want), normal(t, w.Body.String())); diff != "" {
			t.Errorf("%s (-want +got)\n%s", target, diff)
		}
	}
	wantProblem(t, b.ask(t, "GET", "/api/dead-letters/9", adminToken), http.StatusNotFound)
}

func TestNoDeadLetters(t *testing.T) {
	w := newBench().ask(t, "GET", "/api/dead-letters", adminToken)
	if diff := cmp.Diff(normal(t, `{"items":[],"next":null}`), normal(t, w.Body.String())); diff != "" {
		t.Error(diff)
	}
}

// Page after page, every dead letter comes once, newest first, and next is null on the last page.
func TestDeadLetterPages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench()
		n := rapid.IntRange(0, 130).Draw(rt, "dead letters")
		limit := rapid.IntRange(1, 60).Draw(rt, "limit")
		size := rapid.SampledFrom([]int{0, pageBytes / 30, pageBytes}).Draw(rt, "bytes of each")
		raw := bytes.Repeat([]byte("x"), size)
		for id := range int64(n) {
			b.store.letters[id*3+1] = store.DeadLetter{ID: id*3 + 1, Raw: raw}
		}
		seen := 0
		for below := int64(0); ; {
			letters, next, err := (&Handler{Config: b.Config}).page(context.Background(), store.LetterFilter{}, below, limit)
			if err != nil {
				rt.Fatal(err)
			}
			if len(letters) > limit || next != 0 && (len(letters) == 0 || next != letters[len(letters)-1].ID) {
				rt.Fatalf("%d letters, and on below %d", len(letters), next)
			}
			for _, letter := range letters {
				if want := int64(n-1-seen)*3 + 1; letter.ID != want {
					rt.Fatalf("letter %d, want %d", letter.ID, want)
				}
				seen++
			}
			if below = next; below == 0 {
				break
			}
		}
		if seen != n {
			rt.Fatalf("saw %d of %d", seen, n)
		}
	})
}

// A dead letter that is solved while its page is made is not in it. The page leads on all the same.
func TestDeadLettersThatGoMeanwhile(t *testing.T) {
	b := newBench()
	for id := int64(1); id <= 6; id++ {
		b.store.letters[id] = store.DeadLetter{ID: id}
	}
	b.store.gone = []int64{6, 5, 3, 2}
	var seen []int64
	for cursor, pages := "", 0; ; pages++ {
		got := decode[page](t, b.ask(t, "GET", "/api/dead-letters?limit=2&cursor="+cursor, adminToken), http.StatusOK)
		for _, item := range got.Items {
			seen = append(seen, item.ID)
		}
		if got.Next == nil || pages > 3 {
			break
		}
		cursor = *got.Next
	}
	if fmt.Sprint(seen) != "[4 1]" {
		t.Errorf("saw %v", seen)
	}
}

func TestDeadLetterPagesOverHTTP(t *testing.T) {
	b := newBench()
	for id := int64(1); id <= 101; id++ {
		b.store.letters[id] = store.DeadLetter{ID: id}
	}
	first := decode[page](t, b.ask(t, "GET", "/api/dead-letters?limit=&cursor=", adminToken), http.StatusOK)
	if len(first.Items) != 50 || first.Items[0].ID != 101 || first.Next == nil {
		t.Fatalf("the first page: %+v", first)
	}
	second := decode[page](t, b.ask(t, "GET", "/api/dead-letters?limit=51&cursor="+*first.Next, adminToken), http.StatusOK)
	if len(second.Items) != 51 || second.Items[0].ID != 51 || second.Next != nil {
		t.Fatalf("the last page: %+v", second)
	}
	if all := decode[page](t, b.ask(t, "GET", "/api/dead-letters?limit=500", adminToken), http.StatusOK); len(all.Items) != 101 {
		t.Errorf("%d items", len(all.Items))
	}
}

// A page of large bodies ends early, so that no answer takes memory without bound.
func TestDeadLetterPageIsBounded(t *testing.T) {
	b := newBench()
	for id := int64(1); id <= 100; id++ {
		b.store.letters[id] = store.DeadLetter{ID: id, Raw: bytes.Repeat([]byte("x"), pageBytes/5)}
	}
	w := b.ask(t, "GET", "/api/dead-letters?limit=500", adminToken)
	got := decode[page](t, w, http.StatusOK)
	if len(got.Items) != 5 || b.store.bodies > 6 || got.Next == nil {
		t.Errorf("%d items in %d bytes, and %d bodies were read", len(got.Items), w.Body.Len(), b.store.bodies)
	}
}

func TestBadListParameters(t *testing.T) {
	b := newBench()
	for _, query := range []string{
		"limit=0", "limit=501", "limit=-1", "limit=x", "limit=1.5", "limit=99999999999999999999",
		"cursor=x", "cursor=!!!", "cursor=%FF", "cursor=" + deadLetterCursor.makeBefore(7) + "=", "cursor=" + strings.Repeat("A", 5000),
	} {
		w := b.ask(t, "GET", "/api/dead-letters?"+query, adminToken)
		wantProblem(t, w, http.StatusUnprocessableEntity)
		if !strings.Contains(w.Body.String(), `"location":"query.`) {
			t.Errorf("%s: the problem does not name the parameter: %s", query, w.Body)
		}
	}
}

func TestBadDeadLetterIDs(t *testing.T) {
	b := newBench()
	for _, id := range []string{"0", "-1", "x", "1.0", "99999999999999999999", "7%2F8", "%00"} {
		for method, target := range map[string]string{"GET": "", "DELETE": "", "POST": "/replay"} {
			wantProblem(t, b.ask(t, method, "/api/dead-letters/"+id+target, adminToken), http.StatusUnprocessableEntity)
		}
	}
}

func TestDeleteDeadLetter(t *testing.T) {
	b := stockedBench()
	if w := b.ask(t, "DELETE", "/api/dead-letters/7", adminToken); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(b.store.letters) != 0 {
		t.Error("the dead letter is still there")
	}
	wantProblem(t, b.ask(t, "DELETE", "/api/dead-letters/7", adminToken), http.StatusNotFound)
}

func TestReplay(t *testing.T) {
	for _, test := range []struct {
		name     string
		replayed ingest.Replayed
		status   int
		want     string
	}{
		{
			"applied", ingest.Replayed{Kind: store.KindSMS, Subject: "m-1"}, http.StatusOK,
			`{"replayed":true, "messageId":"m-1", "duplicate":false}`,
		},
		{
			"known", ingest.Replayed{Kind: store.KindSMS, Subject: "m-1", Duplicate: true}, http.StatusOK,
			`{"replayed":true, "messageId":"m-1", "duplicate":true}`,
		},
		{
			"flagged", ingest.Replayed{Kind: store.KindSMS, Subject: "m-1", Warning: "too long"}, http.StatusOK,
			`{"replayed":true, "messageId":"m-1", "duplicate":false, "validationWarning":"too long"}`,
		},
		{
			"spooled", ingest.Replayed{Kind: store.KindSMS, Subject: "m-1", Spooled: true}, http.StatusAccepted,
			`{"replayed":false, "messageId":"m-1", "duplicate":false, "queuedForRetry":true}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench()
			b.Replayer = replayFunc(func(ctx context.Context, id int64) (ingest.Replayed, error) {
				if _, limited := ctx.Deadline(); id != 7 || !limited {
					t.Errorf("replay of %d, with a time limit %t", id, limited)
				}
				return test.replayed, nil
			})
			w := b.ask(t, "POST", "/api/dead-letters/7/replay", adminToken)
			if diff := cmp.Diff(normal(t, test.want), normal(t, w.Body.String())); w.Code != test.status || diff != "" {
				t.Errorf("%d (-want +got)\n%s", w.Code, diff)
			}
		})
	}
}

func TestReplayErrors(t *testing.T) {
	for _, test := range []struct {
		name       string
		err        error
		status     int
		detail     string
		retryAfter string
	}{
		{"refused", &ingest.StillRefusedError{Reason: "/id: missing"}, 422, "still refused: /id: missing", ""},
		{"gone", fmt.Errorf("read: %w", store.ErrNotFound), 404, "there is nothing by this id", ""},
		{"away", fmt.Errorf("%w: dial", store.ErrUnavailable), 503, "the database is unavailable", "5"},
		{"busy", &ingest.BusyError{Reason: "the queue is full", RetryAfter: 1500 * time.Millisecond}, 503, "the queue is full", "2"},
		{"busy, no time", &ingest.BusyError{Reason: "stopping"}, 503, "stopping", "1"},
		{"fault", errors.New("disk of host x"), 503, "the database is unavailable", "5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench()
			b.Replayer = replayFunc(func(context.Context, int64) (ingest.Replayed, error) {
				return ingest.Replayed{}, test.err
			})
			w := b.ask(t, "POST", "/api/dead-letters/7/replay", adminToken)
			if detail := wantProblem(t, w, test.status); detail != test.detail {
				t.Errorf("detail %q, want %q", detail, test.detail)
			}
			if got := w.Header().Get("Retry-After"); got != test.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, test.retryAfter)
			}
		})
	}
}
