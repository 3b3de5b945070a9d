package e2e_test

import (
	"encoding/json"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// The types of events.
const (
	updated = "THREAD_UPDATED"
	merged  = "THREAD_MERGED"
	split   = "THREAD_SPLIT"
)

// event writes an event as CXone posts it. Its time follows from its version: a higher one is later.
func event(kind, threadID string, version int, members ...member) string {
	data := map[string]any{"threadId": threadID, "version": version, "updatedAt": minute(version)}
	for _, add := range members {
		add(data)
	}
	body, err := json.Marshal(map[string]any{"event": kind, "timestamp": minute(version), "data": data})
	if err != nil {
		panic(err) // texts and numbers
	}
	return string(body)
}

// member adds something to the data of an event.
type member func(data map[string]any)

// saying lists messages.
func saying(messages ...sim.Message) member {
	return func(data map[string]any) { data["messages"] = messages }
}

// among lists participants.
func among(participants ...sim.Participant) member {
	return func(data map[string]any) { data["participants"] = participants }
}

// under names the parent.
func under(threadID string) member {
	return func(data map[string]any) { data["parentThreadId"] = threadID }
}

// minute is a time as CXone writes it, some minutes after ten.
func minute(n int) string { return minuteTime(n).Format(time.RFC3339) }

func minuteTime(n int) time.Time {
	return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

// line is a message of a customer, written some minutes after ten.
func line(id, text string, at int) sim.Message {
	return sim.Message{ID: id, Text: text, Timestamp: minute(at), AuthorID: "c-1", Direction: "INBOUND"}
}

// conversation is what the CRM is to have of a thread whose newest event has a version. The parent is
// "" for none.
func conversation(threadID string, version int, parent string, messages ...sim.Message) sim.Conversation {
	c := sim.Conversation{ThreadID: threadID, Version: int64(version), UpdatedAt: minuteTime(version), Messages: messages}
	if parent != "" {
		c.ParentThreadID = &parent
	}
	return c
}
