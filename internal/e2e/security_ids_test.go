package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// strangeIDs are ids that mean something to a path, a header, a log, a page or a terminal.
var strangeIDs = map[string]string{
	"path up":          "../../admin",
	"dots":             "..",
	"dot":              ".",
	"slash":            "/",
	"encoded slash":    "a%2fb",
	"encoded path up":  "..%2f..%2fadmin",
	"query":            "a?b=c&d=e#f",
	"semicolon":        "a;b",
	"backslash":        `..\..\admin`,
	"script":           `"><script>alert(1)</script>`,
	"template":         "{{.Token}}${jndi:ldap://x}",
	"sql":              "'; DROP TABLE threads; --",
	"right to left":    "a\u202eb\u2066c",
	"combining":        "e\u0301" + strings.Repeat("\u0301", 40),
	"wide":             "🦊 fox",
	"space":            " a b ",
	"nul":              "a\x00b",
	"line feed":        "a\nb",
	"forged log line":  "a\n{\"level\":\"ERROR\",\"msg\":\"forged\"}",
	"forged header":    "a\r\nX-Forged: yes",
	"line separator":   "a\u2028b\u0085c",
	"escape":           "a\x1b[31mred",
	"delete":           "a\x7fb",
	"10 kB":            strings.Repeat("x", 10_000),
	"10 kB of slashes": strings.Repeat("../", 3_400),
	"replacement":      "a\ufffdb",
}

// witness is a CRM that accepts everything and notes its requests.
type witness struct {
	mu    sync.Mutex
	asked []*http.Request
	body  []string
}

func (c *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.body = append(c.asked, r), append(c.body, string(body))
	if err != nil || r.Method == http.MethodGet {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	w.Write([]byte(`{}`))
}

// Whatever an id is, it is either refused, or unchanged everywhere: it is one segment of one path to the
// CRM, in one line of the log, one text in a page, and the API finds it. Nothing in it is interpreted.
func TestStrangeIDs(t *testing.T) {
	t.Parallel()
	var crm witness
	p := serve(t, onSQLite(t).settings.with(serveCRM(t, &crm)).with(settings{"LOG_LEVEL": "debug"}))
	session := p.signIn(t, adminToken)
	taken := 0
	for name, id := range strangeIDs {
		t.Run(name, func(t *testing.T) {
			wantOneOf(t, p.hook(t, threadsPath, event(updated, id, 1, saying(line("m-1", "Hello", 1)))), 200, 202, 400, 422)
			wantOneOf(t, p.hook(t, "/webhooks/cxone/sms", `{"messageId":`+quoted(id)+`,"status":"DELIVERED"}`), 200, 422)
			for _, kind := range []string{"threads", "messages"} {
				var found struct{ ThreadID, MessageID string }
				status := p.call(t, http.MethodGet, "/api/"+kind+"/"+url.PathEscape(id), viewerToken, &found)
				wantOneOf(t, status, 200, 404, 422)
				if status == http.StatusOK {
					taken++
					if found.ThreadID+found.MessageID != id {
						t.Errorf("asked for %.100q, got %.100q", id, found.ThreadID+found.MessageID)
					}
				}
				for _, query := range []string{"/" + kind + "?q=" + url.QueryEscape(id), "/" + kind + "/" + url.PathEscape(id)} {
					wantHarmlessPage(t, p, session, query)
				}
			}
			request, err := http.NewRequest(http.MethodPost, p.address+"/threads/wake", strings.NewReader(url.Values{"id": {id}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.AddCookie(&http.Cookie{Name: "cxbridge_session", Value: session})
			if answer := p.exchange(t, request); strings.HasPrefix(answer, "5") || strings.Contains(answer, "X-Forged") {
				t.Errorf("wake: %.300s", answer)
			}
		})
	}
	if taken < len(strangeIDs)/2 {
		t.Errorf("only %d ids were taken at all", taken)
	}
	eventually(t, "what was taken is pushed or given up", func() bool {
		return len(slices.DeleteFunc(p.unsynced(t), func(line string) bool { return strings.Contains(line, " is parked: ") })) == 0
	})
	crm.check(t)
	for line := range strings.Lines(p.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == "forged" || len(line) > 4096 {
			t.Errorf("a line of the log is %v: %.300q", err, line)
		}
		if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x00\x1b\x7f\r\n") {
			t.Errorf("a control character is in the log: %.300q", line)
		}
	}
}

// check wants each path to be that of a thread, and every header to be of one line.
func (c *witness) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) == 0 {
		t.Error("the CRM was never asked")
	}
	for i, r := range c.asked {
		escaped := r.URL.EscapedPath()
		segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
		if segments[0] != "threads" || len(segments) > 2 || r.URL.RawQuery != "" || slices.Contains(segments, "..") || slices.Contains(segments, ".") {
			t.Errorf("the CRM is asked for %.200s", r.RequestURI)
		}
		if r.Header.Get("X-Forged") != "" {
			t.Error("a header was forged")
		}
		if key := r.Header.Get("Idempotency-Key"); r.Method != http.MethodGet && (key == "" || len(key) > 256) {
			t.Errorf("Idempotency-Key %.300q", key)
		}
		if r.Method == http.MethodGet {
			continue
		}
		var delta map[string]any
		if err := json.Unmarshal([]byte(c.body[i]), &delta); err != nil {
			t.Errorf("the body is no JSON: %v", err)
		}
	}
}

// hook posts to a webhook and returns the status.
func (p *process) hook(t testing.TB, path, body string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, p.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Webhook-Secret", webhookSecret)
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// isolated finds what a browser writes in a direction of its own, apart from the text around.
var isolated = regexp.MustCompile(`<bdi>[^<]*</bdi>|<title>[^<]*</title>|="[^"]*"`)

// wantHarmlessPage asks the console for a page, which must be one, with nothing of an id in it that a
// browser would obey.
func wantHarmlessPage(t *testing.T, p *process, session, path string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(&http.Cookie{Name: "cxbridge_session", Value: session})
	answer := p.exchange(t, request)
	if strings.HasPrefix(answer, "5") || strings.Contains(answer, "<script>") || strings.Contains(answer, "\x00") {
		t.Errorf("%.200s: %.2000s", path, answer)
	}
	rest := isolated.ReplaceAllString(answer, "")
	if at := strings.Index(rest, "\u202e"); at >= 0 {
		t.Errorf("%.200s: the text around an id is turned about: %q", path, rest[max(0, at-200):at+20])
	}
}
