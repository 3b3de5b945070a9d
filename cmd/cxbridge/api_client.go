package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/retryafter"
)

// apiClient calls the API of a running cxbridge.
type apiClient struct {
	server   *url.URL
	token    Secret
	http     *http.Client
	patience *patience // of insist; not used by do
}

// newAPIHTTP returns a client that follows no redirect, which would carry the token to a place that nobody
// named.
func newAPIHTTP(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// apiError is an answer of the API other than 2xx.
type apiError struct {
	status int
	text   string
	pause  time.Duration // how long the service, or what is in front of it, asks to wait; 0 when it does not
}

func (e *apiError) Error() string { return e.text }

// maxAPIAnswer bounds an answer of the API, in bytes.
const maxAPIAnswer = 16 << 20

// do makes a request, with a body in JSON unless that is nil, and decodes the answer. For an answer other
// than 2xx it returns an *apiError with the detail of its problem+json.
func (c *apiClient) do(ctx context.Context, method string, target *url.URL, body, into any) error {
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), sent)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	response, err := c.http.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("cannot ask %s: %w", c.server.Host, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAPIAnswer))
	if err != nil {
		return fmt.Errorf("%s breaks off: %w", c.server.Host, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return c.refused(response, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s does not answer as cxbridge does: %w", c.server.Host, err)
	}
	return nil
}

// refused returns the error of an answer other than 2xx.
func (c *apiClient) refused(response *http.Response, answer []byte) *apiError {
	e := &apiError{status: response.StatusCode, text: fmt.Sprintf("%s answers %s", c.server.Host, response.Status)}
	var problem struct{ Detail string }
	if json.Unmarshal(answer, &problem) == nil && problem.Detail != "" {
		e.text = fmt.Sprintf("%d: %s", response.StatusCode, problem.Detail)
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		e.pause = retryafter.Read(response.Header, time.Now())
	}
	return e
}

// segment escapes an id as one segment of a path. Dots are escaped as well, because JoinPath would resolve
// the segments "." and "..".
func segment(id string) string { return strings.ReplaceAll(url.PathEscape(id), ".", "%2E") }

// reconcile asks the service to reconcile one thread.
func (c *apiClient) reconcile(ctx context.Context, id string) (outcome reconcile.Outcome, err error) {
	err = c.insist(ctx, http.MethodPost, c.server.JoinPath("api", "reconcile", segment(id)), nil, &outcome)
	return outcome, err
}

// changedSince lists the ids of the threads that changed since a time.
func (c *apiClient) changedSince(ctx context.Context, since time.Time) (ids []string, err error) {
	query := url.Values{"since": {since.UTC().Format(time.RFC3339Nano)}, "limit": {"500"}}
	for {
		target := c.server.JoinPath("api", "threads")
		target.RawQuery = query.Encode()
		var page struct {
			Items []struct{ ThreadID string }
			Next  string
		}
		if err := c.insist(ctx, http.MethodGet, target, nil, &page); err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			ids = append(ids, item.ThreadID)
		}
		if page.Next == "" {
			return ids, nil
		}
		query.Set("cursor", page.Next)
	}
}
