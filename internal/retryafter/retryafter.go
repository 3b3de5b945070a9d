// Package retryafter reads how long a server asks to be left alone.
package retryafter

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Most caps Retry-After: a server that asks for a day, by mistake or by a wrong clock, is asked again
// after five minutes.
const Most = 5 * time.Minute

// Read returns how long the server that answered with a header asks to be left alone, up to Most; 0 when
// it does not say. A date is counted from the server's own clock, if the header Date gives it, because ours
// may be wrong; otherwise from now.
func Read(header http.Header, now time.Time) time.Duration {
	if theirs, err := http.ParseTime(header.Get("Date")); err == nil {
		now = theirs
	}
	return parse(header.Get("Retry-After"), now)
}

// parse reads a Retry-After (RFC 9110, section 10.2.3): seconds or an HTTP date. What cannot be read or
// lies in the past is 0.
func parse(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // out of range is the highest number
		return time.Duration(min(seconds, uint64(Most/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), Most))
}
