package sim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Sender posts a stream to a webhook, as CXone would: at a rate, several at once, and again after
// an answer of 503 or none.
type Sender struct {
	URL     string
	Sign    Sign         // proves who we are; nil sends no proof
	Client  *http.Client // its Timeout bounds how long Run takes to stop; 10 s when nil
	Rate    float64      // posts per second; 0 is as fast as they are answered
	Workers int          // posts under way at once; 1 when 0
	Retries int          // attempts after the first one

	// Answered is called with the last answer to every post, from several goroutines. It may be nil.
	Answered func(Post, Answer)

	mu     sync.Mutex
	counts Counts
}

var defaultClient = &http.Client{Timeout: 10 * time.Second}

// Answer is what the webhook answered to a post.
type Answer struct {
	Status int   // HTTP status; 0 when there was none
	Err    error // why there was none; else nil
	Events Events

	// Took is the time from when the post was due, or else first sent, to the end of its last answer.
	// So the delay of a sender that does not keep up counts.
	Took time.Duration
}

// OK reports whether the webhook accepted the post.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Events says what became of the events of a post. One event may be in several of them.
type Events struct {
	Accepted    int // new
	Duplicate   int
	Flagged     int // accepted, and the sender ID breaks the rules
	Quarantined int
	Spooled     int // durable, and not yet in the database
	Refused     int
	Ignored     int // of threads: brought nothing new
	Synced      int // of threads: accepted, and the CRM has them
}

// Counts are the answers so far.
type Counts struct {
	Posts    int // that were answered for good, or given up
	OK       int // 2xx
	Refused  int // 4xx
	GivenUp  int // busy, failing or silent to the last attempt
	Busy     int // answers of 503, retried or not
	Retries  int
	Statuses map[int]int // last answers by HTTP status; 0 is none
	Events   Events
}

// Counts returns the counts so far. It may be called while Run runs.
func (s *Sender) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Statuses = make(map[int]int, len(s.counts.Statuses))
	for status, n := range s.counts.Statuses {
		c.Statuses[status] = n
	}
	return c
}

// Run posts what next returns until that is false or ctx is done. It calls next from one goroutine.
// A post that is due at a time is sent then, or as soon as a worker is free. That does not delay the
// posts after it.
// A post that next has returned is sent even if ctx ends meanwhile, unless it is due later: an event that
// was made up and never posted would be missing for ever. Posts that are on the wire when ctx is done are
// waited for, so that no answer is lost; those that wait for another attempt are given up.
func (s *Sender) Run(ctx context.Context, next func() (Post, bool)) {
	posts := make(chan Post)
	var wg sync.WaitGroup
	for range max(1, s.Workers) {
		wg.Go(func() {
			for p := range posts {
				s.deliver(ctx, p)
			}
		})
	}
	defer wg.Wait()
	defer close(posts)
	limit := rate.NewLimiter(rate.Inf, 1)
	if s.Rate > 0 {
		limit.SetLimit(rate.Limit(s.Rate))
	}
	for limit.Wait(ctx) == nil {
		p, more := next()
		if !more {
			return
		}
		if wait := untilDue(p); wait > 0 && !pause(ctx, wait) {
			return
		}
		posts <- p // a worker gets free within the client's Timeout
	}
}

// deliver posts until there is an answer that counts.
func (s *Sender) deliver(ctx context.Context, p Post) {
	began := p.Due
	if began.IsZero() {
		began = time.Now()
	}
	for attempt := 0; ; attempt++ {
		a, retryAfter := s.post(ctx, p)
		a.Took = time.Since(began)
		again := a.Status == 0 || a.Status >= 500
		if !again || attempt >= s.Retries || !pause(ctx, retryAfter) {
			s.count(p, a, !again)
			return
		}
		s.mu.Lock()
		s.counts.Retries++
		s.mu.Unlock()
	}
}

// The bounds of the wait before another attempt.
const (
	defaultRetry = time.Second
	maxRetry     = 30 * time.Second
)

// untilDue returns how long it is until a post is due; 0 when it is due at no time.
func untilDue(p Post) time.Duration {
	if p.Due.IsZero() {
		return 0
	}
	return time.Until(p.Due)
}

// pause waits, and reports whether it came to the end of it.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// post makes one attempt.
func (s *Sender) post(ctx context.Context, p Post) (Answer, time.Duration) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, s.URL, bytes.NewReader(p.Body))
	if err != nil {
		return Answer{Err: err}, defaultRetry
	}
	req.Header.Set("Content-Type", "application/json")
	if s.Sign != nil {
		s.Sign(req.Header, p.Body, time.Now())
	}
	resp, err := cmp.Or(s.Client, defaultClient).Do(req)
	if err != nil {
		return Answer{Err: err}, defaultRetry
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return Answer{Err: err}, defaultRetry
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		s.mu.Lock()
		s.counts.Busy++
		s.mu.Unlock()
	}
	retry := defaultRetry
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		retry = min(max(0, time.Duration(seconds)*time.Second), maxRetry)
	}
	return Answer{Status: resp.StatusCode, Events: readEvents(resp.StatusCode, body)}, retry
}

// readEvents reads the webhook's answer to one event or to an array of them.
func readEvents(status int, body []byte) Events {
	var a struct {
		Duplicate         bool
		ValidationWarning string
		Flagged           int
		Quarantined       any // of one event whether it is, of an array how many
		Accepted          *int
		Duplicates        int
		QueuedForRetry    bool
		Rejected          []json.RawMessage
	}
	if json.Unmarshal(body, &a) != nil || status < 200 || status > 299 {
		switch status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return Events{Refused: 1}
		}
		return Events{}
	}
	var threads threadAnswer
	if json.Unmarshal(body, &threads) == nil && threads.Status != "" {
		return threads.events()
	}
	if a.Accepted != nil {
		e := Events{Accepted: *a.Accepted, Duplicate: a.Duplicates, Flagged: a.Flagged, Refused: len(a.Rejected)}
		if n, isNumber := a.Quarantined.(float64); isNumber {
			e.Quarantined = int(n)
			e.Accepted -= e.Quarantined
		}
		if a.QueuedForRetry {
			e.Spooled = *a.Accepted
		}
		return e
	}
	one := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	quarantined := a.Quarantined == true
	return Events{
		Accepted: one(!a.Duplicate && !quarantined), Duplicate: one(a.Duplicate),
		Flagged: one(a.ValidationWarning != "" && !quarantined), Quarantined: one(quarantined),
		Spooled: one(a.QueuedForRetry),
	}
}

// threadAnswer is the answer of the webhook of threads to one event, or to an array of them.
type threadAnswer struct {
	threadResult
	Results []threadResult // nil: there was one event
}

type threadResult struct {
	Status         string
	QueuedForRetry bool
	Error          string
}

func (a *threadAnswer) events() (e Events) {
	results := a.Results
	if results == nil {
		results = []threadResult{a.threadResult}
	}
	for _, r := range results {
		switch {
		case r.Error != "":
			e.Refused++
			continue
		case r.Status == "IGNORED":
			e.Ignored++
			continue
		case r.Status == "SYNCED":
			e.Synced++
		}
		e.Accepted++
		if r.QueuedForRetry {
			e.Spooled++
		}
	}
	return e
}

func (s *Sender) count(p Post, a Answer, settled bool) {
	s.mu.Lock()
	c := &s.counts
	c.Posts++
	switch {
	case !settled:
		c.GivenUp++
	case a.OK():
		c.OK++
	default:
		c.Refused++
	}
	if c.Statuses == nil {
		c.Statuses = make(map[int]int)
	}
	c.Statuses[a.Status]++
	c.Events.Accepted += a.Events.Accepted
	c.Events.Duplicate += a.Events.Duplicate
	c.Events.Flagged += a.Events.Flagged
	c.Events.Quarantined += a.Events.Quarantined
	c.Events.Spooled += a.Events.Spooled
	c.Events.Refused += a.Events.Refused
	c.Events.Ignored += a.Events.Ignored
	c.Events.Synced += a.Events.Synced
	s.mu.Unlock()
	if s.Answered != nil {
		s.Answered(p, a)
	}
}
