package console

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// strangeIDs are ids that a path could misunderstand, or that lead a page astray.
var strangeIDs = []string{
	"plain", "a/b", "/", "//", ".", "..", "../..", "a/../b", "%2f", "%2e%2e", "%", "a b", "a+b", "?q=1", "#x", ";", "\\",
	`"quoted"`, "'", "<script>alert(1)</script>", "javascript:alert(1)", "two\nlines", "tab\t", "\u202eRTL\u200f", "é\U0001F389",
	"wake", "{{.}}", strings.Repeat("long/", 2048),
}

func TestPathOf(t *testing.T) {
	mux := http.NewServeMux()
	var got string
	mux.HandleFunc("GET /things/{id...}", func(_ http.ResponseWriter, r *http.Request) { got = idOf(r) })
	check := func(id string) error {
		path := pathOf("/things", id)
		// A browser takes the path apart, and so may a proxy.
		base, _ := url.Parse("http://console/elsewhere/page")
		target, err := base.Parse(path)
		if err != nil {
			return err
		}
		got = "not asked"
		r, err := http.NewRequest(http.MethodGet, target.String(), nil)
		if err != nil {
			return err
		}
		mux.ServeHTTP(discard{}, r)
		if got != id {
			return fmt.Errorf("%s leads to %.100q", path, got)
		}
		if localPath(path) != path {
			return fmt.Errorf("%s is not one of our paths", path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			if dots, _, _ := strings.Cut(strings.ToLower(segment), "?"); dots == "." || dots == ".." || dots == "%2e" || dots == "%2e%2e" {
				return fmt.Errorf("a browser shortens %s", path)
			}
		}
		return nil
	}
	for _, id := range strangeIDs {
		if err := check(id); err != nil {
			t.Errorf("%.50q: %v", id, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`[./%\\a2eEfF]{1,6}`), rapid.StringN(1, 20, -1)).Draw(t, "id")
		if err := check(id); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMessagesOfAnyID(t *testing.T) {
	w := newWorld(t, nil)
	for i, id := range strangeIDs {
		reading := w.in.ReadSMS(fmt.Appendf(nil, `{"messageId":%s,"status":"DELIVRD","from":"+12025550100","to":"+120255501%02d"}`, quoted(id), i), at("2026-03-01T10:00:00Z"))
		if _, err := w.in.Submit(t.Context(), []ingest.Reading{reading}); err != nil {
			t.Fatal(err)
		}
		path := pathOf("/messages", id)
		if reading.Refused != nil { // control characters, and what is too long
			wants(t, w.get(t, viewerToken, path, http.StatusNotFound), "nothing with this id")
			continue
		}
		list := w.get(t, viewerToken, "/messages?q="+url.QueryEscape(id), http.StatusOK)
		wants(t, html.UnescapeString(list), `href="`+path+`"`)
		page := w.get(t, viewerToken, path, http.StatusOK)
		wants(t, page, "!<script>alert")
		wants(t, html.UnescapeString(page), "<bdi>"+id+"</bdi>")
		if p, request := w.pageAt(liveRequest(path)); p == nil || p.Name != "message" || idOf(request) != id {
			t.Errorf("%.50q: the page of %s is not live", id, path)
		}
	}
	wants(t, w.get(t, viewerToken, "/messages", http.StatusOK), "&lt;script&gt;alert(1)&lt;/script&gt;", "!<script>alert")
}

func TestMessage(t *testing.T) {
	w := newWorld(t, nil)
	receipt := `{"messageId":"m-1","status":%q,"timestamp":%q,"carrier":"VODAFONE","errorCode":%q,"cost":"0.04","currency":"EUR",
		"submittedAt":"2026-03-01T09:59:50Z","from":"+12025550100","to":"+12025550101","note":"</pre><script>alert(1)</script>"}`
	w.sms(t, at("2026-03-01T10:00:09Z"), fmt.Sprintf(receipt, "UNDELIV", "2026-03-01T10:00:05Z", "7"),
		fmt.Sprintf(receipt, "SENT", "2026-03-01T10:00:00Z", ""))
	page := w.get(t, viewerToken, "/messages/m-1", http.StatusOK)
	wants(t, page, "FAILED", "UNDELIV", "VODAFONE", "0.04 EUR", "2026-03-01T10:00:05Z", "2026-03-01T09:59:50Z", "15 s", "compliant",
		"&lt;/pre&gt;&lt;script&gt;", "!<script>alert", `data-key="receipt-1"`, "decides the state", "<title>Message m-1")
	if n := strings.Count(page, "decides the state"); n != 1 {
		t.Errorf("%d receipts decide the state", n)
	}
	for _, path := range []string{"/messages/none", "/messages/%FF", "/messages/a%00b", "/messages/", "/messages/?id=.."} {
		w.get(t, viewerToken, path, http.StatusNotFound)
	}
}

func TestSearchMessages(t *testing.T) {
	w := newWorld(t, nil)
	wants(t, w.get(t, viewerToken, "/messages", http.StatusOK), "No messages yet", `id="message-list"`)
	// One message has the number of another as its id.
	for id, to := range map[string]string{"m-1": "+12025550101", "m-2": "12025550101", "12025550101": "+12025550177"} {
		w.sms(t, at("2026-03-01T10:00:00Z"), fmt.Sprintf(`{"messageId":%q,"status":"DELIVRD","from":"+12025550100","to":%q}`, id, to))
	}
	for query, found := range map[string][]string{
		"+12025550101":                {"m-1", "m-2"},
		" +1 (202) 555-0101 ":         {"m-1", "m-2"},
		"12025550101":                 {"m-1", "m-2", "12025550101"},
		"m-1":                         {"m-1"},
		"m-":                          nil,
		"\x00":                        nil,
		"\xff":                        nil,
		"' OR 1=1 --":                 nil,
		strings.Repeat("x", 10_000):   nil,
		"<script>alert(1)</script>\n": nil,
	} {
		page := w.get(t, viewerToken, "/messages?q="+url.QueryEscape(query), http.StatusOK)
		if n := strings.Count(page, `href="/messages/`); n != len(found) {
			t.Errorf("%.40q: %d messages, want %d", query, n, len(found))
		}
		for _, id := range found {
			wants(t, page, `href="/messages/`+id+`"`)
		}
		wants(t, page, "!<script>alert")
	}
}

func TestDialled(t *testing.T) {
	for text, want := range map[string]string{
		"+1 (202) 555-0101": "+12025550101", "0049/30.12": "00493012", "++1": "++1", "+": "+", "": "", "-": "-",
		"m-1": "m-1", "1-2-a": "1-2-a", "x1": "x1", "1": "1",
	} {
		if got := dialled(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// What was submitted after it ended, or is not over, took no time.
func TestTook(t *testing.T) {
	m := messageView{Message: &sms.Message{Status: sms.Delivered, Submitted: at("2026-03-01T10:00:00Z"), StatusAt: at("2026-03-01T10:00:07Z")}}
	if m.Took().Seconds() != 7 {
		t.Errorf("took %v", m.Took())
	}
	m.Status = sms.Pending
	if m.Took() != 0 {
		t.Errorf("a pending one took %v", m.Took())
	}
	m.Status, m.StatusAt = sms.Failed, at("2026-03-01T09:59:00Z")
	if m.Took() != 0 {
		t.Errorf("one from before took %v", m.Took())
	}
}
