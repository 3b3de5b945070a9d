package sim

import "time"

// Conversation is a social thread as CXone and the CRM report it. Both simulations keep it in this
// form, so that they can be compared.
type Conversation struct {
	ThreadID       string        `json:"threadId"`
	ParentThreadID *string       `json:"parentThreadId"`
	Version        int64         `json:"version"`
	UpdatedAt      time.Time     `json:"updatedAt"`
	Messages       []Message     `json:"messages"`
	Participants   []Participant `json:"participants"`
}

// Message is a message of a Conversation.
type Message struct {
	ID        string `json:"id"`
	Text      string `json:"text"`
	Timestamp string `json:"timestamp"` // RFC 3339
	AuthorID  string `json:"authorId"`
	Direction string `json:"direction"` // INBOUND or OUTBOUND
}

// Participant is somebody in a Conversation.
type Participant struct {
	ID         string `json:"id"`
	Role       string `json:"role"` // CUSTOMER, AGENT or SYSTEM
	Name       string `json:"name"`
	PlatformID string `json:"platformId,omitempty"`
}
