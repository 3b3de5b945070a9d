package thread

import (
	"slices"
	"time"
)

// Event is one webhook event about a thread.
type Event struct {
	Type     Type
	ThreadID string

	// Parent is the thread that this one is linked to: "" for none. An event that does not name it
	// (NamesParent is false) says nothing about it.
	Parent      string
	NamesParent bool

	Version      int64     // of the thread, as CXone counts it; 0 when the event names none
	UpdatedAt    time.Time // UTC, whole microseconds; zero when the event names none
	Messages     []Message
	Participants []Participant

	Key Key // identifies the event

	Received time.Time // when it reached us; UTC, whole microseconds
	Raw      []byte    // as received: JSON
}

// Type says what happened to a thread.
type Type string

// The types of events.
const (
	Updated Type = "THREAD_UPDATED"
	Merged  Type = "THREAD_MERGED" // it became a part of its parent
	Split   Type = "THREAD_SPLIT"  // it was made from messages of its parent
)

// Key is the identity of an event: the digest of its canonical content. An event that is delivered
// again has the same Key.
type Key [32]byte

// Message is a message of a thread as an event lists it. Fields that the event leaves out, or that
// are not text, are "".
type Message struct {
	ID        string
	Text      string
	Timestamp string // RFC 3339 in UTC where it could be read, else as received
	AuthorID  string
	Direction string // INBOUND when the event leaves it out
}

// Participant is somebody in a thread as an event lists it. Fields that the event leaves out, or
// that are not text, are "".
type Participant struct {
	ID         string
	Role       string
	Name       string // "Unknown" when the event leaves it out
	PlatformID string
}

// ThreadIDs returns the ids of the threads that the event changes, sorted: its own thread and, when
// it takes messages out of the parent, the parent.
func (e *Event) ThreadIDs() []string {
	if !e.TakesFromParent() {
		return []string{e.ThreadID}
	}
	ids := []string{e.ThreadID, e.Parent}
	slices.Sort(ids)
	return ids
}

// TakesFromParent reports whether the event takes its messages out of the parent.
func (e *Event) TakesFromParent() bool {
	return e.Type == Split && e.Parent != "" && len(e.Messages) > 0
}

// Items returns the keys of the items that the event changes, in each of its threads.
func (e *Event) Items() []ItemKey {
	keys := make([]ItemKey, 0, len(e.Messages)+len(e.Participants))
	for i := range e.Messages {
		keys = append(keys, ItemKey{e.ThreadID, KindMessage, e.Messages[i].ID})
		if e.TakesFromParent() {
			keys = append(keys, ItemKey{e.Parent, KindMessage, e.Messages[i].ID})
		}
	}
	for i := range e.Participants {
		keys = append(keys, ItemKey{e.ThreadID, KindParticipant, e.Participants[i].ID})
	}
	return keys
}
