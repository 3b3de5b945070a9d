package rest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter caps Retry-After: a server that asks for a day, by mistake or by a wrong clock, is
// asked again after five minutes.
const maxRetryAfter = 5 * time.Minute

// retryAfter returns how long the CRM wants to be left alone; 0 when it does not say. A date is
// counted from the CRM's own clock, where it tells that.
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
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // out of range is the highest number
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), maxRetryAfter))
}
