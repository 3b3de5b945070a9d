package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/access"
)

// A notice is shown once, and only to who did what it tells of.
func TestNotice(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, 1)
	next := w.post(t, "/dead-letters/2/replay")
	if w.notice == nil || !w.notice.HttpOnly || w.notice.SameSite != http.SameSiteLaxMode || w.notice.Path != "/" || w.notice.MaxAge != 60 {
		t.Fatalf("the cookie is %v", w.notice)
	}
	if next.String() != "/dead-letters/2" {
		t.Errorf("the address tells: %s", next)
	}
	left := w.notice
	stream := liveRequest("/dead-letters")
	stream.AddCookie(left)
	if p, request := w.pageAt(stream); p != nil {
		v, err := w.load(t.Context(), p, request, true)
		if err != nil || v.Notice != nil {
			t.Errorf("a stream takes the notice: %v, %v", v, err)
		}
	}
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), `class="warning break" role="alert"`, "It is still refused: ")
	if w.notice != nil {
		t.Error("the browser keeps it")
	}
	wants(t, w.get(t, adminToken, next.String(), http.StatusOK), "!It is still refused")

	r := httptest.NewRequest("GET", "/messages", nil)
	r.AddCookie(w.tokens[viewerToken])
	r.AddCookie(left)
	wants(t, ask(w.Console, r).Body.String(), "!It is still refused")
	w.post(t, "/dead-letters/2/delete")
	wants(t, w.get(t, adminToken, "/dead-letters", http.StatusOK), `class="notice break" role="status"`, "Dead letter 2 is deleted.")
}

// Nobody but us makes a page say something: neither by its address nor by a cookie.
func TestForgedNotice(t *testing.T) {
	w := newWorld(t, nil)
	w.letters(t, 1)
	for _, path := range []string{"/dead-letters", "/dead-letters/2", "/threads", "/messages"} {
		page := w.get(t, adminToken, path+"?done=Call+555&failed=Call+555&notice=Call+555", http.StatusOK)
		main, _, _ := strings.Cut(page[strings.Index(page, "<main"):], "</main>")
		wants(t, main, "!Call 555", `!class="notice`, `!class="warning`)
	}
	others := access.NewSessions("another token", viewerToken)
	for name, value := range map[string]string{
		"plain":          "+Call 555",
		"empty":          "",
		"another's":      others.SealNotice(w.tokens[adminToken].Value, "+Call 555", time.Now()),
		"other session":  w.sessions.SealNotice(w.tokens[viewerToken].Value, "+Call 555", time.Now()),
		"too old":        w.sessions.SealNotice(w.tokens[adminToken].Value, "+Call 555", time.Now().Add(-time.Minute)),
		"without a text": w.sessions.SealNotice(w.tokens[adminToken].Value, "", time.Now()),
	} {
		w.notice = &http.Cookie{Name: noticeCookie, Value: value}
		wants(t, w.get(t, adminToken, "/threads", http.StatusOK), "!Call 555", `!class="notice`)
		if w.notice != nil {
			t.Errorf("%s: the browser keeps it", name)
		}
	}
}

// A notice is as long as a cookie may be, and shown as text.
func TestLongNotice(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRequest("POST", "/", nil)
	r.AddCookie(w.tokens[adminToken])
	answer := httptest.NewRecorder()
	w.leaveNotice(answer, r, notice{Text: "<b>" + strings.Repeat("ä", 100_000)})
	if n := len(answer.Header().Get("Set-Cookie")); n > 4096 {
		t.Errorf("the cookie has %d bytes", n)
	}
	w.keep(answer)
	wants(t, w.get(t, adminToken, "/threads", http.StatusOK), "<bdi>&lt;b&gt;ää", "ä…</bdi>")
}
