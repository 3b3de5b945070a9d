package thread_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// aCRM is a model of a CRM with other writers. It refuses what is not made for its version, and
// notes whatever a delta does that it should not.
type aCRM struct {
	threads    map[string]*crmThread
	violations []string

	isTerse bool // it tells no message and no participant
}

type crmThread struct {
	version  int64
	tag      int // of the state
	parent   string
	messages map[string]thread.Fields
	people   map[string]thread.Fields

	foreign map[string]thread.Fields // what other writers made of items, by list and id; nil is removed
	linked  bool                     // by another writer
}

func newCRM() *aCRM { return &aCRM{threads: make(map[string]*crmThread)} }

// body is a delta as the CRM reads it.
type body struct {
	ThreadID            string          `json:"threadId"`
	Version             int64           `json:"version"`
	Parent              *string         `json:"parentThreadId"`
	AddedMessages       []thread.Fields `json:"addedMessages"`
	UpdatedMessages     []thread.Fields `json:"updatedMessages"`
	RemovedMessages     []string        `json:"removedMessages"`
	AddedParticipants   []thread.Fields `json:"addedParticipants"`
	UpdatedParticipants []thread.Fields `json:"updatedParticipants"`
}

var (
	errConflict = errors.New("conflict")
	errGone     = errors.New("gone")
)

func (c *aCRM) violated(format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

// write applies a delta to a thread of the given ETag, or makes the thread.
func (c *aCRM) write(raw []byte, create bool, etag string) error {
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		c.violated("no delta: %v", err)
		return nil
	}
	t := c.threads[b.ThreadID]
	switch {
	case create && t != nil:
		return errConflict
	case create:
		t = &crmThread{version: -1, messages: make(map[string]thread.Fields), people: make(map[string]thread.Fields), foreign: make(map[string]thread.Fields)}
		c.threads[b.ThreadID] = t
	case t == nil:
		return errGone
	case etag != "" && etag != fmt.Sprint(t.tag):
		return errConflict
	}
	if b.Version <= t.version {
		return errConflict
	}
	parent := ""
	if b.Parent != nil {
		parent = *b.Parent
	}
	if t.linked && parent != t.parent {
		c.violated("%s: overwrites another writer's link", b.ThreadID)
	}
	t.version, t.parent = b.Version, parent
	t.tag++
	c.apply(t, "m ", t.messages, b.AddedMessages, b.UpdatedMessages)
	c.apply(t, "p ", t.people, b.AddedParticipants, b.UpdatedParticipants)
	for _, id := range b.RemovedMessages {
		if _, isForeign := t.foreign["m "+id]; isForeign {
			c.violated("%s: removes another writer's %s", b.ThreadID, id)
		}
		delete(t.messages, id)
	}
	return nil
}

func (c *aCRM) apply(t *crmThread, list string, has map[string]thread.Fields, added, updated []thread.Fields) {
	for i, item := range slices.Concat(added, updated) {
		id := item["id"]
		now, isThere := has[id]
		_, isForeign := t.foreign[list+id]
		switch isAdded := i < len(added); {
		case isForeign:
			c.violated("overwrites another writer's %s%s", list, id)
		case isAdded && isThere && !maps.Equal(now, item) && !c.isTerse:
			c.violated("adds %s%s a second time", list, id)
		case !isAdded && !isThere:
			c.violated("updates %s%s, which is not there", list, id)
		}
		has[id] = item
	}
}

// remote is what a GET answers.
func (c *aCRM) remote(t *crmThread) *thread.Remote {
	r := &thread.Remote{Version: t.version, ETag: fmt.Sprint(t.tag), Parent: t.parent, NamesParent: true}
	if !c.isTerse {
		r.Messages, r.Participants = maps.Clone(t.messages), maps.Clone(t.people)
	}
	return r
}

// meddle does the work of another writer. Its values are none that CXone ever has.
func (c *aCRM) meddle(threadID, what, id string, n int) {
	t := c.threads[threadID]
	if t == nil {
		return
	}
	value := thread.Fields{"id": id, "text": fmt.Sprint("edited ", n)}
	switch what {
	case "add":
		id = fmt.Sprint("note ", n)
		value["id"] = id
		t.messages[id], t.foreign["m "+id] = value, value
	case "edit":
		if t.messages[id] == nil {
			return
		}
		t.messages[id], t.foreign["m "+id] = value, value
	case "remove":
		if t.messages[id] == nil {
			return
		}
		delete(t.messages, id)
		t.foreign["m "+id] = nil
	case "rename":
		if t.people["p1"] == nil {
			return
		}
		t.people["p1"] = thread.Fields{"id": "p1", "role": "AGENT", "name": fmt.Sprint("known as ", n)}
		t.foreign["p p1"] = t.people["p1"]
	case "link":
		t.parent, t.linked = fmt.Sprint("folder ", n), true
	}
	t.version++
	t.tag++
}
