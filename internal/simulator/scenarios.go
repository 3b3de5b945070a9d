package simulator

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Scenario is what happens to the threads of a Story.
type Scenario string

// The scenarios.
const (
	Conversation Scenario = "conversation" // a customer and an agent write to each other
	Merge        Scenario = "merge"        // a customer has two conversations; the second goes into the first
	Split        Scenario = "split"        // the last half of a conversation becomes one of its own
	Storm        Scenario = "storm"        // many changes of a few threads, out of order, some repeated
)

// tell makes up a story that ends at now.
func tell(ask Story, now time.Time) (*story, error) {
	if ask.Size < 2 || ask.Size > MaxSize {
		return nil, fmt.Errorf("simulator: size %d, want 2 to %d", ask.Size, MaxSize)
	}
	s := &story{rng: rand.New(rand.NewPCG(ask.Seed, 0))}
	// A message takes its pace, and its event a second. Merge and split have at most two more events.
	s.clock = now.UTC().Truncate(time.Second).Add(-time.Duration(ask.Size)*(pace+time.Second) - 2*time.Second)
	switch ask.Scenario {
	case Conversation:
		s.say(s.begin(s.customer(), s.agent()), ask.Size)
	case Merge:
		s.merge(ask.Size)
	case Split:
		s.split(ask.Size)
	case Storm:
		return s, s.storm(ask.Size)
	default:
		return nil, fmt.Errorf("simulator: unknown scenario %q", ask.Scenario)
	}
	return s, nil
}

func (s *story) merge(size int) {
	customer := s.customer()
	first := s.begin(customer, s.agent())
	s.say(first, size-size/2)
	second := s.begin(customer, s.agent())
	s.say(second, size/2)
	s.post(threadMerged, second, first)
}

func (s *story) split(size int) {
	parent := s.begin(s.customer(), s.agent())
	s.say(parent, size)
	child := s.begin(parent.people...)
	s.post(threadSplit, child, parent, parent.messages[size-size/2:]...)
	s.post(threadUpdated, parent, nil) // it has lost messages, so it has changed, too
}

// stormThreads bounds the threads of a storm. stormRepeats is the share of its events that come twice.
const (
	stormThreads = 12
	stormRepeats = 0.1
)

// storm takes its events from sim.Conversations, repeats some, and shuffles them all.
func (s *story) storm(changes int) error {
	c := sim.NewConversations(s.rng, sim.Social{Threads: stormThreads, Orderly: true, UUIDs: true})
	c.Storm(changes)
	for range changes {
		s.clock = s.clock.Add(time.Second)
		if err := s.take(c.Next(s.clock)); err != nil {
			return err
		}
	}
	for post, more := c.Rest(); more; post, more = c.Rest() {
		if err := s.take(post); err != nil {
			return err
		}
	}
	for _, e := range slices.Clone(s.events) {
		if s.rng.Float64() < stormRepeats {
			s.events = append(s.events, e)
		}
	}
	s.rng.Shuffle(len(s.events), func(i, j int) { s.events[i], s.events[j] = s.events[j], s.events[i] })
	return nil
}

// take adds an event from sim.Conversations to the story.
func (s *story) take(post sim.Post) error {
	if !json.Valid(post.Body) || post.Answer != 200 {
		return fmt.Errorf("simulator: a storm holds a %s event", post.Kind)
	}
	s.events = append(s.events, post.Body)
	for _, id := range post.Threads {
		if !slices.Contains(s.ids, id) {
			s.ids = append(s.ids, id)
		}
	}
	return nil
}
