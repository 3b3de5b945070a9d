package proof

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Probe posts one body after the other, at a steady pace, and records how long each takes: what another
// caller sees while something else goes on.
type Probe struct {
	Path   string
	Prefer string                    // the header of that name; none when empty
	Every  time.Duration             // from the beginning of one post to that of the next
	Body   func(n int) (body string) // of post n

	mu    sync.Mutex
	took  Times
	begun []time.Time
	taken []bool   // answered with 200
	busy  int      // answers of 503
	wrong []string // answers that are neither 200 nor 503
}

// Run posts until ctx is done, and waits for the answers. A post is due at its time whether or not those
// before it are answered, and its latency counts from then.
func (p *Probe) Run(ctx context.Context, s *Service) {
	client := &http.Client{Timeout: Patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	var posts sync.WaitGroup
	defer posts.Wait()
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			posts.Go(func() { p.post(s, client, n) })
		case <-ctx.Done():
			return
		}
	}
}

func (p *Probe) post(s *Service, client *http.Client, n int) {
	due := time.Now()
	status, err := p.send(s, client, p.Body(n))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took, p.begun = append(p.took, time.Since(due)), append(p.begun, due)
	ok := err == nil && status == http.StatusOK
	p.taken = append(p.taken, ok)
	switch {
	case ok:
	case err == nil && status == http.StatusServiceUnavailable:
		p.busy++
	default:
		p.wrong = append(p.wrong, fmt.Sprintf("post %d: status %d, %v", n, status, err))
	}
}

func (p *Probe) send(s *Service, client *http.Client, body string) (status int, err error) {
	request, err := http.NewRequest(http.MethodPost, s.URL()+p.Path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("X-Webhook-Secret", WebhookSecret)
	if p.Prefer != "" {
		request.Header.Set("Prefer", p.Prefer)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// Times returns how long the posts took.
func (p *Probe) Times() Times {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.took)
}

// Taken returns how many answers were 200.
func (p *Probe) Taken() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, taken := range p.taken {
		if taken {
			n++
		}
	}
	return n
}

// Busy returns how many answers were 503.
func (p *Probe) Busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy
}

// Wrong returns a line for each answer that is neither 200 nor 503.
func (p *Probe) Wrong() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.wrong)
}

// SettledAfter returns how long after a time the posts settle down: from then on all of them are taken,
// within the limit. It is 0 if they all are.
func (p *Probe) SettledAfter(from time.Time, limit time.Duration) (last time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, took := range p.took {
		if !p.taken[i] || took > limit {
			last = max(last, p.begun[i].Sub(from)+p.Every)
		}
	}
	return last
}
