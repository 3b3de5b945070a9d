// Package rest is the generic CRM over HTTP:
//
//	GET   {base}/threads/{id}   the CRM's copy of a thread
//	PATCH {base}/threads/{id}   a delta, with If-Match where the CRM gives ETags
//	POST  {base}/threads        the delta against nothing
//
// Every request has a bearer token, every write an Idempotency-Key.
//
//	config.go       settings
//	client.go       the requests
//	key.go          ids in paths, idempotency keys
//	answer.go       what an answer, or none, means
//	remote.go       reading the CRM's copy of a thread
//	words.go        the CRM's own words, as far as they may be repeated
//	trace.go        traces of the requests
package rest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/requestid"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Client is a crm.Sink. Redirects are not followed, and a write is sent once for each call: net/http
// does not repeat it on another connection either.
type Client struct {
	base  string // without a slash at its end
	host  string // for messages
	token string
	http  *http.Client
	plain *http.Client // as http, without traces
}

var _ crm.Sink = (*Client)(nil)

// New returns a client for the settings, or an error that lists everything wrong with them. It
// makes no call.
func New(config Config) (*Client, error) {
	u, err := config.resolve()
	if err != nil {
		return nil, err
	}
	plain := config.client()
	return &Client{base: u.String(), host: u.Host, token: config.Token, plain: plain, http: traced(plain, config.Traces)}, nil
}

// Close closes the connections that wait for another call.
func (c *Client) Close() { c.plain.CloseIdleConnections() }

// maxThread limits the CRM's copy of a thread, in bytes of JSON.
const maxThread = 64 << 20

// maxAnswer limits how much is read of any other answer, in bytes.
const maxAnswer = 1 << 20

// Get reads the CRM's copy of a thread.
func (c *Client) Get(ctx context.Context, threadID string) (*thread.Remote, error) {
	resp, err := c.send(ctx, http.MethodGet, "/threads/"+escape(threadID), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body, N: maxThread + 1}
	remote, err := decodeRemote(body, threadID)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreadable(resp, err, body.N == 0)
	}
	remote.ETag = strongETag(resp)
	return remote, nil
}

// Patch changes a thread.
func (c *Client) Patch(ctx context.Context, r crm.Request) (crm.Ack, error) {
	return c.write(ctx, http.MethodPatch, "/threads/"+escape(r.ThreadID), &r)
}

// Create makes a thread.
func (c *Client) Create(ctx context.Context, r crm.Request) (crm.Ack, error) {
	return c.write(ctx, http.MethodPost, "/threads", &r)
}

func (c *Client) write(ctx context.Context, method, path string, r *crm.Request) (crm.Ack, error) {
	resp, err := c.send(ctx, method, path, r)
	if err != nil {
		return crm.Ack{}, err
	}
	defer resp.Body.Close()
	ack := crm.Ack{Status: resp.StatusCode, Version: r.Version, ETag: strongETag(resp)}
	// The status has said already that the delta is applied: a body that is cut off or is not JSON
	// does not change that.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if version, ok := versionIn(body); ok {
		ack.Version = version
	}
	return ack, nil
}

// send makes a request and returns its answer if that is a success. The request is nil for a GET.
func (c *Client) send(ctx context.Context, method, path string, r *crm.Request) (*http.Response, error) {
	var w wire
	req, err := c.newRequest(httptrace.WithClientTrace(ctx, w.trace()), method, path, r)
	if err != nil {
		return nil, &crm.Error{Class: crm.ClassPermanent, Message: "the request cannot be made", Err: err}
	}
	resp, err := c.http.Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, c.unreachable(err, r != nil && !w.nothingSent())
	case resp.StatusCode >= 200 && resp.StatusCode <= 299:
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // only the CRM's words are in it
	return nil, c.refused(method, resp, body, r)
}

func (c *Client) newRequest(ctx context.Context, method, path string, r *crm.Request) (*http.Request, error) {
	var body io.Reader
	if r != nil {
		body = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "cxbridge")
	if id := requestid.From(ctx); id != "" {
		req.Header.Set(requestid.Header, id)
	}
	if r == nil {
		return req, nil
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", idempotencyKey(r))
	if r.IfMatch != "" {
		req.Header.Set("If-Match", r.IfMatch)
	}
	// With GetBody and an Idempotency-Key net/http sends a request again on its own when a
	// connection breaks, and nobody learns that the first one may have been applied.
	req.GetBody = nil
	return req, nil
}
