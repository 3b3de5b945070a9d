package cxone

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"
)

// early is how long before its end a token is replaced, so that none runs out on its way.
const early = time.Minute

const opToken = "fetch a token"

// tokens keeps the one token of the client. The library fetches it, but it is kept and dropped here:
// the library's own cache has no way to drop a token that CXone no longer accepts, and makes every
// fetch in the context of the first one.
type tokens struct {
	client *Client
	config clientcredentials.Config

	fetching singleflight.Group // one fetch at a time, shared by all that wait for it

	mu      sync.Mutex
	current *oauth2.Token
	renewAt time.Time // zero when the token names no end
	plain   bool      // CXone does not take the credentials of HTTP Basic form-encoded
}

func newTokens(c *Client) *tokens {
	style := oauth2.AuthStyleInHeader
	if c.config.AuthStyle == AuthBody {
		style = oauth2.AuthStyleInParams
	}
	return &tokens{client: c, config: clientcredentials.Config{
		ClientID:     c.config.ClientID,
		ClientSecret: c.config.ClientSecret,
		TokenURL:     c.base.JoinPath(pathToken).String(),
		Scopes:       c.config.Scopes,
		AuthStyle:    style,
	}}
}

// get returns a token that is good for a while, and fetches one if need be.
func (t *tokens) get(ctx context.Context) (*oauth2.Token, error) {
	if token := t.cached(); token != nil {
		return token, nil
	}
	// The fetch is shared, so it does not end with the context of the caller that began it. The HTTP
	// client limits its time.
	result := t.fetching.DoChan("", func() (any, error) {
		if token := t.cached(); token != nil {
			return token, nil
		}
		return t.fetch(context.WithoutCancel(ctx))
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*oauth2.Token), nil
	case <-ctx.Done():
		return nil, t.client.unreachable(opToken, ctx.Err())
	}
}

func (t *tokens) cached() *oauth2.Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || !t.renewAt.IsZero() && !time.Now().Before(t.renewAt) {
		return nil
	}
	return t.current
}

// drop forgets a token that CXone does not accept, unless another one has taken its place.
func (t *tokens) drop(token *oauth2.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == token {
		t.current = nil
	}
}

func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, error) {
	if err := t.client.pause.check(opToken); err != nil {
		return nil, err
	}
	token, err := t.request(ctx)
	if err != nil {
		return nil, t.explain(err)
	}
	var renewAt time.Time
	if !token.Expiry.IsZero() {
		renewAt = token.Expiry.Add(-early)
		if life := time.Until(token.Expiry); life <= early {
			renewAt = token.Expiry.Add(-life / 2)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current, t.renewAt = token, renewAt
	return token, nil
}

// explain turns an error of the library into ours. The library's own text holds the whole answer.
func (t *tokens) explain(err error) error {
	c := t.client
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		var known interface{ Timeout() bool } // *url.Error, and all that is about the connection
		if errors.As(err, &known) {
			return c.unreachable(opToken, err)
		}
		return &Error{Op: opToken, Status: http.StatusOK, Message: "the answer of " + c.base.Host + " is not a token: check CXONE_DOMAIN"}
	}
	e := c.answered(call{op: opToken, path: pathToken}, "", refused.Response, refused.Body)
	switch {
	case refused.ErrorCode == "invalid_scope":
		e.Message = "CXone does not grant what is asked for: allow the OAuth client the scopes " + strings.Join(t.config.Scopes, " ")
	case refused.ErrorCode == "unauthorized_client", refused.ErrorCode == "unsupported_grant_type":
		e.Message = "the OAuth client may not use the grant client_credentials: allow it in CXone"
	case refused.ErrorCode == "invalid_client", e.Status == http.StatusUnauthorized:
		e.Message = "CXone refused the client credentials: check CXONE_CLIENT_ID and CXONE_CLIENT_SECRET"
	case e.Status == http.StatusForbidden:
		e.Message = "403: the OAuth client may not fetch tokens: check that it is enabled in CXone"
	}
	return e
}

// request requests a token. RFC 6749 has the credentials form-encoded before they go into HTTP Basic, but many
// servers and clients leave them as they are. Where that makes a difference, the second way is tried as well.
func (t *tokens) request(ctx context.Context) (*oauth2.Token, error) {
	client := t.client.http
	t.mu.Lock()
	isPlain := t.plain
	t.mu.Unlock()
	if !isPlain {
		token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		if !areDenied(err) || t.config.AuthStyle != oauth2.AuthStyleInHeader || !t.changeEncoded() {
			return token, err
		}
	}
	plain := *client
	plain.Transport = plainBasic{t.config.ClientID, t.config.ClientSecret, cmp.Or(client.Transport, http.DefaultTransport)}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, &plain))
	t.mu.Lock()
	t.plain = !areDenied(err)
	t.mu.Unlock()
	return token, err
}

// areDenied reports whether an error says that the credentials are wrong.
func areDenied(err error) bool {
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	return ok && (refusal.ErrorCode == "invalid_client" || refusal.Response.StatusCode == http.StatusUnauthorized)
}

// changeEncoded reports whether the credentials are others once they are form-encoded.
func (t *tokens) changeEncoded() bool {
	id, secret := t.config.ClientID, t.config.ClientSecret
	return url.QueryEscape(id) != id || url.QueryEscape(secret) != secret
}

// plainBasic puts credentials into HTTP Basic as they are.
type plainBasic struct {
	id, secret string
	next       http.RoundTripper
}

func (p plainBasic) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(p.id, p.secret)
	return p.next.RoundTrip(r)
}
