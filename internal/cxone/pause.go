package cxone

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxPause caps Retry-After: a server that asks for a day, by mistake or by a wrong clock, is
// asked again after five minutes.
const maxPause = 5 * time.Minute

// pause keeps the whole client from calling CXone while it asks to be left alone.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

// note reads an answer and returns how long CXone asks to be left alone; 0 when it does not.
func (p *pause) note(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	now := time.Now()
	d := retryAfter(resp.Header, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(d); until.After(p.until) {
		p.until = until
	}
	return d
}

// check returns an error while the pause lasts.
func (p *pause) check(op string) error {
	p.mu.Lock()
	left := time.Until(p.until)
	p.mu.Unlock()
	if left <= 0 {
		return nil
	}
	return &Error{
		Op: op, Status: http.StatusTooManyRequests, RetryAfter: left,
		Message: fmt.Sprintf("CXone asked to be left alone for another %s", left.Round(time.Second)),
	}
}

// retryAfter returns how long CXone asks to be left alone. A date is counted from CXone's own clock, where
// it tells that: ours may be wrong.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if theirs, err := http.ParseTime(header.Get("Date")); err == nil {
		now = theirs
	}
	return parseRetryAfter(header.Get("Retry-After"), now)
}

// parseRetryAfter reads a Retry-After (RFC 9110, section 10.2.3): seconds or an HTTP date. What
// cannot be read or lies in the past is 0.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		d = time.Duration(min(seconds, uint64(maxPause/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, maxPause))
}
