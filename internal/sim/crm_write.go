package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// delta is the body of a write.
type delta struct {
	ThreadID       string          `json:"threadId"`
	Version        *int64          `json:"version"`
	UpdatedAt      string          `json:"updatedAt"`
	ParentThreadID json.RawMessage `json:"parentThreadId"`

	AddedMessages       []Message     `json:"addedMessages"`
	UpdatedMessages     []Message     `json:"updatedMessages"`
	RemovedMessages     []string      `json:"removedMessages"`
	AddedParticipants   []Participant `json:"addedParticipants"`
	UpdatedParticipants []Participant `json:"updatedParticipants"`

	updatedAt time.Time
	parent    string // "" for none
}

// write carries out a PATCH of the thread, or a POST when its id is "".
func (c *CRM) write(r *http.Request, id string, body []byte) crmAnswer {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return refusal(http.StatusBadRequest, "the Idempotency-Key is missing")
	}
	sum := sha256.Sum256(body)
	d, err := readDelta(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, isKnown := c.kept[key]; isKnown {
		if kept.body != sum {
			return c.violated("the key of thread %q came with another body", kept.threadID)
		}
		c.counts.Replayed++
		return kept.answer
	}
	switch {
	case err != nil:
		return c.violated("no delta: %v", err)
	case id != "" && d.ThreadID != id:
		return c.violated("a delta of thread %q was sent to thread %q", d.ThreadID, id)
	}
	a := c.change(d, id == "", r.Header.Get("If-Match"))
	if a.status < 300 {
		c.kept[key] = keptAnswer{d.ThreadID, sum, a}
	}
	return a
}

// violated notes a violation and refuses the request. The caller holds the lock.
func (c *CRM) violated(format string, args ...any) crmAnswer {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
	return refusal(http.StatusUnprocessableEntity, format, args...)
}

// change applies a delta. The caller holds the lock.
func (c *CRM) change(d *delta, isNew bool, ifMatch string) crmAnswer {
	t, status := c.threads[d.ThreadID], http.StatusOK
	switch {
	case isNew && t != nil:
		return refusal(http.StatusConflict, "there is such a thread")
	case isNew:
		t = &crmThread{messages: make(map[string]Message), participants: make(map[string]Participant), foreign: newForeign()}
		status = http.StatusCreated
	case t == nil:
		return refusal(http.StatusNotFound, "there is no such thread")
	case ifMatch != "" && ifMatch != t.etag():
		return refusal(http.StatusPreconditionFailed, "the thread has changed")
	case *d.Version <= t.version:
		return refusal(http.StatusConflict, "the thread has version %d", t.version)
	}
	repeated, wrong := t.admits(d)
	if wrong != "" {
		return c.violated("thread %q: %s", d.ThreadID, wrong)
	}
	c.counts.Repeated += repeated
	t.apply(d)
	c.threads[d.ThreadID] = t
	c.touch(t)
	a := says(status, map[string]any{"threadId": d.ThreadID, "version": t.version, "updatedAt": t.updatedAt})
	a.etag = c.etag(t)
	return a
}

// touch gives a thread that has changed a new ETag. The caller holds the lock.
func (c *CRM) touch(t *crmThread) {
	c.tag++
	t.tag = c.tag
}

// admits returns what is wrong with applying a delta, "" when nothing is, and counts the items in it that
// the thread has already, unchanged.
func (t *crmThread) admits(d *delta) (repeated int, wrong string) {
	repeated, wrong = admits("message", d.AddedMessages, d.UpdatedMessages, t.messages, t.foreign.Messages, Message.id)
	if wrong != "" {
		return 0, wrong
	}
	more, wrong := admits("participant", d.AddedParticipants, d.UpdatedParticipants, t.participants, t.foreign.Participants, Participant.id)
	if wrong != "" {
		return 0, wrong
	}
	for _, id := range d.RemovedMessages {
		if now, isForeign := t.foreign.Messages[id]; isForeign && now != nil {
			return 0, fmt.Sprintf("removes message %q, which another writer has written", id)
		}
	}
	if p := t.foreign.Parent; p != nil && *p != d.parent {
		return 0, "links the thread elsewhere than another writer has"
	}
	return repeated + more, ""
}

func (m Message) id() string     { return m.ID }
func (p Participant) id() string { return p.ID }

func admits[T comparable](kind string, added, updated []T, has map[string]T, foreign map[string]*T, id func(T) string) (repeated int, wrong string) {
	named := make(map[string]bool)
	for i, item := range slices.Concat(added, updated) {
		now, isThere := has[id(item)]
		_, isForeign := foreign[id(item)]
		switch {
		case named[id(item)]:
			return 0, fmt.Sprintf("names %s %q twice", kind, id(item))
		case isThere && now == item:
			repeated++
		case isForeign:
			return 0, fmt.Sprintf("overwrites what another writer did to %s %q", kind, id(item))
		case isThere && i < len(added):
			return 0, fmt.Sprintf("adds %s %q a second time, and different", kind, id(item))
		case !isThere && i >= len(added):
			return 0, fmt.Sprintf("updates %s %q, which is not there", kind, id(item))
		}
		named[id(item)] = true
	}
	return repeated, ""
}

func (t *crmThread) apply(d *delta) {
	t.version, t.updatedAt, t.parent = *d.Version, d.updatedAt, d.parent
	for _, m := range slices.Concat(d.AddedMessages, d.UpdatedMessages) {
		t.messages[m.ID] = m
	}
	for _, id := range d.RemovedMessages {
		delete(t.messages, id)
	}
	for _, p := range slices.Concat(d.AddedParticipants, d.UpdatedParticipants) {
		t.participants[p.ID] = p
	}
}

// readDelta reads a body. Its errors repeat no text.
func readDelta(body []byte) (*delta, error) {
	d := &delta{}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	var isTime bool
	d.updatedAt, isTime = readUTC(d.UpdatedAt)
	switch {
	case d.ThreadID == "":
		return nil, fmt.Errorf("it has no threadId")
	case d.Version == nil || *d.Version < 0:
		return nil, fmt.Errorf("it has no version")
	case !isTime:
		return nil, fmt.Errorf("updatedAt is not a time in UTC")
	case d.AddedMessages == nil || d.AddedParticipants == nil:
		return nil, fmt.Errorf("it lacks a list of additions")
	case d.ParentThreadID == nil:
		return nil, fmt.Errorf("it has no parentThreadId")
	}
	if err := json.Unmarshal(d.ParentThreadID, &d.parent); err != nil {
		return nil, fmt.Errorf("parentThreadId is neither a text nor null")
	}
	return d, d.check()
}

func (d *delta) check() error {
	for _, m := range slices.Concat(d.AddedMessages, d.UpdatedMessages) {
		_, isTime := readUTC(m.Timestamp)
		switch length := utf8.RuneCountInString(m.Text); {
		case m.ID == "" || m.AuthorID == "":
			return fmt.Errorf("message %q lacks an id", m.ID)
		case length < 1 || length > 5000:
			return fmt.Errorf("message %q has %d characters", m.ID, length)
		case !isTime:
			return fmt.Errorf("message %q has no time in UTC", m.ID)
		}
	}
	for _, p := range slices.Concat(d.AddedParticipants, d.UpdatedParticipants) {
		if p.ID == "" || p.Role != "CUSTOMER" && p.Role != "AGENT" && p.Role != "SYSTEM" {
			return fmt.Errorf("participant %q lacks an id or a role", p.ID)
		}
	}
	return nil
}

// readUTC reads a time of RFC 3339 in UTC.
func readUTC(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil && strings.HasSuffix(text, "Z")
}
