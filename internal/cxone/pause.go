package cxone

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/retryafter"
)

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
	d := retryafter.Read(resp.Header, now)
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
		Message: fmt.Sprintf("CXone asks for a pause, which lasts another %s", wholeSeconds(left)),
	}
}

// wholeSeconds rounds a time up to seconds.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
