package sim

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// CRMFault is what goes wrong with a request. The zero CRMFault is nothing.
type CRMFault struct {
	Method string // of the requests it applies to; every method when empty
	Times  int    // how many requests it applies to; 0 is one

	// The request waits first: for a time, until a signal comes, or, if it stalls, for ever. A caller
	// that gives up before is not answered, and nothing is applied, unless Applied is set.
	Delay time.Duration
	Until <-chan struct{}
	Stall bool

	// Applied says that the request is carried out nevertheless, before the wait. Its answer is that
	// of the fault.
	Applied bool

	Cut        bool // the connection is cut, without an answer
	Status     int  // 0, with Applied: 500
	RetryAfter string
	Location   string
	Body       string
}

// Fail adds a fault. If several apply to a request, the oldest one is used.
func (c *CRM) Fail(f CRMFault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
}

// SetFaults sets a function that decides on every request that no fault of Fail applies to. It must be
// safe for concurrent use, and its faults' Method and Times mean nothing. Nil removes it.
func (c *CRM) SetFaults(befalls func(*http.Request) CRMFault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.befalls = befalls
}

// SetRateLimit answers 429 to requests above a rate per second, after a burst. Retry-After is alternately
// a number of seconds and a date. A limit of 0 is none.
func (c *CRM) SetRateLimit(perSecond float64, burst int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = nil
	if perSecond > 0 {
		c.limit = rate.NewLimiter(rate.Limit(perSecond), burst)
	}
}

// fault returns the fault that applies to a request, and counts it down. The caller holds the lock.
func (c *CRM) fault(r *http.Request) CRMFault {
	i := slices.IndexFunc(c.faults, func(f CRMFault) bool { return f.Method == "" || f.Method == r.Method })
	if i >= 0 {
		f := c.faults[i]
		if c.faults[i].Times--; f.Times <= 1 {
			c.faults = slices.Delete(c.faults, i, i+1)
		}
		return f
	}
	if c.limit != nil && !c.limit.Allow() {
		c.refused++
		wait := time.Duration(float64(time.Second) / float64(c.limit.Limit()))
		return CRMFault{Status: http.StatusTooManyRequests, RetryAfter: writeRetryAfter(wait, c.refused%2 == 0)}
	}
	if c.befalls != nil {
		return c.befalls(r)
	}
	return CRMFault{}
}

// wait waits as the fault says, and reports whether the caller still does.
func (f *CRMFault) wait(ctx context.Context) bool {
	var delay <-chan time.Time
	switch {
	case f.Stall:
	case f.Delay > 0:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		delay = timer.C
	case f.Until == nil:
		return true
	}
	select {
	case <-delay:
	case <-f.Until:
	case <-ctx.Done():
		return false
	}
	return true
}

func (f *CRMFault) answer() crmAnswer {
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return crmAnswer{status: status, retryAfter: f.RetryAfter, location: f.Location, body: []byte(f.Body)}
}

// CRMTrouble is how often a CRM has which trouble, as shares of its requests, which add up to 1 at
// most.
type CRMTrouble struct {
	Throttled float64 // 429 or 503 with Retry-After, in seconds or as a date
	Failed    float64 // 500 or 502, half of them after the request was applied
	Cut       float64 // cut connections, half of them after the request was applied
	Stalled   float64 // no answer until the caller gives up, half of them after the request was applied

	RetryAfter time.Duration // in whole seconds
	Delay      time.Duration // of every answer
}

// Faults returns a function for SetFaults.
func (t CRMTrouble) Faults(rng *rand.Rand) func(*http.Request) CRMFault {
	var mu sync.Mutex
	return func(*http.Request) CRMFault {
		mu.Lock()
		defer mu.Unlock()
		f := CRMFault{Delay: t.Delay}
		share, applied := rng.Float64(), chance(rng, 0.5)
		for _, trouble := range []struct {
			share float64
			make  func()
		}{
			{t.Throttled, func() {
				f.Status = pick(rng, []int{http.StatusTooManyRequests, http.StatusServiceUnavailable})
				f.RetryAfter = writeRetryAfter(t.RetryAfter, chance(rng, 0.5))
			}},
			{t.Failed, func() { f.Status, f.Applied = pick(rng, []int{500, 502}), applied }},
			{t.Cut, func() { f.Cut, f.Applied = true, applied }},
			{t.Stalled, func() { f.Stall, f.Applied = true, applied }},
		} {
			if share -= trouble.share; share < 0 {
				trouble.make()
				break
			}
		}
		return f
	}
}

// writeRetryAfter writes a Retry-After: a number of seconds, rounded up, or a date.
func writeRetryAfter(d time.Duration, asDate bool) string {
	d = (d + time.Second - 1).Truncate(time.Second)
	if asDate {
		// A date has no fractions: the next whole second is the first that is late enough.
		return time.Now().Add(d + time.Second - 1).UTC().Format(http.TimeFormat)
	}
	return strconv.Itoa(int(d / time.Second))
}

// readRetryAfter reads what it can of a Retry-After.
func readRetryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
