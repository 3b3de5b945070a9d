package simulator

import (
	"math/rand/v2"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// The events.
const (
	threadUpdated = "THREAD_UPDATED"
	threadMerged  = "THREAD_MERGED"
	threadSplit   = "THREAD_SPLIT"
)

// story is what CXone would post, in the order in which it happens.
type story struct {
	rng    *rand.Rand
	clock  time.Time
	ids    []string // of the threads, as they begin
	events [][]byte
}

// pace is the time between two events.
const pace = 20 * time.Second

// talk is a thread as far as the story has come.
type talk struct {
	id       string
	version  int64
	people   []sim.Participant // a customer and an agent
	told     bool              // an event has named them
	messages []sim.Message
}

// event is the envelope of a thread event.
type event struct {
	Event     string    `json:"event"`
	Timestamp time.Time `json:"timestamp"`
	Data      eventData `json:"data"`
}

type eventData struct {
	ThreadID     string            `json:"threadId"`
	Parent       *string           `json:"parentThreadId,omitempty"`
	Version      int64             `json:"version"`
	UpdatedAt    time.Time         `json:"updatedAt"`
	Participants []sim.Participant `json:"participants,omitempty"`
	Messages     []sim.Message     `json:"messages,omitempty"`
}

// begin opens a thread. Its id is a UUID, because THREAD_ID_FORMAT may require that.
func (s *story) begin(people ...sim.Participant) *talk {
	t := &talk{id: sim.UUID(s.rng), people: people}
	s.ids = append(s.ids, t.id)
	return t
}

func (s *story) customer() sim.Participant {
	return sim.Participant{
		ID: sim.UUID(s.rng), Role: "CUSTOMER", Name: draw(s.rng, customers), PlatformID: "sim-" + sim.UUID(s.rng)[:8],
	}
}

func (s *story) agent() sim.Participant {
	return sim.Participant{ID: sim.UUID(s.rng), Role: "AGENT", Name: draw(s.rng, agents)}
}

// say lets the customer and the agent take turns, for n messages, and posts an event about each.
func (s *story) say(t *talk, n int) {
	for range n {
		turn := len(t.messages)
		author, text, direction := t.people[0], draw(s.rng, questions), "INBOUND"
		if turn%2 == 1 {
			author, text, direction = t.people[1], draw(s.rng, replies), "OUTBOUND"
		}
		s.clock = s.clock.Add(pace)
		m := sim.Message{
			ID: sim.UUID(s.rng), Text: text, AuthorID: author.ID, Direction: direction, Timestamp: s.clock.Format(time.RFC3339Nano),
		}
		t.messages = append(t.messages, m)
		s.post(threadUpdated, t, nil, m)
	}
}

// post writes an event about a thread and increments its version. Only the first one names the people.
func (s *story) post(kind string, t *talk, parent *talk, messages ...sim.Message) {
	s.clock = s.clock.Add(time.Second)
	t.version++
	data := eventData{ThreadID: t.id, Version: t.version, UpdatedAt: s.clock, Messages: messages}
	if parent != nil {
		data.Parent = &parent.id
	}
	if !t.told {
		data.Participants, t.told = t.people, true
	}
	s.events = append(s.events, encode(event{Event: kind, Timestamp: s.clock, Data: data}))
}

func draw(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

var (
	customers = []string{"Ada", "Miguel Ortiz", "林美玲", "Zoë 🦊", "Simulated customer"}
	agents    = []string{"Priya (Support)", "Tom K.", "Équipe Clients"}
	questions = []string{
		"Where is my parcel?", "It is order 42.", "Can I change the address?", "The app says it was delivered, and it was not.",
		"How long will that take?", "Thanks! 🙏", "And the invoice?",
	}
	replies = []string{
		"Hello! Let me look that up.", "It leaves the depot tomorrow.", "I have changed that for you.",
		"Could you send me the order number?", "You will have it by mail in a minute.", "Sorry about that.",
	}
)
