package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The events.
const (
	threadUpdated = "THREAD_UPDATED"
	threadMerged  = "THREAD_MERGED"
	threadSplit   = "THREAD_SPLIT"
)

// news is what a change brings.
type news struct {
	messages     []Message
	participants []Participant
	whole        bool // nothing was posted before, so all is
	unlinked     bool // the parent is gone
	flawed       bool // some of it is
}

// maxSnapshot is how many messages a conversation may have for an event to list all of them.
const maxSnapshot = 30

// tell makes a change true, and puts the event that reports it on its way.
func (c *Conversations) tell(t *talk, event string, n news) {
	c.clock = c.clock.Add(time.Microsecond)
	t.version++
	t.updatedAt = c.clock
	for _, m := range n.messages {
		t.messages[m.ID] = m
	}
	for _, p := range n.participants {
		t.participants[p.ID] = p
	}
	isSnapshot := n.whole || len(t.messages) <= maxSnapshot && chance(c.rng, 0.25)
	// A split takes what it lists out of the parent, so it lists no more than that.
	if isSnapshot && event != threadSplit {
		n.messages, n.participants = sortedMessages(t.messages), sortedParticipants(t.participants)
	}
	c.post(t, event, n)
	// Now and then another event repeats all of the thread.
	if len(t.messages) <= maxSnapshot && chance(c.rng, 0.04) {
		c.post(t, threadUpdated, news{messages: sortedMessages(t.messages), participants: sortedParticipants(t.participants)})
	}
}

func (c *Conversations) post(t *talk, event string, n news) {
	c.plan(telling{talk: t, version: t.version, kind: kindOf(event, n), body: c.event(t, event, n)})
}

func kindOf(event string, n news) Kind {
	switch {
	case n.flawed:
		return Flawed
	case event == threadMerged:
		return Merged
	case event == threadSplit:
		return Split
	}
	return Updated
}

// event writes an event in one of the shapes that CXone uses.
func (c *Conversations) event(t *talk, event string, n news) []byte {
	data := map[string]any{"threadId": t.id, "version": t.version}
	if c.namesParent(t, event, n) {
		t.linkedAt = t.updatedAt
		data["parentThreadId"] = t.parentID()
		if event == threadSplit && t.parent == "" && chance(c.rng, 0.5) {
			delete(data, "parentThreadId") // means the same: this event always names the parent
		}
	}
	if len(n.messages) > 0 || chance(c.rng, 0.5) {
		data["messages"] = c.messageList(n.messages)
	}
	if len(n.participants) > 0 || chance(c.rng, 0.5) {
		data["participants"] = c.participantList(n.participants)
	}
	if chance(c.rng, 0.3) {
		data["channel"] = map[string]any{"type": "SOCIAL", "network": t.channel.name, "tags": []string{}}
	}
	envelope := map[string]any{"event": event, "data": data}
	if chance(c.rng, 0.1) { // the time of the envelope must do
		envelope["timestamp"] = moment(c.rng, t.updatedAt)
		return c.encode(envelope)
	}
	data["updatedAt"] = moment(c.rng, t.updatedAt)
	if chance(c.rng, 0.8) {
		envelope["timestamp"] = moment(c.rng, t.updatedAt.Add(c.between(0, time.Second)))
	}
	return c.encode(envelope)
}

// namesParent draws whether an event names the parent, or says that there is none. It must where that
// is its news. On a ring it always does: then whoever follows the events and whoever fetches the
// thread decide alike which link does not count.
func (c *Conversations) namesParent(t *talk, event string, n news) bool {
	switch {
	case event != threadUpdated || n.unlinked || c.ring(t) != nil:
		return true
	case t.parent == "":
		return chance(c.rng, 0.5)
	}
	return chance(c.rng, 0.7)
}

func (c *Conversations) messageList(messages []Message) []any {
	list := []any{}
	for _, m := range messages {
		item := map[string]any{"id": m.ID, "direction": m.Direction}
		if m.Direction == "INBOUND" && chance(c.rng, 0.2) {
			delete(item, "direction")
		}
		c.put(item, "text", m.Text)
		c.put(item, "authorId", m.AuthorID)
		c.put(item, "timestamp", m.Timestamp)
		if at, err := time.Parse(time.RFC3339, m.Timestamp); err == nil {
			item["timestamp"] = moment(c.rng, at)
		}
		if chance(c.rng, 0.1) {
			item["attachments"] = []any{map[string]any{"id": 1, "url": "https://cdn.example/1.png"}}
		}
		list = append(list, item)
	}
	return list
}

func (c *Conversations) participantList(participants []Participant) []any {
	list := []any{}
	for _, p := range participants {
		item := map[string]any{"id": p.ID, "name": p.Name}
		if p.Name == unknownName && chance(c.rng, 0.7) {
			delete(item, "name")
			c.put(item, "name", "")
		}
		c.put(item, "role", p.Role)
		c.put(item, "platformId", p.PlatformID)
		list = append(list, item)
	}
	return list
}

// put sets a member. One that is empty is left out, or is null.
func (c *Conversations) put(item map[string]any, name, text string) {
	switch {
	case text != "":
		item[name] = text
	case chance(c.rng, 0.3):
		item[name] = nil
	}
}

// moment writes a time in one of the formats that occur, to the microsecond where it has them.
func moment(rng *rand.Rand, at time.Time) string {
	if chance(rng, 0.3) {
		at = at.In(time.FixedZone("", pick(rng, []int{3600, -5 * 3600, 19800})))
	}
	if chance(rng, 0.2) {
		return at.Format("2006-01-02T15:04:05.000000-0700") // no colon: not of RFC 3339
	}
	return at.Format(time.RFC3339Nano)
}

// encode writes JSON: compact, indented, or with every < > & as it is.
func (c *Conversations) encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(chance(c.rng, 0.5))
	if chance(c.rng, 0.1) {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("sim: %v", err)) // the values are texts, numbers, and maps of them
	}
	return bytes.TrimSpace(b.Bytes())
}

// malformedEvent makes a body that is not JSON. No two are equal.
func malformedEvent(rng *rand.Rand) []byte {
	return withID(rng, []string{
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":`,
		`{"event":"THREAD_UPDATED","data":{"threadId":ID,"version":1}}`,
		`{"event":"THREAD_UPDATED" "data":{"threadId":"ID"}}`,
		`<thread id="ID"/>`,
		"{\"event\":\"THREAD_UPDATED\",\"data\":{\"threadId\":\"ID\",\"version\":1,\"name\":\"\xff\"}}",
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":1}}}`,
	})
}

// invalidEvent makes a body that is JSON and no event. No two are equal.
func invalidEvent(rng *rand.Rand) []byte {
	return withID(rng, []string{
		`{"event":"THREAD_UPDATED","timestamp":"2026-03-01T10:00:00Z","ref":"ID"}`,
		`{"event":"THREAD_UPDATED","data":{"version":1,"ref":"ID"}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"","version":1,"ref":"ID"}}`,
		`{"event":"THREAD_DELETED","data":{"threadId":"ID","version":1}}`,
		`{"data":{"threadId":"ID","version":1}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":-1}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":1.5}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":1,"updatedAt":"yesterday"}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":1,"messages":{"id":"m"}}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":1,"messages":[{"text":"Hi"}]}}`,
		`{"event":"THREAD_UPDATED","data":{"threadId":"ID","version":1,"participants":[{"role":"AGENT"}]}}`,
		`{"event":"THREAD_MERGED","data":{"threadId":"ID","version":1}}`,
		`{"event":"THREAD_MERGED","data":{"threadId":"ID","version":1,"parentThreadId":"ID"}}`,
	})
}

func withID(rng *rand.Rand, templates []string) []byte {
	return []byte(strings.ReplaceAll(pick(rng, templates), "ID", fmt.Sprintf("SIM-%016x", rng.Uint64())))
}
