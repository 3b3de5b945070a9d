package webhook

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/access"
)

// A caller who guesses is soon told to wait, and does not fill the log. From the same address, a right
// secret is still let in, and a caller without a secret still learns what is missing.
func TestWrongSecretsAreLimited(t *testing.T) {
	changed := request(receipt)
	changed.Header.Del(headerSecret)
	changed.Header.Set(headerRequestSignature, sign(secret, receipt+" "))
	for name, guess := range map[string]func() *http.Request{
		"secret": func() *http.Request {
			r := request(receipt)
			r.Header.Set(headerSecret, "sesame")
			return r
		},
		"signature": func() *http.Request {
			r := request(receipt)
			r.Header = changed.Header.Clone()
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			h := newGate(t, func(o *Options) {
				o.Failures, o.Logger = access.NewFailures(access.RequestBurst), slog.New(slog.NewTextHandler(&out, nil))
			}).SMS(&fakeIntake{})
			statuses := make(map[int]int)
			for range 100 {
				w := serve(h, guess())
				statuses[w.Code]++
				if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "2" {
					t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
				}
				if w := serve(h, request(receipt)); w.Code != 200 {
					t.Fatalf("a right secret: %d", w.Code)
				}
				nothing := request(receipt)
				nothing.Header.Del(headerSecret)
				if w := serve(h, nothing); w.Code != http.StatusUnauthorized {
					t.Fatalf("no secret: %d", w.Code)
				}
			}
			if statuses[http.StatusUnauthorized] != 40 || statuses[http.StatusTooManyRequests] != 60 {
				t.Errorf("statuses %v", statuses)
			}
			if n := strings.Count(out.String(), "outcome=limited"); n != 0 {
				t.Errorf("%d lines of what is limited", n)
			}
		})
	}
}
