package sim

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// CXone is a fake of the platform: an http.Handler with the API that the tutorials for CXone describe.
// It keeps the subscriptions it gets, so that a test can look at them, and returns the threads that
// ServeThreads gives it. It is safe for concurrent use.
type CXone struct {
	clientID, clientSecret string
	mux                    *http.ServeMux

	mu        sync.Mutex
	scopes    []string // what the client may ask for
	tokenLife time.Duration
	tokens    map[string]grant
	fetches   int
	faults    []Fault
	webhooks  []Webhook
	hooks     []InteractionWebhook
	thread    func(id string) (Conversation, bool) // nil: there are no threads
}

// grant is what a token is good for.
type grant struct {
	scopes []string
	until  time.Time
}

// AllScopes is every scope that the fake knows.
var AllScopes = []string{
	"webhooks:manage", "webhooks:read", "social:read", "interactions:read", "messaging:read", "messaging:write",
}

// NewCXone returns a fake with one OAuth client, which may have AllScopes. Its tokens live for an hour.
func NewCXone(clientID, clientSecret string) *CXone {
	c := &CXone{
		clientID: clientID, clientSecret: clientSecret,
		mux: http.NewServeMux(), scopes: AllScopes, tokenLife: time.Hour, tokens: make(map[string]grant),
	}
	c.mux.HandleFunc("POST "+pathToken, c.token)
	c.mux.HandleFunc("POST /api/v2/webhooks", c.needs("webhooks:manage", c.createWebhook))
	c.mux.HandleFunc("GET /api/v2/webhooks", c.needs("webhooks:read", c.listWebhooks))
	c.mux.HandleFunc("POST /api/v2/interactions/webhooks", c.needs("webhooks:manage", c.createInteractionWebhook))
	c.mux.HandleFunc("GET /api/v2/interactions/social/threads/{id}", c.needs("interactions:read", c.needs("social:read", c.getThread)))
	return c
}

const pathToken = "/api/v2/oauth/token"

// Fault makes requests fail before they are looked at.
type Fault struct {
	Path       string // of the requests it applies to; every path when empty
	Times      int    // how many requests it applies to; 0 is one
	Status     int
	RetryAfter string // header of the answer; none when empty
	Location   string // header of the answer; none when empty
	Body       string // none when empty
}

// Fail adds a fault. If several apply to a request, the oldest one is used.
func (c *CXone) Fail(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
}

// Grant sets the scopes that the client may have. Tokens that exist keep theirs.
func (c *CXone) Grant(scopes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = scopes
}

// SetTokenLife sets how long the tokens live that are issued from now on. With 0 they live for
// ever, and the answer has no expires_in.
func (c *CXone) SetTokenLife(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokenLife = d
}

// RevokeTokens ends every token that was issued.
func (c *CXone) RevokeTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tokens)
}

// TokenFetches counts the requests to the token endpoint, refused and failed ones included.
func (c *CXone) TokenFetches() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fetches
}

func (c *CXone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == pathToken {
		c.mu.Lock()
		c.fetches++
		c.mu.Unlock()
	}
	if f, ok := c.fault(r.URL.Path); ok {
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		if f.Location != "" {
			w.Header().Set("Location", f.Location)
		}
		w.WriteHeader(f.Status)
		io.WriteString(w, f.Body)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	c.mux.ServeHTTP(w, r)
}

// fault returns the fault that applies to a request, and counts it down.
func (c *CXone) fault(path string) (Fault, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.faults, func(f Fault) bool { return f.Path == "" || f.Path == path })
	if i < 0 {
		return Fault{}, false
	}
	f := c.faults[i]
	if c.faults[i].Times--; f.Times <= 1 {
		c.faults = slices.Delete(c.faults, i, i+1)
	}
	return f, true
}

// token is the endpoint of RFC 6749, section 4.4, for client credentials by HTTP Basic or in the
// form.
func (c *CXone) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") == "" {
		refuseToken(w, http.StatusBadRequest, "invalid_request")
		return
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		refuseToken(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	if id, secret := credentials(r); id != c.clientID || secret != c.clientSecret {
		w.Header().Set("WWW-Authenticate", `Basic realm="CXone"`)
		refuseToken(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	scopes := c.scopes
	if asked := strings.Fields(r.PostForm.Get("scope")); len(asked) > 0 {
		scopes = slices.DeleteFunc(asked, func(s string) bool { return !slices.Contains(c.scopes, s) })
	}
	if len(scopes) == 0 {
		refuseToken(w, http.StatusBadRequest, "invalid_scope")
		return
	}
	answer := map[string]any{
		"access_token": c.issue(scopes), "token_type": "Bearer", "scope": strings.Join(scopes, " "),
	}
	if c.tokenLife > 0 {
		answer["expires_in"] = int(c.tokenLife / time.Second)
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

// issue makes a token and forgets those that have run out. The caller holds the lock.
func (c *CXone) issue(scopes []string) string {
	now := time.Now()
	for token, g := range c.tokens {
		if !g.until.IsZero() && !now.Before(g.until) {
			delete(c.tokens, token)
		}
	}
	g := grant{scopes: scopes}
	if c.tokenLife > 0 {
		g.until = now.Add(c.tokenLife)
	}
	token := rand.Text()
	c.tokens[token] = g
	return token
}

// credentials reads the client id and secret of a token request. In HTTP Basic both are
// form-encoded (RFC 6749, section 2.3.1).
func credentials(r *http.Request) (id, secret string) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	id, errID := url.QueryUnescape(id)
	secret, errSecret := url.QueryUnescape(secret)
	if errID != nil || errSecret != nil {
		return "", ""
	}
	return id, secret
}

// needs lets requests through that carry a token with the scope.
func (c *CXone) needs(scope string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c.mu.Lock()
		g, known := c.tokens[token]
		c.mu.Unlock()
		switch {
		case !bearer || !known, !g.until.IsZero() && !time.Now().Before(g.until):
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			refuse(w, http.StatusUnauthorized, "", "the token is not valid")
		case !slices.Contains(g.scopes, scope):
			refuse(w, http.StatusForbidden, "", "the scope "+scope+" is needed")
		default:
			next(w, r)
		}
	}
}

func refuseToken(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]string{"error": code})
}

func refuse(w http.ResponseWriter, status int, field, message string) {
	e := map[string]string{"message": message}
	if field != "" {
		e["field"] = field
	}
	writeJSON(w, status, map[string]any{"errors": []any{e}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that is gone misses its answer; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(body)
}
