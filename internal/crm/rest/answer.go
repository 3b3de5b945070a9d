package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/retryafter"
)

// wire notes how far a request came.
type wire struct{ asked, connected atomic.Bool }

func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { w.connected.Store(true) },
	}
}

// nothingSent reports whether there was no connection to send anything on. A transport that does
// not call the trace may have sent it.
func (w *wire) nothingSent() bool { return w.asked.Load() && !w.connected.Load() }

// unreachable is the error of a request that got no answer.
func (c *Client) unreachable(err error, uncertain bool) *crm.Error {
	e := &crm.Error{Class: crm.ClassFailed, Uncertain: uncertain, Err: err}
	var dns *net.DNSError
	var u *url.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Message = fmt.Sprintf("the host of %s does not exist: check CRM_API_URL", c.host)
	case isTimeout(err):
		e.Message = fmt.Sprintf("%s did not answer in time", c.host)
	case errors.As(err, &u): // the URL that it names holds the id of the thread
		e.Message = fmt.Sprintf("no answer from %s: %v", c.host, u.Err)
	default:
		e.Message = "no answer from " + c.host
	}
	return e
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// refused is the error of a request that was answered, and not with a success. The request is nil
// for a GET.
func (c *Client) refused(method string, resp *http.Response, body []byte, r *crm.Request) *crm.Error {
	e := &crm.Error{Status: resp.StatusCode}
	switch s := resp.StatusCode; {
	case s == http.StatusConflict, s == http.StatusPreconditionFailed:
		e.Class, e.Message = crm.ClassConflict, "the CRM's copy has changed"
	case s == http.StatusNotFound && method != http.MethodPost:
		e.Class, e.Message = crm.ClassGone, "the CRM has no such thread"
	case s == http.StatusTooManyRequests:
		e.Class, e.Message = crm.ClassThrottled, "too many requests"
		e.RetryAfter = retryafter.Read(resp.Header, time.Now())
	case s == http.StatusServiceUnavailable:
		e.Class, e.Message = crm.ClassThrottled, "the CRM is not available for now"
		e.RetryAfter = retryafter.Read(resp.Header, time.Now())
	case s == http.StatusRequestTimeout:
		e.Message = "the CRM did not get the request in time"
	case s == http.StatusTooEarly:
		e.Message = "the CRM wants the request later"
	case s >= 500:
		e.Message = "the CRM has trouble of its own"
	case s >= 400:
		e.Class, e.Message = crm.ClassPermanent, c.explain(s)
	case s >= 300:
		e.Message = fmt.Sprintf("%s redirects %s, which is not followed: check CRM_API_URL", c.host, target(resp))
	default:
		e.Message = "the answer has no meaning"
	}
	// A server in front of the CRM answers 5xx also when the CRM has begun.
	e.Uncertain = r != nil && (e.Status >= 500 || e.Status == http.StatusRequestTimeout)
	e.Message = fmt.Sprintf("%d: %s%s", e.Status, e.Message, c.words(resp, body, r))
	return e
}

// explain says what a status means that the CRM gives to every request alike.
func (c *Client) explain(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "the CRM does not accept the token: check CRM_API_TOKEN"
	case http.StatusForbidden:
		return "the token does not allow this: check CRM_API_TOKEN and what it may do"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return c.host + " has no such API: check CRM_API_URL"
	}
	if text := http.StatusText(status); text != "" {
		return "the CRM refuses it as " + strings.ToLower(text)
	}
	return "the CRM refuses it"
}

// target says where a redirect leads.
func target(resp *http.Response) string {
	if u, err := resp.Location(); err == nil {
		return "to " + u.Host
	}
	return "elsewhere"
}

// unreadable is the error of a GET whose answer is a success but not a thread.
func unreadable(resp *http.Response, err error, isLong bool) *crm.Error {
	e := &crm.Error{Class: crm.ClassFailed, Status: resp.StatusCode}
	var bad *badAnswerError
	switch {
	case isLong:
		e.Message = fmt.Sprintf("the CRM's copy of the thread is longer than %d MiB", maxThread>>20)
	case isTimeout(err):
		e.Message, e.Err = "the CRM's copy of the thread did not come in time", err
	case errors.As(err, &bad):
		e.Message = "the CRM's copy of the thread cannot be read: " + bad.reason
	default:
		e.Message, e.Err = "the CRM's copy of the thread broke off", err
	}
	return e
}

// strongETag returns the ETag of an answer; "" when it has none, or a weak one: that never matches
// an If-Match (RFC 9110, section 13.1.1), so sending it would make a conflict of every request.
func strongETag(resp *http.Response) string {
	tag := resp.Header.Get("ETag")
	if len(tag) >= 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
		return tag
	}
	return ""
}
