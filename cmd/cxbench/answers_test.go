package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

// What is in the database is what the counts say, and what is asked for is there.
func TestStock(t *testing.T) {
	ctx := t.Context()
	st, err := sqlite.Open(filepath.Join(t.TempDir(), "stock.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const messages = 12_345
	began := time.Now()
	s, err := fill(ctx, st, messages, 1)
	if err != nil {
		t.Fatal(err)
	}
	tallies, err := st.Tally(ctx)
	var rows int64
	for _, one := range tallies {
		rows += one.Messages
	}
	if err != nil || rows != messages {
		t.Errorf("%d messages are in the database: %v", rows, err)
	}
	for length, want := range map[time.Duration][2]int64{
		90 * 24 * time.Hour: {messages, messages},
		// The second half, with what the first has in the hours before.
		3 * time.Hour: {messages / 2, messages/2 + 20},
	} {
		if got := counted(t, st, length); got < want[0] || got > want[1] {
			t.Errorf("counted are %d messages of the last %s, want %v", got, length, want)
		}
	}
	if moved, err := st.Compact(ctx, time.Now(), 1); err != nil || moved != 0 {
		t.Errorf("%d deltas are left over: %v", moved, err)
	}
	for i, id := range s.ids {
		m, receipts, err := st.Message(ctx, id)
		if err != nil || m.Recipient != s.numbers[i] || len(receipts) == 0 || m.FirstSeen.Before(began.Add(-stockSpan-time.Minute)) {
			t.Fatalf("message %q: %+v, %v", id, m, err)
		}
	}
	if n, err := st.CountDeadLetters(ctx, store.LetterFilter{}, 1000); err != nil || n != s.others || len(s.threads) != s.others {
		t.Errorf("%d dead letters, %d threads of %d: %v", n, len(s.threads), s.others, err)
	}
}

func counted(t *testing.T, st store.Store, length time.Duration) int64 {
	t.Helper()
	window, err := analytics.NewWindow(time.Now(), length, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := analytics.NewSum(window, analytics.Filter{}, nil)
	if err := st.Counts(t.Context(), sum.Ranges(), sum.Add); err != nil {
		t.Fatal(err)
	}
	return sum.Report(analytics.DefaultPolicy()).Total
}

// No two questions in a row are the same, and each is one that the server takes.
func TestQuestionsAreNew(t *testing.T) {
	s := &stock{others: 3, ids: []string{"a", "b"}, numbers: []string{"+1", "+2"}, threads: []string{"t"}}
	for _, q := range questions(s) {
		paths := make(map[string]bool)
		for n := range 3000 {
			paths[q.path(n)] = true
		}
		if q.isAnswer && len(paths) != 3000 {
			t.Errorf("%s is asked in %d ways", q.name, len(paths))
		}
		for path := range paths {
			u, err := url.Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			if !q.isAnswer {
				continue
			}
			length, err := analytics.ParseLength(u.Query().Get("window"))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			step, err := analytics.ParseLength(u.Query().Get("step"))
			if err != nil && u.Query().Has("step") {
				t.Fatalf("%s: %v", path, err)
			}
			if _, err := analytics.NewWindow(time.Now(), length, step); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
}

func TestAsker(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
		_, err := r.Cookie("session")
		switch {
		case r.URL.Path == "/login" && r.PostFormValue("token") == "secret":
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "x", Path: "/"})
		case r.URL.Path == "/analytics/delivery" && r.Header.Get("Authorization") == "Bearer secret":
		case r.URL.Path == "/page" && err == nil:
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	path := func(p string) func(int) string { return func(int) string { return p } }
	all := []question{
		{"an answer", path("/analytics/delivery?window=1h"), true}, {"a page", path("/page"), false}, {"another", path("/other"), false},
	}
	a, err := newAsker(t.Context(), addr, "secret", all, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.run(t.Context(), 30*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"/login": 1, "/analytics/delivery": 20, "/page": 10, "/other": 10}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"/other: 403": 10}, a.wrong); diff != "" {
		t.Errorf("wrong (-want +got):\n%s", diff)
	}
	one := &sized{}
	one.sum(a, make([]time.Duration, len(all)))
	if text := one.verdict(); !strings.Contains(text, "each question 10 times") || !strings.Contains(text, "NOT ANSWERED /other: 403, 10 times") {
		t.Errorf("verdict %q", text)
	}
	if _, err := newAsker(t.Context(), addr, "wrong", all, 1); err == nil {
		t.Error("signed in with a wrong token")
	}
}

func TestVerdict(t *testing.T) {
	a := &asker{questions: make([]question, 2), again: newMicros()}
	for range a.questions {
		a.fresh = append(a.fresh, newMicros())
	}
	told := func(which int, took time.Duration) string {
		for range 100 {
			record(a.fresh[which], took)
		}
		one := &sized{}
		one.sum(a, make([]time.Duration, 2))
		return one.verdict()
	}
	told(0, time.Millisecond)
	if text := told(1, 40*time.Millisecond); !strings.Contains(text, "p95 is below 50ms for every question") {
		t.Error(text)
	}
	if text := told(1, 60*time.Millisecond); !strings.Contains(text, "p95 is 50ms or more for 1 of 2 questions") {
		t.Error(text)
	}
}

// The functions that a server without counting is to leave out are there, and it can be built.
func TestBuildUncounting(t *testing.T) {
	binary, err := buildUncounting(context.WithoutCancel(t.Context()), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(binary); err != nil || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestBeginWith(t *testing.T) {
	const source = "package p\n\nfunc a() int {\n\treturn 1\n}\n\nfunc (t T) b() {}\n"
	got, err := beginWith(map[string]string{"a": "return 2", "b": "return"}, []byte(source))
	want := "package p\n\nfunc a() int { return 2;\n\treturn 1\n}\n\nfunc (t T) b() { return;}\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := beginWith(map[string]string{"a": "return 2", "c": "return"}, []byte(source)); err == nil {
		t.Error("a function that is not there is not missed")
	}
}
