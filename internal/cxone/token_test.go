package cxone_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/cxone"
)

func TestAuthStyles(t *testing.T) {
	for _, style := range []cxone.AuthStyle{"", cxone.AuthBasic, cxone.AuthBody} {
		var byHeader bool
		platform := newSim()
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _, byHeader = r.BasicAuth()
			if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
				t.Errorf("the token request has type %q", got)
			}
			platform.ServeHTTP(w, r)
		}), func(c *cxone.Config) { c.AuthStyle = style })
		if err := c.Check(t.Context()); err != nil {
			t.Errorf("style %q: %v", style, err)
		}
		if want := style != cxone.AuthBody; byHeader != want {
			t.Errorf("style %q: by header is %t", style, byHeader)
		}
	}
}

// Some servers compare the credentials of HTTP Basic with theirs as they are, others decode them first.
func TestBasicCredentialsEncodedOrPlain(t *testing.T) {
	for name, decode := range map[string]func(string) (string, error){
		"decoded": url.QueryUnescape,
		"plain":   func(text string) (string, error) { return text, nil },
	} {
		t.Run(name, func(t *testing.T) {
			refused := 0
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, secret, _ := r.BasicAuth()
				if got, err := decode(secret); err != nil || got != clientSecret {
					refused++
					w.WriteHeader(http.StatusUnauthorized)
					io.WriteString(w, `{"error":"invalid_client"}`)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"access_token":"t-1","token_type":"Bearer","expires_in":3600}`)
			}))
			for range 2 {
				if err := c.Check(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if refused > 1 {
				t.Errorf("credentials that were refused were sent %d times", refused)
			}
		})
	}
}

// What is wrong with the second way is what is told, if the first was only encoded otherwise.
func TestPlainBasicThatIsThrottled(t *testing.T) {
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, secret, _ := r.BasicAuth(); secret != clientSecret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	wantError(t, c.Check(t.Context()), http.StatusTooManyRequests, "429")
}

func TestTokenIsCachedAndRenewedEarly(t *testing.T) {
	tests := []struct {
		name       string
		life       time.Duration
		fresh, old time.Duration // ages at which the token is used still, and no more
	}{
		{"AMinuteBeforeItsEnd", time.Hour, 59*time.Minute - time.Second, 59 * time.Minute},
		{"ShortLivesByHalf", 40 * time.Second, 19 * time.Second, 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				platform := newSim()
				platform.SetTokenLife(tt.life)
				c := newClient(t, platform)
				subscribe := func() {
					if _, err := c.Subscribe(t.Context(), smsStatus(t)); err != nil {
						t.Fatal(err)
					}
				}
				subscribe()
				time.Sleep(tt.fresh) // in the bubble this takes no time
				subscribe()
				if n := platform.TokenFetches(); n != 1 {
					t.Errorf("%d token fetches at the age of %s, want 1", n, tt.fresh)
				}
				time.Sleep(tt.old - tt.fresh)
				subscribe()
				if n := platform.TokenFetches(); n != 2 {
					t.Errorf("%d token fetches at the age of %s, want 2", n, tt.old)
				}
			})
		})
	}
}

func TestTokenWithoutEndIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		platform := newSim()
		platform.SetTokenLife(0)
		c := newClient(t, platform)
		for range 3 {
			if _, err := c.Subscribe(t.Context(), smsStatus(t)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
		if n := platform.TokenFetches(); n != 1 {
			t.Errorf("%d token fetches, want 1", n)
		}
	})
}

func TestRevokedTokenIsReplacedOnce(t *testing.T) {
	platform := newSim()
	c := newClient(t, platform)
	if _, err := c.Subscribe(t.Context(), smsStatus(t)); err != nil {
		t.Fatal(err)
	}
	platform.RevokeTokens()
	if _, err := c.Subscribe(t.Context(), smsStatus(t)); err != nil {
		t.Fatalf("with a revoked token: %v", err)
	}
	if n := platform.TokenFetches(); n != 2 {
		t.Errorf("%d token fetches, want 2", n)
	}
}

func TestSecond401IsAnError(t *testing.T) {
	var calls int
	platform := newSim()
	c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/webhooks") {
			calls++
			platform.RevokeTokens()
		}
		platform.ServeHTTP(w, r)
	}))
	_, err := c.Subscribe(t.Context(), smsStatus(t))
	wantError(t, err, 401, "CXONE_CLIENT_ID")
	if calls != 2 || platform.TokenFetches() != 2 {
		t.Errorf("%d calls and %d token fetches, want 2 of each", calls, platform.TokenFetches())
	}
}

func TestOneTokenFetchAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 20
		release := make(chan struct{})
		platform := newSim()
		c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/token") {
				<-release
			}
			platform.ServeHTTP(w, r)
		}))
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				if _, err := c.Subscribe(t.Context(), smsStatus(t)); err != nil {
					t.Error(err)
				}
			})
		}
		// One who stops waiting neither gets a token nor takes it from the others.
		stopped, stop := context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := c.Subscribe(stopped, smsStatus(t))
			wantError(t, err, 0, "stopped")
		})
		synctest.Wait()
		stop()
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := platform.TokenFetches(); n != 1 {
			t.Errorf("%d token fetches for %d callers, want 1", n, callers)
		}
	})
}

func TestTokenRefusals(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		words  []string
	}{
		{"Credentials", 401, nil, `{"error":"invalid_client"}`, []string{"CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET"}},
		{"CredentialsAs400", 400, nil, `{"error":"invalid_client"}`, []string{"CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET"}},
		{"Plain401", 401, nil, `no`, []string{"CXONE_CLIENT_SECRET"}},
		{"Scopes", 400, nil, `{"error":"invalid_scope"}`, []string{"webhooks:manage"}},
		{"Grant", 400, nil, `{"error":"unauthorized_client"}`, []string{"client_credentials"}},
		{"Locked", 403, nil, ``, []string{"403"}},
		{"Echo", 400, nil, `{"message":"you sent ` + clientSecret + `"}`, []string{"400"}},
		{"EncodedEcho", 400, nil, `{"message":"you sent s3cr%3Dt%26%2B%25"}`, []string{"400"}},
		{"Words", 400, nil, `{"message":"tenant is closed"}`, []string{"tenant is closed"}},
		{"NoEndpoint", 404, nil, ``, []string{"cxone.test", "CXONE_DOMAIN"}},
		{"Elsewhere", 302, http.Header{"Location": {"https://evil.test/token"}}, ``, []string{"evil.test", "CXONE_DOMAIN"}},
		{"Trouble", 500, nil, ``, []string{"500"}},
		{"NoToken", 200, nil, `{}`, []string{"CXONE_DOMAIN"}},
		{"NotJSON", 200, nil, `<html>`, []string{"CXONE_DOMAIN"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var requests int
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				for k, v := range tt.header {
					w.Header()[k] = v
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			err := c.Check(t.Context())
			wantError(t, err, tt.status, tt.words...)
			if strings.Contains(err.Error(), "%3Dt%26") {
				t.Errorf("%q reveals the secret, encoded", err)
			}
			want := 1
			if tt.status == http.StatusUnauthorized || strings.Contains(tt.body, "invalid_client") {
				want = 2 // encoded and plain
			}
			if requests != want {
				t.Errorf("%d requests, want %d", requests, want)
			}
		})
	}
}

func TestCheckNamesMissingScopes(t *testing.T) {
	platform := newSim()
	platform.Grant("webhooks:read", "messaging:read")
	err := newClient(t, platform).Check(t.Context())
	wantError(t, err, 200, "webhooks:manage", "social:read")
	if strings.Contains(err.Error(), "webhooks:read") {
		t.Errorf("%q names a scope that is granted", err)
	}
}

func TestHostThatIsAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c := newClient(t, nil, func(c *cxone.Config) { c.BaseURL, c.HTTP = server.URL, nil })
	wantError(t, c.Check(t.Context()), 0, "cannot reach", strings.TrimPrefix(server.URL, "http://"))
}

func TestSlowHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil, func(c *cxone.Config) { c.HTTP.Transport = silent{} })
		began := time.Now()
		wantError(t, c.Check(t.Context()), 0, "did not answer in time")
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("gave up after %s, want 10s", took)
		}
	})
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}
