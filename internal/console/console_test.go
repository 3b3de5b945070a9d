package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/api"
)

const (
	adminToken  = "admin-token-for-tests"
	viewerToken = "viewer-token-for-tests"
)

type fakeFigures struct{}

func (fakeFigures) Figures() api.Figures { return api.Figures{TotalProcessed: 4321} }

func newConsole(t *testing.T) *Console {
	t.Helper()
	c, err := New(Config{AdminToken: adminToken, ViewerToken: viewerToken, Figures: fakeFigures{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(c *Console, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

// signedIn returns the cookie of who signs in with a token.
func signedIn(t *testing.T, c *Console, token string) *http.Cookie {
	t.Helper()
	form := url.Values{"token": {token}, "next": {"/"}}
	r := httptest.NewRequest("POST", "/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := ask(c, r)
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func TestSignIn(t *testing.T) {
	c := newConsole(t)
	w := ask(c, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/login?next=") {
		t.Fatalf("a stranger gets %d to %q", w.Code, w.Header().Get("Location"))
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(signedIn(t, c, viewerToken))
	if w := ask(c, r); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "4,321") {
		t.Fatalf("a viewer gets %d %s", w.Code, w.Body)
	}
}
