package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/crm/rest"
	"github.com/cxbridge/cxbridge/internal/sim"
)

const private = "my card is 4111 1111 1111 1111"

// patch is a delta of the thread a/b at version 7.
var patch = crm.Request{
	ThreadID: "a/b", Version: 7, IfMatch: `"v6"`,
	Body: []byte(`{"threadId":"a/b","version":7,"updatedAt":"2026-11-22T01:44:21Z","parentThreadId":null,` +
		`"addedMessages":[{"id":"m1","text":"` + private + `"}],"addedParticipants":[{"id":"p1","name":"Ann Example"}]}`),
}

// seen is a request as the CRM sees it.
type seen struct {
	Line   string // method and path
	Header map[string]string
	Body   string
}

func TestRequests(t *testing.T) {
	var got []seen
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{Line: r.Method + " " + r.URL.EscapedPath(), Header: make(map[string]string)}
		for _, name := range []string{"Authorization", "Content-Type", "Accept", "User-Agent", "If-Match", "Idempotency-Key"} {
			if values := r.Header.Values(name); len(values) > 0 {
				s.Header[name] = strings.Join(values, "|")
			}
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.Body = string(body)
		got = append(got, s)
		io.WriteString(w, `{"version":7}`)
	}))
	create := patch
	create.IfMatch = ""
	for _, call := range []func() error{
		func() error { _, err := c.Get(t.Context(), "a/b"); return err },
		func() error { _, err := c.Patch(t.Context(), patch); return err },
		func() error { _, err := c.Create(t.Context(), create); return err },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	const key = "a%2Fb-7-de57a204554e3e6b00c6ffab6b2f104c"
	header := func(more ...string) map[string]string {
		h := map[string]string{"Authorization": "Bearer " + token, "Accept": "application/json", "User-Agent": "cxbridge"}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	want := []seen{
		{"GET /threads/a%2Fb", header(), ""},
		{"PATCH /threads/a%2Fb", header("Content-Type", "application/json", "Idempotency-Key", key, "If-Match", `"v6"`), string(patch.Body)},
		{"POST /threads", header("Content-Type", "application/json", "Idempotency-Key", key), string(patch.Body)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An acknowledgement has the CRM's own version where it tells one, and only an ETag that can be used.
func TestAck(t *testing.T) {
	for _, tt := range []struct {
		name       string
		status     int
		etag, body string
		want       crm.Ack
	}{
		{"Nothing", 204, "", "", crm.Ack{Status: 204, Version: 7}},
		{"Version", 200, `"v9"`, `{"id":1,"version":9}`, crm.Ack{Status: 200, Version: 9, ETag: `"v9"`}},
		{"SameVersion", 201, "", `{"version":7}`, crm.Ack{Status: 201, Version: 7}},
		{"NoVersion", 200, "", `{"ok":true}`, crm.Ack{Status: 200, Version: 7}},
		{"TextVersion", 200, "", `{"version":"9"}`, crm.Ack{Status: 200, Version: 7}},
		{"BadVersion", 200, "", `{"version":-1}`, crm.Ack{Status: 200, Version: 7}},
		{"NoJSON", 200, "", `OK`, crm.Ack{Status: 200, Version: 7}},
		{"Long", 200, "", `{"a":"` + strings.Repeat("x", 2<<20) + `","version":9}`, crm.Ack{Status: 200, Version: 7}},
		{"WeakETag", 200, `W/"v9"`, "", crm.Ack{Status: 200, Version: 7}},
		{"BareETag", 200, `v9`, "", crm.Ack{Status: 200, Version: 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.etag != "" {
					w.Header().Set("ETag", tt.etag)
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			got, err := c.Patch(t.Context(), patch)
			if err != nil || got != tt.want {
				t.Errorf("the acknowledgement is %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestClasses(t *testing.T) {
	certain := func(c crm.Class) [3]crm.Error { return [3]crm.Error{{Class: c}, {Class: c}, {Class: c}} }
	uncertain := func(c crm.Class) [3]crm.Error {
		return [3]crm.Error{{Class: c}, {Class: c, Uncertain: true}, {Class: c, Uncertain: true}}
	}
	for status, want := range map[int][3]crm.Error{ // of GET, PATCH, POST
		301: certain(crm.ClassFailed),
		304: certain(crm.ClassFailed),
		307: certain(crm.ClassFailed),
		400: certain(crm.ClassPermanent),
		401: certain(crm.ClassPermanent),
		403: certain(crm.ClassPermanent),
		404: {{Class: crm.ClassGone}, {Class: crm.ClassGone}, {Class: crm.ClassPermanent}},
		405: certain(crm.ClassPermanent),
		408: uncertain(crm.ClassFailed),
		409: certain(crm.ClassConflict),
		410: certain(crm.ClassPermanent),
		412: certain(crm.ClassConflict),
		413: certain(crm.ClassPermanent),
		422: certain(crm.ClassPermanent),
		425: certain(crm.ClassFailed),
		429: certain(crm.ClassThrottled),
		451: certain(crm.ClassPermanent),
		499: certain(crm.ClassPermanent),
		500: uncertain(crm.ClassFailed),
		501: uncertain(crm.ClassFailed),
		502: uncertain(crm.ClassFailed),
		503: uncertain(crm.ClassThrottled),
		504: uncertain(crm.ClassFailed),
		599: uncertain(crm.ClassFailed),
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.test/?token=x")
				w.WriteHeader(status)
			}))
			_, getErr := c.Get(t.Context(), "a/b")
			_, patchErr := c.Patch(t.Context(), patch)
			_, postErr := c.Create(t.Context(), patch)
			for i, err := range []error{getErr, patchErr, postErr} {
				e := crm.AsError(err)
				if e.Class != want[i].Class || e.Uncertain != want[i].Uncertain || e.Status != status {
					t.Errorf("call %d: class %d, uncertain %t, status %d: %v", i, e.Class, e.Uncertain, e.Status, err)
				}
				if !strings.HasPrefix(e.Message, fmt.Sprint(status, ": ")) || strings.Contains(e.Message, "token=") {
					t.Errorf("call %d: the message is %q", i, e.Message)
				}
			}
		})
	}
}

// What the CRM says reaches the operator, and nothing private does.
func TestWords(t *testing.T) {
	long := strings.Repeat("é", 300)
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"None", "", "", "422: the CRM refuses it as unprocessable entity"},
		{"Message", "application/json", `{"message":"no such queue"}`, "422: the CRM refuses it as unprocessable entity (it says: no such queue)"},
		{"Plain", "text/plain; charset=utf-8", "no\tsuch\r\n\x1b[31mqueue\n", "(it says: no such [31mqueue)"},
		{"HTML", "text/html", "<p>no such queue</p>", "unprocessable entity"},
		{"Long", "application/json", `{"error":"` + long + `"}`, "(it says: " + strings.Repeat("é", 199) + "…)"},
		{"Token", "application/json", `{"error":"bad token ` + token + `"}`, "(its words hold the token and are left out)"},
		{"Text", "application/json", `{"error":"text '` + private + `' is not allowed"}`, "(its words repeat the conversation and are left out)"},
		{"PartOfText", "text/plain", "near 'card is 4111 1111 1'", "(its words repeat the conversation and are left out)"},
		{"Name", "application/json", `{"error":"Ann Example is unknown"}`, "(its words repeat the conversation and are left out)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				w.WriteHeader(http.StatusUnprocessableEntity)
				io.WriteString(w, tt.body)
			}))
			_, err := c.Patch(t.Context(), patch)
			e := crm.AsError(err)
			if !strings.HasSuffix(e.Message, tt.want) {
				t.Errorf("the message is %q, want %q", e.Message, tt.want)
			}
			for _, secret := range []string{token, private, "4111", "Ann"} {
				if strings.Contains(e.Message, secret) {
					t.Errorf("the message reveals %q", secret)
				}
			}
		})
	}
}

// A redirect is not followed: the token would go to a stranger.
func TestRedirect(t *testing.T) {
	var followed atomic.Bool
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer stranger.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := newClient(t, http.RedirectHandler(stranger.URL, status))
		_, err := c.Patch(t.Context(), patch)
		if e := crm.AsError(err); e.Class != crm.ClassFailed || e.Uncertain || !strings.Contains(e.Message, "CRM_API_URL") {
			t.Errorf("%d: %+v", status, e)
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
}

// Nobody listens: nothing was sent, so nothing can have been applied.
func TestRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	c, err := rest.New(rest.Config{BaseURL: "http://" + address, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Patch(t.Context(), patch)
	e := crm.AsError(err)
	if e.Class != crm.ClassFailed || e.Uncertain || e.Status != 0 || e.Err == nil {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(e.Message, address) || strings.Contains(e.Message, "threads") {
		t.Errorf("the message is %q", e.Message)
	}
}

// A connection that broke after an earlier answer is not tried again behind the caller's back.
func TestNoHiddenRetry(t *testing.T) {
	far := sim.NewCRM(token)
	c := newClient(t, far)
	if _, err := c.Get(t.Context(), "a/b"); crm.AsError(err).Class != crm.ClassGone {
		t.Fatal(err)
	}
	far.Fail(sim.CRMFault{Cut: true}) // only the first
	if _, err := c.Create(t.Context(), patch); !crm.AsError(err).Uncertain {
		t.Errorf("the error is %v", err)
	}
	if n := far.Counts().Requests[http.MethodPost]; n != 1 {
		t.Errorf("%d requests were sent", n)
	}
}

// An answer that does not come in time is none: nobody knows what became of the request.
func TestTimeout(t *testing.T) {
	t.Parallel()
	far := sim.NewCRM(token)
	c := newClient(t, far, func(config *rest.Config) { config.Timeout = 5 * time.Second }) // enough to connect
	far.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Stall: true} })
	_, err := c.Patch(t.Context(), patch)
	if e := crm.AsError(err); e.Class != crm.ClassFailed || !e.Uncertain || !strings.Contains(e.Message, "in time") {
		t.Errorf("%+v", e)
	}
	_, err = c.Get(t.Context(), "a/b")
	if e := crm.AsError(err); e.Class != crm.ClassFailed || e.Uncertain {
		t.Errorf("%+v", e)
	}
}

// An answer to a GET that begins and does not end.
func TestGetBreaksOff(t *testing.T) {
	begin := func(w http.ResponseWriter) {
		io.WriteString(w, `{"version":1,"messages":[`)
		w.(http.Flusher).Flush()
	}
	t.Run("Cut", func(t *testing.T) {
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			begin(w)
			panic(http.ErrAbortHandler)
		}))
		_, err := c.Get(t.Context(), "a/b")
		if e := crm.AsError(err); e.Class != crm.ClassFailed || e.Uncertain || !strings.Contains(e.Message, "broke off") {
			t.Errorf("%+v", e)
		}
	})
	stall := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin(w)
		<-r.Context().Done()
	})
	t.Run("Timeout", func(t *testing.T) {
		c := newClient(t, stall, func(config *rest.Config) { config.Timeout = 50 * time.Millisecond })
		_, err := c.Get(t.Context(), "a/b")
		if e := crm.AsError(err); e.Class != crm.ClassFailed || !strings.Contains(e.Message, "in time") {
			t.Errorf("%+v", e)
		}
	})
	t.Run("Canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			cancel()
			<-r.Context().Done()
		}))
		if _, err := c.Get(ctx, "a/b"); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	})
}

// A GET that is no thread is trouble of the CRM, not of the thread.
func TestGetUnreadable(t *testing.T) {
	for _, answer := range []string{"", "<html>", `{"threadId":"other","version":1}`} {
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
		_, err := c.Get(t.Context(), "a/b")
		if e := crm.AsError(err); e.Class != crm.ClassFailed || e.Uncertain || !strings.Contains(e.Message, "cannot be read") {
			t.Errorf("%q: %+v", answer, e)
		}
	}
}

// The CRM's copy is read as it comes, and not without end.
func TestGetTooLong(t *testing.T) {
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"version":1,"extra":[`)
		line := strings.Repeat(" ", 1<<20)
		for range 65 {
			io.WriteString(w, line)
		}
		io.WriteString(w, `]}`)
	}), func(config *rest.Config) { config.Timeout = time.Minute }) // it is read whole, however slow the machine
	_, err := c.Get(t.Context(), "a/b")
	if e := crm.AsError(err); e.Class != crm.ClassFailed || !strings.Contains(e.Message, "64 MiB") {
		t.Errorf("%+v", e)
	}
}

func TestNewListsWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config rest.Config
		want   []string
	}{
		{"Nothing", rest.Config{}, []string{"CRM_API_URL is not set", "CRM_API_TOKEN is not set"}},
		{"URL", rest.Config{BaseURL: "crm.test", Token: "x"}, []string{"CRM_API_URL is not the http or https URL"}},
		{"Scheme", rest.Config{BaseURL: "ftp://crm.test", Token: "x"}, []string{"CRM_API_URL is not the http or https URL"}},
		{"User", rest.Config{BaseURL: "https://me:hunter2@crm.test", Token: "x"}, []string{"CRM_API_URL holds a user name"}},
		{"Query", rest.Config{BaseURL: "https://crm.test/?key=hunter2", Token: "x"}, []string{"CRM_API_URL holds more than"}},
		{"Token", rest.Config{BaseURL: "https://crm.test", Token: "hunter2\nx"}, []string{"CRM_API_TOKEN holds"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rest.New(tt.config)
			if err == nil {
				t.Fatal("there was no error")
			}
			for _, words := range tt.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q reveals a secret", err)
			}
		})
	}
}
