package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Headers that open each kind of door.
func (p *process) keys(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"/webhooks/cxone/sms":     "X-Webhook-Secret: " + webhookSecret,
		threadsPath:               "X-Webhook-Secret: " + webhookSecret,
		"/simulator/sms":          "Authorization: Bearer " + adminToken,
		"/simulator/make/threads": "Cookie: cxbridge_session=" + p.signIn(t, adminToken),
		"/login":                  "X: y",
	}
}

// raw sends a request as it is written, and returns the status of the answer: 0 when there is none.
func (p *process) raw(t testing.TB, lines ...string) int {
	t.Helper()
	address, err := url.Parse(p.address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		// A server that does not read to the end says so in its answer; the error here does not matter.
		_, _ = io.WriteString(conn, strings.Join(lines, "\r\n"))
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// Bodies that are too large, too deep or too slow, and too many headers, are refused by every kind of door.
// Meanwhile the process serves others.
func TestLimits(t *testing.T) {
	t.Parallel()
	p := serve(t, onSQLite(t).settings.with(settings{"SIMULATOR": "true"}))
	const json, form = "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"
	for path, key := range p.keys(t) {
		kind, isForm := json, path == "/login" || strings.HasPrefix(path, "/simulator/make")
		if isForm {
			kind = form
		}
		send := func(t *testing.T, length int, body string) int {
			return p.raw(t, "POST "+path+" HTTP/1.1", "Host: x", key, kind, fmt.Sprintf("Content-Length: %d", length), "", body)
		}
		isWebhook := strings.Contains(path, "webhooks/")
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			t.Run("too large", func(t *testing.T) {
				most := map[bool]int{true: 8 << 20, false: 1 << 20}[isWebhook]
				got := send(t, most+1, strings.Repeat("x", most+1))
				wantOneOf(t, got, 413)
			})
			t.Run("deep", func(t *testing.T) {
				most := map[bool]int{true: 8 << 20, false: 1 << 20}[isWebhook]
				for _, opening := range []string{"[", `{"a":`, `[{"messageId":`, `{"data":{"threadId":[`} {
					body := strings.Repeat(opening, most/len(opening))
					wantOneOf(t, send(t, len(body), body), 400, 401, 404, 413, 415, 422)
				}
			})
			t.Run("slow", func(t *testing.T) {
				t.Parallel()
				wantOneOf(t, send(t, 100, "["), 408, 503)
			})
		})
	}
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		many := slices.Repeat([]string{"X-A: b"}, 20_000)
		for name, headers := range map[string][]string{
			"long": {"X-A: " + strings.Repeat("a", 1<<20)}, "many": many, "secret": {"X-Webhook-Secret: " + strings.Repeat("a", 1<<20)},
			"path": {"X-A: b"},
		} {
			path := "/webhooks/cxone/sms"
			if name == "path" {
				path += "?" + strings.Repeat("a", 1<<20)
			}
			status := p.raw(t, slices.Concat([]string{"POST " + path + " HTTP/1.1", "Host: x"}, headers, []string{"", ""})...)
			if status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s: status %d", name, status)
			}
		}
	})
	t.Run("slow headers", func(t *testing.T) {
		t.Parallel()
		if status := p.raw(t, "POST /webhooks/cxone/sms HTTP/1.1", "Host: x"); status != 0 && status != http.StatusRequestTimeout {
			t.Errorf("status %d", status)
		}
	})
	t.Run("others are served", func(t *testing.T) {
		t.Parallel()
		for i := range 50 {
			p.post(t, http.StatusOK, fmt.Sprintf(`{"messageId":"limits-%d","status":"DELIVERED"}`, i))
		}
	})
}

// wantOneOf wants a status to be one of some.
func wantOneOf(t *testing.T, status int, want ...int) {
	t.Helper()
	if !slices.Contains(want, status) {
		t.Errorf("status %d, want one of %d", status, want)
	}
}
