package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/simulator"
)

// simulation plays a script to a cxbridge.
type simulation struct {
	command       *simulateCommand
	start         time.Time // of the events
	began         time.Time // the posting
	took          time.Duration
	traffic       *sim.Traffic
	conversations *sim.Conversations
	ledger        *sim.Ledger
	receipts      *stream
	threads       *stream
	kinds         kindCounter
	bar           *progress

	mu         sync.Mutex
	latency    *hdrhistogram.Histogram // in microseconds
	unexpected map[string]int          // posts with a wrong answer, by what is wrong with it
	lost       int                     // how many of them hold events of threads
	broken     []string                // the last events that were rightly refused
	brokenNext int                     // index of the oldest of these
	brokenAll  int
	fatal      error // why there was no point in going on
	stop       context.CancelCauseFunc
}

// stream is what goes to one webhook.
type stream struct {
	kind   simulator.Kind
	sender *sim.Sender
	next   func(now time.Time) sim.Post
	rest   func() (sim.Post, bool)
	enter  func(p *simulator.Phase) // is called when a phase begins
}

// longestLatency is the longest latency that is recorded as it is, in microseconds.
const longestLatency = int64(time.Hour / time.Microsecond)

func newSimulation(c *simulateCommand, secret Secret, client *http.Client) *simulation {
	s := &simulation{
		command: c, ledger: sim.NewSample(c.Verify), latency: hdrhistogram.New(1, longestLatency, 3),
		unexpected: make(map[string]int),
		traffic:    sim.NewTraffic(rand.New(rand.NewPCG(c.Seed, 1))),
		conversations: sim.NewConversations(rand.New(rand.NewPCG(c.Seed, 2)),
			sim.Social{Threads: c.script.Threads, UUIDs: c.ThreadIDs == "uuid"}),
	}
	sender := func(path string) *sim.Sender {
		return &sim.Sender{
			URL: c.Server.JoinPath(path).String(), Sign: sim.BySecret(secret.Reveal()), Client: client,
			Workers: c.Workers, Retries: c.Retries, Answered: s.answered,
		}
	}
	s.receipts = &stream{
		kind: simulator.KindSMS, sender: sender(smsPath), next: s.traffic.Next, rest: s.traffic.Rest,
		enter: func(p *simulator.Phase) { s.traffic.SetMix(p.Mix) },
	}
	s.threads = &stream{
		kind: simulator.KindThreads, sender: sender(threadsPath), next: s.conversations.Next, rest: s.conversations.Rest,
		enter: func(p *simulator.Phase) { s.conversations.SetStories(p.Stories) },
	}
	return s
}

// play posts all of the script, and then the rest of the stories that it began.
//
// The events happen at the times for which the script has planned them, not when they are sent, so
// that the same seed makes up the same events however fast the other end is. They begin on a whole
// minute, because the dates of some receipts are truncated to minutes.
func (s *simulation) play(ctx context.Context, stderr io.Writer) {
	ctx, s.stop = context.WithCancelCause(ctx)
	defer s.stop(nil)
	script := s.command.script
	s.bar = newProgress(stderr, script.Posts(simulator.KindSMS)+script.Posts(simulator.KindThreads), "posts")
	defer s.bar.clear()
	s.began = time.Now()
	s.start = s.began.Truncate(time.Minute)
	var playing sync.WaitGroup
	for _, one := range []*stream{s.receipts, s.threads} {
		playing.Go(func() {
			one.sender.Run(ctx, s.planned(one))
			if ctx.Err() == nil {
				one.sender.Run(ctx, s.unplanned(one))
			}
		})
	}
	playing.Wait()
	s.took = time.Since(s.began)
}

// planned returns the posts of a stream, each when it is due.
func (s *simulation) planned(one *stream) func() (sim.Post, bool) {
	schedule := s.command.script.Schedule(one.kind)
	entered := -1
	return func() (sim.Post, bool) {
		due, phase, more := schedule.Next()
		if !more {
			return sim.Post{}, false
		}
		if phase != entered {
			one.enter(&s.command.script.Phases[phase])
			entered = phase
		}
		post := one.next(s.start.Add(due))
		post.Due = s.began.Add(due)
		return post, true
	}
}

// unplanned returns the posts that are left when the script is over.
func (s *simulation) unplanned(one *stream) func() (sim.Post, bool) {
	return func() (sim.Post, bool) {
		post, more := one.rest()
		if more {
			s.bar.extend()
		}
		return post, more
	}
}

// answered notes the last answer to a post. It is called by several goroutines.
func (s *simulation) answered(p sim.Post, a sim.Answer) {
	asDeserved := a.Status == p.Answer && (!a.OK() || a.Events.Refused == p.Invalid)
	if asDeserved && a.Events.Quarantined == 0 {
		s.ledger.Record(p)
	} else {
		s.ledger.Doubt(p) // what is quarantined is no message
	}
	s.kinds.add(p.Kind)
	s.bar.step()
	s.mu.Lock()
	defer s.mu.Unlock()
	// The histogram takes every value within its bounds, so there is no error.
	_ = s.latency.RecordValue(min(max(1, a.Took.Microseconds()), longestLatency))
	if asDeserved {
		s.keepBroken(p)
		return
	}
	s.unexpected[howAnswered(p, a)]++
	if len(p.Threads) > 0 {
		s.lost++
	}
	switch a.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		if s.fatal == nil {
			s.fatal = fmt.Errorf("the webhook answers %d %s: is WEBHOOK_SECRET that of this cxbridge, and the address right?",
				a.Status, http.StatusText(a.Status))
			s.stop(s.fatal)
		}
	}
}

// keepBroken remembers the last events that were refused, so that they can be looked for.
func (s *simulation) keepBroken(p sim.Post) {
	for _, body := range p.Refused {
		s.brokenAll++
		if len(s.broken) < s.command.Verify {
			s.broken = append(s.broken, string(body))
		} else if len(s.broken) > 0 {
			s.broken[s.brokenNext] = string(body)
			s.brokenNext = (s.brokenNext + 1) % len(s.broken)
		}
	}
}

// howAnswered says what is wrong with the answer to a post.
func howAnswered(p sim.Post, a sim.Answer) string {
	switch {
	case a.Status == 0:
		return fmt.Sprintf("never answered, want %d", p.Answer)
	case a.Status != p.Answer:
		return fmt.Sprintf("answered with %d, want %d", a.Status, p.Answer)
	}
	return "answered as if another number of their events were invalid"
}

// stopped returns why there was no point in going on; nil if there was.
func (s *simulation) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fatal
}

// wrong counts the posts with a wrong answer.
func (s *simulation) wrong() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, count := range s.unexpected {
		n += count
	}
	return n
}
