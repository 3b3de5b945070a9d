package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// canaries are the secrets of a process. Each text occurs nowhere else.
var canaries = settings{
	"WEBHOOK_SECRET":      "aye-aye-webhook-88e1",
	"ADMIN_TOKEN":         "bongo-operator-88e2",
	"VIEWER_TOKEN":        "caracal-viewer-88e3",
	"CXONE_CLIENT_SECRET": "dhole-client-88e4",
	"CRM_API_TOKEN":       "echidna-crm-88e5",
	"DATABASE_URL":        "fossa-database-88e6", // its password
	"given":               "gerenuk-given-88e7",  // the access token of CXone
	"guessed":             "hoatzin-guess-88e8",  // what strangers try
}

// A process never shows its secrets, whether they come from the environment or from files: not in its
// answers, pages, metrics and log, and not to other users of the machine.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"environment", "files"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			s := canarySettings(t, o)
			if where == "files" {
				s = inFiles(t, s)
			}
			p := serve(t, s)
			said := map[string]string{"process": processText(t, p, where == "files")}
			told := func(name, text string) { said[name] += text }

			goThroughDoors(t, p, told)
			p.postCanary(t)
			eventually(t, "CRM and CXone have refused", func() bool {
				_, parts := p.ready(t)
				return parts[subscription] == "failing" && strings.Contains(p.log.String(), "canary-thread")
			})
			goThroughDoors(t, p, told)
			o.stop(t)
			p.postCanary(t)
			eventually(t, "the database is missed", func() bool { return strings.Contains(p.log.String(), "still away") })
			goThroughDoors(t, p, told)
			p.kill(t)
			said["log"], said["output"] = p.log.String(), p.stdout.String()
			for _, command := range []string{"doctor", "healthcheck", "migrate"} {
				_, out, complaints := finish(t, s, command)
				said[command] = out + complaints
			}
			_, out, complaints := finish(t, s.with(settings{"PORT": "x", "LOG_LEVEL": "x"}), "serve")
			said["serve with mistakes"] = out + complaints
			for name, text := range said {
				wantNoCanary(t, name, text)
			}
		})
	}
}

func wantNoCanary(t *testing.T, name, text string) {
	t.Helper()
	for setting, canary := range canaries {
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("%s shows %s: %s", name, setting, text[max(0, at-100):min(len(text), at+100)])
		}
	}
}

// canarySettings are those of a process whose CRM and CXone repeat in errors what they were sent.
func canarySettings(t *testing.T, o *outage) settings {
	t.Helper()
	address, err := url.Parse(o.settings["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("postgres", canaries["DATABASE_URL"])
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		w.Write([]byte(`{"message":` + quoted("I was told "+r.Header.Get("Authorization")) + `}`))
	}))
	t.Cleanup(crm.Close)
	s := o.settings.with(canaries).with(settings{
		"given": "", "guessed": "", "DATABASE_URL": address.String(), "LOG_LEVEL": "debug", "SIMULATOR": "true",
		"CRM_API_URL": crm.URL, "CXONE_DOMAIN": newParrot(t, canaries["given"]), "CXONE_CLIENT_ID": "id",
		"SERVER_URL": "https://bridge.example.com", "ADDR": "127.0.0.1:0",
	})
	return s
}

// inFiles moves the secrets of settings into files.
func inFiles(t *testing.T, s settings) settings {
	t.Helper()
	moved, folder := s.with(nil), t.TempDir()
	for name := range canaries {
		if s[name] == "" {
			continue
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(s[name]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		moved[name], moved[name+"_FILE"] = "", path
	}
	return moved
}

// processText returns what the system shows of a process, which must have no children. The environment is
// shown only to the user of the process, so it is looked at only where it must not contain a secret.
func processText(t *testing.T, p *process, withEnvironment bool) string {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	files := []string{"cmdline", "status", "comm"}
	if withEnvironment {
		files = append(files, "environ")
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(folder + name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	children, err := filepath.Glob(folder + "task/*/children")
	if err != nil || len(children) == 0 {
		t.Fatalf("children: %v, %v", children, err)
	}
	for _, path := range children {
		if text, err := os.ReadFile(path); err == nil && len(bytes.TrimSpace(text)) > 0 {
			t.Errorf("there are children, which have its environment: %s", text)
		}
	}
	return all.String()
}

// postCanary posts events, some of them refused.
func (p *process) postCanary(t *testing.T) {
	t.Helper()
	for path, body := range map[string]string{
		threadsPath:           event(updated, "canary-thread", 1, saying(line("m-1", "Hello", 1))),
		"/webhooks/cxone/sms": `{"messageId":"canary","status":"SENT"} ` + canaries["guessed"],
	} {
		for _, secret := range []string{canaries["WEBHOOK_SECRET"], canaries["guessed"]} {
			request, err := http.NewRequest(http.MethodPost, p.address+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Webhook-Secret", secret)
			p.exchange(t, request)
		}
	}
}

// exchange returns all of an answer, as text.
func (p *process) exchange(t *testing.T, request *http.Request) string {
	t.Helper()
	client := &http.Client{
		Timeout: patience, Transport: p.client.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintln(response.Status, response.Header, string(body))
}

// goThroughDoors asks for everything there is as each kind of caller, and passes the answers to told.
func goThroughDoors(t *testing.T, p *process, told func(name, text string)) {
	t.Helper()
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	session := p.signIn(t, canaries["ADMIN_TOKEN"])
	extra := []door{
		{endpoint: "GET /threads/{id...}", path: "/threads/canary-thread"},
		{endpoint: "GET /api/threads/{id}", path: "/api/threads/canary-thread"},
		{endpoint: "POST /threads/wake", body: "id=canary-thread"},
		{endpoint: "POST /threads/reconcile", body: "id=canary-thread"},
		{endpoint: "POST /api/reconcile/{id}", path: "/api/reconcile/canary-thread"},
		{endpoint: "GET /dead-letters/{id}", path: "/dead-letters/1"},
		{endpoint: "POST /login", body: "token=" + canaries["guessed"]},
	}
	for _, d := range append(extra, doors...) {
		if strings.Contains(d.endpoint, "-all") || strings.HasPrefix(d.endpoint, "POST /api/dead-letters/") {
			continue // what is refused is to stay
		}
		for _, as := range []func(*http.Request){
			bearer(canaries["ADMIN_TOKEN"]), bearer(canaries["guessed"]),
			func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "cxbridge_session", Value: session}) },
			func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "cxbridge_session", Value: canaries["guessed"]}) },
			func(r *http.Request) { r.Header.Set("X-Webhook-Secret", canaries["guessed"]) },
		} {
			request := d.request(t, p)
			as(request)
			text := p.exchange(t, request)
			// What was refused is shown to the operator as it came, which here holds what was guessed.
			if strings.Contains(d.endpoint, "dead-letters") {
				text = strings.ReplaceAll(text, canaries["guessed"], "")
			}
			told(d.endpoint, text)
		}
	}
}
