package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/store"
)

// spy tells what is read of a store.
type spy struct {
	Store
	bodies int   // dead letters that were read in whole
	lists  []int // of dead letters: how many were asked for
	events []int // how many bytes of bodies each reading of a journal brought
}

func (s *spy) DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error) {
	s.bodies++
	return s.Store.DeadLetter(ctx, id)
}

func (s *spy) FindDeadLetters(ctx context.Context, f store.LetterFilter, before int64, limit int) ([]store.DeadLetter, error) {
	s.lists = append(s.lists, limit)
	return s.Store.FindDeadLetters(ctx, f, before, limit)
}

func (s *spy) Events(ctx context.Context, threadID string, limit, rawBytes int) ([]store.ThreadEvent, error) {
	events, err := s.Store.Events(ctx, threadID, limit, rawBytes)
	read := 0
	for _, e := range events {
		read += len(e.Raw)
	}
	s.events = append(s.events, read)
	return events, err
}

// newSpied returns a world, and what tells of its readings.
func newSpied(t *testing.T) (*world, *spy) {
	t.Helper()
	s := new(spy)
	return newWorld(t, func(c *Config) { s.Store, c.Store = c.Store, s }), s
}

// look does what a stream does, as the bearer of a token.
func (w *world) look(t *testing.T, token, path string, sent map[string]digest, calm bool) []change {
	t.Helper()
	r := liveRequest(path)
	r.AddCookie(w.tokens[token])
	p, request := w.pageAt(r)
	if p == nil {
		t.Fatalf("there is no page %s", path)
	}
	all, err := w.changes(t.Context(), p, request, sent, calm)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// However large the events of a thread are, its page reads only what it shows of them, and an open page
// reads that only now and then.
func TestLooksAtAThreadOfLargeEvents(t *testing.T) {
	w, s := newSpied(t)
	for i := range eventsShown + 2 {
		w.threads(t, fmt.Sprintf(`{"event":"THREAD_UPDATED","data":{"threadId":"t","version":%d,"filler":"%s"}}`, i+1, strings.Repeat("ä", 500_000)))
	}
	page := w.get(t, viewerToken, "/threads/t", http.StatusOK)
	if n := strings.Count(page, "… 977 KiB in all"); n != eventsShown || len(page) > 2*eventsShown*eventBytes {
		t.Errorf("%d events on a page of %d bytes", n, len(page))
	}
	sent := make(map[string]digest)
	for look := range 2 * calmEvery {
		w.look(t, viewerToken, "/threads/t", sent, look%calmEvery == 0)
	}
	if len(s.events) != 3 {
		t.Errorf("the page and %d looks read the journal %d times", 2*calmEvery, len(s.events))
	}
	for _, read := range s.events {
		if read > eventsShown*(eventBytes+1) {
			t.Errorf("%d bytes of bodies are read", read)
		}
	}
}

// An event that comes in shows in an open page, and one that is no longer than what is shown is in it in
// whole.
func TestLooksShowNewEvents(t *testing.T) {
	w := newWorld(t, nil)
	w.threads(t, `{"event":"THREAD_UPDATED","data":{"threadId":"t","version":1}}`)
	sent := make(map[string]digest)
	if first := w.look(t, viewerToken, "/threads/t", sent, true); len(first) != 5 {
		t.Errorf("the first look brings %d blocks", len(first))
	}
	if next := w.look(t, viewerToken, "/threads/t", sent, true); len(next) != 0 {
		t.Errorf("nothing happened: %v", next)
	}
	w.threads(t, `{"event":"THREAD_UPDATED","data":{"threadId":"t","version":2,"news":"yes"}}`)
	for _, c := range w.look(t, viewerToken, "/threads/t", sent, false) {
		if c.ID == "thread-events" {
			t.Error("the events are made at every look")
		}
	}
	last := w.look(t, viewerToken, "/threads/t", sent, true)
	if len(last) != 1 || last[0].ID != "thread-events" || !strings.Contains(last[0].HTML, "&#34;news&#34;: &#34;yes&#34;") {
		t.Errorf("the events do not come: %v", last)
	}
}

// A look at the list of dead letters reads no body, and asks once.
func TestLooksAtDeadLetters(t *testing.T) {
	w, s := newSpied(t)
	w.letters(t, lettersShown+5)
	page := w.get(t, adminToken, "/dead-letters", http.StatusOK)
	wants(t, page, `data-live="/dead-letters"`)
	w.look(t, adminToken, "/dead-letters", make(map[string]digest), true)
	if s.bodies != 0 || fmt.Sprint(s.lists) != fmt.Sprint([]int{lettersShown + 1, lettersShown + 1}) {
		t.Errorf("%d bodies are read, and lists of %v", s.bodies, s.lists)
	}
	// A filter looks at all of them: it is not asked again and again.
	for _, query := range []string{"text=m-1", "kind=thread", "kind=sms&text=m-1"} {
		wants(t, w.get(t, adminToken, "/dead-letters?"+query, http.StatusOK), "!data-live")
	}
}

// A list of threads that is found by looking at all of them is not asked for again and again.
func TestLooksAtThreads(t *testing.T) {
	w := newWorld(t, withCRM)
	for query, isLive := range map[string]bool{
		"": true, "after=t": true, "state=parked": true, "state=synced": false, "state=pending": false, "state=retrying": false,
		"text=t": false, "text=t&state=parked": false,
	} {
		page := w.get(t, viewerToken, "/threads?"+query, http.StatusOK)
		if strings.Contains(page, "data-live") != isLive {
			t.Errorf("%q follows what happens: %v", query, !isLive)
		}
	}
}

// What is sent is one line of JSON, whatever the text.
func TestWriteChange(t *testing.T) {
	var b bytes.Buffer
	if err := writeChange(&b, change{"x", "<p>a & \"b\"\r\n\u2028\xff</p>"}); err != nil {
		t.Fatal(err)
	}
	want := "data: {\"id\":\"x\",\"html\":\"<p>a & \\\"b\\\"\\r\\n\\u2028\\ufffd</p>\"}\n\n"
	if got := b.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
