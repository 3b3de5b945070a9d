package cxone

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// How much of an answer is read, in bytes.
const (
	maxAnswer = 1 << 20
	maxThread = 8 << 20
)

// Client calls CXone. It is safe for concurrent use. Every error of its methods is an *Error.
//
// While CXone asks to be left alone (429 or 503 with Retry-After) no call goes out: each fails at
// once with the time that is left.
type Client struct {
	config Config
	base   *url.URL
	server *url.URL // nil: nothing is subscribed
	http   *http.Client
	tokens *tokens
	pause  pause
}

// New returns a client for the settings, or an error that lists everything wrong with them. It
// makes no call.
func New(config Config) (*Client, error) {
	base, server, err := config.resolve()
	if err != nil {
		return nil, err
	}
	if config.Scopes == nil {
		config.Scopes = DefaultScopes
	}
	c := &Client{config: config, base: base, server: server, http: config.client()}
	c.tokens = newTokens(c)
	return c, nil
}

// Check tests the credentials: it fetches a new token, and checks that CXone grants the scopes that
// are asked for.
func (c *Client) Check(ctx context.Context) error {
	token, err := c.tokens.fetch(ctx)
	if err != nil {
		return err
	}
	// RFC 6749, section 5.1: the scope may be left out when it is the one that was asked for.
	granted, named := token.Extra("scope").(string)
	if !named {
		return nil
	}
	var missing []string
	for _, scope := range c.config.Scopes {
		if !slices.Contains(strings.Fields(granted), scope) {
			missing = append(missing, scope)
		}
	}
	if missing == nil {
		return nil
	}
	return &Error{
		Op: opToken, Status: http.StatusOK,
		Message: "the OAuth client lacks the scopes " + strings.Join(missing, " ") + ": allow them in CXone",
	}
}

// Subscribe makes a subscription. It is idempotent: created is false when CXone has it already. The
// client's Config must have a ServerURL.
func (c *Client) Subscribe(ctx context.Context, s Subscription) (created bool, err error) {
	callback := func(path string) string { return c.server.JoinPath(path).String() }
	_, err = c.call(ctx, call{
		op: "subscribe " + s.Name, scope: s.scope,
		method: http.MethodPost, path: s.path, body: s.body(callback, c.config.WebhookSecret), limit: maxAnswer,
	})
	if IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}

// Thread fetches a social thread as it is now. The answer is JSON of the shape that events have in
// their data; it is not looked at here, and is at most 8 MiB. IsNotFound reports whether the error
// says that CXone has no such thread.
func (c *Client) Thread(ctx context.Context, id string) (data []byte, err error) {
	if id == "" || id == "." || id == ".." {
		// RFC 3986, section 5.2.4: these would name something above, however they are encoded.
		return nil, &Error{Op: opThread, Message: fmt.Sprintf("no path can name a thread whose id is %q", id)}
	}
	data, err = c.call(ctx, call{
		op: opThread, scope: scopesReadThreads,
		method: http.MethodGet, path: pathThreads + url.PathEscape(id), limit: maxThread,
	})
	if err != nil {
		return nil, err
	}
	if len(data) > maxThread {
		return nil, &Error{Op: opThread, Status: http.StatusOK, Message: fmt.Sprintf("the answer is larger than %d bytes", maxThread)}
	}
	return data, nil
}

const opThread = "fetch a thread"

// call is one request to the API.
type call struct {
	op, scope    string // for the error: what it is for, and the scope it needs
	method, path string // the path is percent-encoded
	body         any    // sent as JSON; nil for none
	limit        int64  // of the answer, in bytes; one more is read, which shows that it is longer
}

// call makes a request and returns the answer. A token that CXone does not accept is replaced once.
func (c *Client) call(ctx context.Context, r call) ([]byte, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, &Error{Op: r.op, Message: "the request cannot be written as JSON", Err: err}
		}
	}
	for renewed := false; ; renewed = true {
		token, err := c.tokens.get(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := c.send(ctx, r, token.AccessToken, body)
		if StatusOf(err) != http.StatusUnauthorized || renewed {
			return answer, err
		}
		c.tokens.drop(token)
	}
}

func (c *Client) send(ctx context.Context, r call, token string, body []byte) ([]byte, error) {
	if err := c.pause.check(r.op); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base.JoinPath(r.path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Op: r.op, Message: "the request cannot be made", Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Request-Id", rand.Text()) // CXone logs it
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(r.op, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, r.limit+1))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, c.answered(r, token, resp, answer)
	case err != nil:
		return nil, c.unreachable(r.op, fmt.Errorf("reading the answer: %w", err))
	}
	return answer, nil
}
