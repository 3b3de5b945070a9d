package cxone

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// The bounds of the wait between two attempts at a subscription. The bound doubles with each
// failure; the wait is drawn evenly between nothing and the bound.
const (
	minBackoff = time.Second
	maxBackoff = 5 * time.Minute
)

// Subscriber makes the subscriptions, however long it takes. A CXone that is away, or refuses, is
// no reason to stop the service: events of earlier subscriptions still come in.
type Subscriber struct {
	client *Client
	log    *slog.Logger

	// Jitter draws the wait between two attempts: between 0 and the bound. It is set before Run,
	// if at all.
	Jitter func(bound time.Duration) time.Duration

	subscriptions []Subscription
	mu            sync.Mutex
	states        []State // of the subscriptions, in their order
}

// State says how far a subscription is, for /readyz and the console.
type State struct {
	Name      string
	State     Progress
	LastError string    // of the last attempt, if it failed
	Since     time.Time // when it came into this state; UTC
	Attempts  int
}

// Progress is how far a subscription is.
type Progress string

// The stages of a subscription.
const (
	Off        Progress = "off"        // nobody asked for it: CXone is not configured
	Pending    Progress = "pending"    // there has been no answer yet
	Failing    Progress = "failing"    // the last attempt failed; another follows
	Subscribed Progress = "subscribed" // CXone has it
)

// NewSubscriber returns a Subscriber of all Subscriptions. With a nil client, or one that has no
// ServerURL, it does nothing and says that everything is off.
func NewSubscriber(client *Client, log *slog.Logger) *Subscriber {
	s := &Subscriber{
		client: client, log: log, subscriptions: Subscriptions(),
		Jitter: func(bound time.Duration) time.Duration { return rand.N(bound + 1) },
	}
	state := State{State: Pending, Since: time.Now().UTC()}
	if client == nil || client.server == nil {
		s.client, state.State = nil, Off
	}
	for _, sub := range s.subscriptions {
		state.Name = sub.Name
		s.states = append(s.states, state)
	}
	return s
}

// State returns the state of every subscription.
func (s *Subscriber) State() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]State(nil), s.states...)
}

// Run makes the subscriptions, each on its own so that one that fails does not delay another. It
// returns when CXone has them all, or when ctx is done. It is called once.
func (s *Subscriber) Run(ctx context.Context) {
	if s.client == nil {
		return
	}
	var wg sync.WaitGroup
	for i := range s.subscriptions {
		wg.Go(func() { s.insist(ctx, i) })
	}
	wg.Wait()
}

func (s *Subscriber) insist(ctx context.Context, i int) {
	for bound := minBackoff; ; bound = min(2*bound, maxBackoff) {
		wait, done := s.attempt(ctx, i, bound)
		if done {
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// attempt tries once and says how long to wait before the next time.
func (s *Subscriber) attempt(ctx context.Context, i int, bound time.Duration) (wait time.Duration, done bool) {
	began := time.Now()
	created, err := s.client.Subscribe(ctx, s.subscriptions[i])
	if err != nil && ctx.Err() != nil {
		return 0, true // we are being stopped; that says nothing about CXone
	}
	state := s.record(i, err)
	log := s.log.With("subscription", state.Name, "attempt", state.Attempts, "duration_us", time.Since(began).Microseconds())
	if err == nil {
		log.InfoContext(ctx, "subscribed to CXone", "created", created)
		return 0, true
	}
	wait = max(s.Jitter(bound), RetryAfter(err))
	log.WarnContext(ctx, "cannot subscribe to CXone", "error", err, "status", StatusOf(err), "next_in", wait.String())
	return wait, false
}

func (s *Subscriber) record(i int, err error) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := &s.states[i]
	state.Attempts++
	progress := Subscribed
	state.LastError = ""
	if err != nil {
		progress, state.LastError = Failing, err.Error()
	}
	if state.State != progress {
		state.State, state.Since = progress, time.Now().UTC()
	}
	return *state
}
