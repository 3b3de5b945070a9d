package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Balancer hands requests to replicas in turn, as a load balancer does. A request that gets no answer from
// one replica goes to the next, and the replica is left alone for a while, after which one request tries it
// again. Balancer is an http.RoundTripper for Traffic, which repeats what no replica took.
type Balancer struct {
	transport *http.Transport
	targets   []*target

	mu     sync.Mutex
	next   int
	direct bool
	counts BalancerCounts
	wrong  []string
}

// target is a replica as the balancer sees it.
type target struct {
	replica  *Replica
	rest     time.Time // until when it is left alone
	excluded bool      // it is not ready, as when it is about to stop
}

// BalancerCounts count attempts.
type BalancerCounts struct {
	Attempts int
	Refused  int // by the operating system: nobody listens
	Failed   int // without an answer, for any other reason
}

const (
	attemptTimeout = 5 * time.Second // for one replica to answer; a commit that fails takes 3
	directTimeout  = 30 * time.Second
	targetRest     = time.Second
	readyPoll      = 50 * time.Millisecond
)

// NewBalancer returns a balancer that reaches the replicas through their proxies.
func NewBalancer(replicas []*Replica) *Balancer {
	b := &Balancer{transport: &http.Transport{MaxIdleConnsPerHost: 2 * feedWorkers}}
	for _, r := range replicas {
		b.targets = append(b.targets, &target{replica: r})
	}
	return b
}

// Through sends the traffic through another transport.
func (t *Traffic) Through(transport http.RoundTripper) { t.receipts.client.Transport = transport }

// Counts returns the counts so far.
func (b *Balancer) Counts() BalancerCounts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// CloseIdleConnections closes the connections that wait for another request.
func (b *Balancer) CloseIdleConnections() { b.transport.CloseIdleConnections() }

// RoundTrip tries one replica after the other. When it returns, the answer has been read completely.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var errs []error
	for range b.targets {
		t := b.choose()
		response, err := b.try(t, r)
		b.note(t, err)
		if err == nil {
			return response, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", t.replica.Name, err))
	}
	return nil, errors.Join(errs...)
}

// choose returns the replica whose turn it is among those that are not left alone; if all of them are, the next.
func (b *Balancer) choose() *target {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for i := range b.targets {
		t := b.targets[(b.next+i)%len(b.targets)]
		if t.excluded || now.Before(t.rest) {
			continue
		}
		b.next = (b.next + i + 1) % len(b.targets)
		if !t.rest.IsZero() {
			t.rest = now.Add(targetRest) // this request tries it
		}
		return t
	}
	b.next = (b.next + 1) % len(b.targets)
	return b.targets[b.next]
}

// try sends a request to a replica.
func (b *Balancer) try(t *target, r *http.Request) (*http.Response, error) {
	address, timeout := b.route(t)
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	attempt := r.Clone(ctx)
	var err error
	if attempt.Body, err = r.GetBody(); err != nil {
		return nil, err
	}
	attempt.URL.Host = address
	response, err := b.transport.RoundTrip(attempt)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// route returns where a replica is reached, and how long it may take to answer.
func (b *Balancer) route(t *target) (address string, timeout time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.direct {
		return t.replica.Address, directTimeout // where to be late counts as a fault
	}
	return t.replica.Proxy(Intake).Addr(), attemptTimeout
}

// note counts an attempt. While the balancer bypasses the proxies, nothing but a refused connection excuses a
// replica.
func (b *Balancer) note(t *target, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Attempts++
	switch {
	case err == nil:
		t.rest = time.Time{}
		return
	case errors.Is(err, syscall.ECONNREFUSED):
		b.counts.Refused++
	default:
		b.counts.Failed++
		if b.direct {
			b.wrong = append(b.wrong, fmt.Sprintf("%s accepted a connection and did not answer the post: %v", t.replica.Name, err))
		}
	}
	t.rest = time.Now().Add(targetRest)
}

// Roll stops each replica gracefully and starts it again, one after the other, while requests go on.
// Meanwhile the balancer bypasses the proxies, because through a proxy a refused connection looks like one
// that broke, and asks the replicas whether they are ready, as load balancers do. It returns a line for each
// request that a replica took and did not answer.
func (b *Balancer) Roll(ctx context.Context) ([]string, error) {
	b.bypass(true)
	defer b.bypass(false)
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	for _, t := range b.targets {
		watchers.Go(func() { b.watch(watching, t) })
	}
	for _, t := range b.targets {
		if err := t.replica.Service.Close(); err != nil {
			return nil, err
		}
		if err := t.replica.Start(ctx); err != nil {
			return nil, err
		}
		if err := Await(ctx, t.replica.Name+" gets requests again", func() bool { return !b.isExcluded(t) }); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	wrong := b.wrong
	b.wrong = nil
	return wrong, nil
}

func (b *Balancer) bypass(direct bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.direct = direct
	for _, t := range b.targets {
		t.excluded, t.rest = false, time.Time{}
	}
}

// watch keeps asking a replica whether it is ready, until ctx is done.
func (b *Balancer) watch(ctx context.Context, t *target) {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		_, err := t.replica.fetch(ctx, "/readyz")
		b.mu.Lock()
		t.excluded = err != nil
		b.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *Balancer) isExcluded(t *target) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return t.excluded
}
