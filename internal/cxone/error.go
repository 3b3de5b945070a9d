package cxone

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Error is a call to CXone that failed. Its text is fit for an operator: it says what to do where
// that is known, and never holds a token or a secret.
type Error struct {
	Op         string        // what was tried: "fetch a token"
	Status     int           // HTTP status of the answer; 0 when there was none
	Message    string        // what is wrong and what to do about it
	RetryAfter time.Duration // how long CXone asks to be left alone; 0 when it does not say
	Err        error         // the cause when there was no answer; else nil

	noThread bool // what is not there is the thread, and not the whole API
}

func (e *Error) Error() string { return e.Op + ": " + e.Message }

func (e *Error) Unwrap() error { return e.Err }

// StatusOf returns the HTTP status of the Error in err's chain; 0 when there is none, or when CXone
// did not answer.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// IsConflict reports whether CXone has the thing already.
func IsConflict(err error) bool { return StatusOf(err) == http.StatusConflict }

// IsNotFound reports whether CXone has no such thread. A 404 of another call is a wrong setting.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.noThread
}

// RetryAfter returns how long CXone asks to be left alone; 0 when it does not say.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// unreachable is the error of a call that got no answer.
func (c *Client) unreachable(op string, err error) *Error {
	var dns *net.DNSError
	var timeout net.Error
	e := &Error{Op: op, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "stopped"
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Message = fmt.Sprintf("the host %s does not exist: check CXONE_DOMAIN", c.base.Hostname())
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("%s did not answer in time", c.base.Host)
	default:
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		e.Message = fmt.Sprintf("cannot reach %s: %v", c.base.Host, err)
	}
	return e
}

// answered is the error of a call that was answered with a status other than 2xx. The token is that of
// the call, "" when it had none.
func (c *Client) answered(r call, token string, resp *http.Response, body []byte) *Error {
	e := &Error{Op: r.op, Status: resp.StatusCode, RetryAfter: c.pause.note(resp)}
	switch s := resp.StatusCode; {
	case s == http.StatusUnauthorized:
		e.Message = "401: CXone does not accept the token it gave us: check that CXONE_CLIENT_ID belongs to this tenant"
	case s == http.StatusForbidden:
		e.Message = "403: the OAuth client lacks the scope " + r.scope
	case s == http.StatusNotFound && r.op == opThread:
		e.noThread = true
		e.Message = "404: CXone has no such thread"
	case s == http.StatusNotFound:
		e.Message = fmt.Sprintf("404: %s has no %s: check CXONE_DOMAIN", c.base.Host, r.path)
	default:
		e.Message = c.describe(resp)
	}
	if e.RetryAfter > 0 {
		e.Message += fmt.Sprintf("; CXone asks for a pause of %s", wholeSeconds(e.RetryAfter))
	}
	if detail := c.detail(body, token); detail != "" {
		e.Message += " (CXone says: " + detail + ")"
	}
	return e
}

// describe says what a status means when none of our settings explains it.
func (c *Client) describe(resp *http.Response) string {
	s := resp.StatusCode
	switch {
	case s == http.StatusTooManyRequests:
		return "429: too many requests"
	case s >= 300 && s < 400:
		to := "elsewhere"
		if u, err := resp.Location(); err == nil {
			to = "to " + u.Host
		}
		return fmt.Sprintf("%d: %s redirects %s, which is not followed: check CXONE_DOMAIN", s, c.base.Host, to)
	case s >= 500:
		return fmt.Sprintf("%d: CXone has trouble of its own", s)
	}
	return fmt.Sprintf("%d %s", s, strings.ToLower(http.StatusText(s)))
}

// maxDetail limits what is repeated of CXone's own words, in runes.
const maxDetail = 200

// detail returns CXone's own words, if it has any and they hold no secret: an answer may echo the
// request.
func (c *Client) detail(body []byte, token string) string {
	var f failure
	if json.Unmarshal(body, &f) != nil {
		return ""
	}
	words := f.Message
	if words == "" {
		words = f.Description
	}
	if words == "" && len(f.Errors) > 0 {
		words = strings.TrimSpace(f.Errors[0].Field + " " + f.Errors[0].Message)
	}
	if c.reveals(words, token) {
		return ""
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, words))
	if len(runes) > maxDetail {
		runes = append(runes[:maxDetail], '…')
	}
	return string(runes)
}

func (c *Client) reveals(words, token string) bool {
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.config.ClientID) + ":" + url.QueryEscape(c.config.ClientSecret)))
	secrets := []string{c.config.ClientSecret, c.config.WebhookSecret, token, basic}
	for _, s := range secrets {
		if s != "" && (strings.Contains(words, s) || strings.Contains(words, url.QueryEscape(s))) {
			return true
		}
	}
	return false
}
