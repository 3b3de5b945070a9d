package cxone_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cxbridge/cxbridge/internal/cxone"
)

// A redirect to another host is not followed, from whatever is asked for: the client secret, the token
// or the webhook secret would go to a stranger.
func TestRedirect(t *testing.T) {
	asks := map[string]func(c *cxone.Client) error{
		"/api/v2/oauth/token": func(c *cxone.Client) error { return c.Check(t.Context()) },
		"/api/v2/": func(c *cxone.Client) error {
			_, err := c.Subscribe(t.Context(), smsStatus(t))
			return err
		},
		"/": func(c *cxone.Client) error {
			_, err := c.Thread(t.Context(), "t-1")
			return err
		},
	}
	for below, ask := range asks {
		for _, status := range []int{301, 302, 303, 307, 308} {
			var strangers, redirected atomic.Int32
			cxoneServer := newSim()
			c := newClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				isToken := strings.HasSuffix(r.URL.Path, "/oauth/token")
				switch {
				case r.URL.Host != "cxone.test":
					strangers.Add(1)
				case isToken && !strings.HasSuffix(below, "/token"):
					cxoneServer.ServeHTTP(w, r)
				default:
					redirected.Add(1)
					http.Redirect(w, r, "https://stranger.test/", status)
				}
			}))
			err := ask(c)
			if err == nil || !strings.Contains(err.Error(), "not followed") {
				t.Errorf("%s %d: error %v", below, status, err)
			}
			if strangers.Load() != 0 || redirected.Load() == 0 {
				t.Errorf("%s %d: %d requests to a stranger, %d redirected", below, status, strangers.Load(), redirected.Load())
			}
		}
	}
}
