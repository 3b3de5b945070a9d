package syncer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/thread"

	"pgregory.net/rapid"
)

// fakeCRM is a CRM in memory that has versions, other writers, and trouble when it is told to. It
// watches over what it is sent: complaints are what no push must ever do.
type fakeCRM struct {
	etags bool

	// trouble is asked before each request, when set, outside of the lock.
	trouble func(ctx context.Context, method, threadID string) mishap

	mu         sync.Mutex
	threads    map[string]*crmThread
	requests   []string // as "PATCH t1"
	active     map[string]int
	complaints []string
}

// mishap is what goes wrong with a request.
type mishap struct {
	err   error // nil: nothing goes wrong
	after bool  // the request is applied all the same
}

type crmThread struct {
	version       int64
	parent        string
	foreignParent bool
	items         map[thread.ItemKind]map[string]*crmItem
}

type crmItem struct {
	fields  thread.Fields
	foreign bool // another writer has changed it
}

func newCRM() *fakeCRM {
	return &fakeCRM{threads: make(map[string]*crmThread), active: make(map[string]int)}
}

func (t *crmThread) etag() string { return strconv.Quote(strconv.FormatInt(t.version, 10)) }

// refusal is an answer of the CRM that is no success.
func refusal(class crm.Class, status int) *crm.Error {
	return &crm.Error{Class: class, Status: status, Message: fmt.Sprintf("the CRM answered %d", status)}
}

// lost is the end of a connection before the answer.
func lost() *crm.Error {
	return &crm.Error{Class: crm.ClassFailed, Uncertain: true, Message: "the connection was cut"}
}

func (c *fakeCRM) complain(format string, args ...any) {
	c.complaints = append(c.complaints, fmt.Sprintf(format, args...))
}

// enter counts a request in and returns what goes wrong with it.
func (c *fakeCRM) enter(ctx context.Context, method, id string) mishap {
	c.mu.Lock()
	c.requests = append(c.requests, method+" "+id)
	c.active[id]++
	if c.active[id] > 1 {
		c.complain("%s: two requests for %s at a time", method, id)
	}
	c.mu.Unlock()
	if c.trouble == nil {
		return mishap{}
	}
	return c.trouble(ctx, method, id)
}

func (c *fakeCRM) leave(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active[id]--
}

func (c *fakeCRM) Get(ctx context.Context, id string) (*thread.Remote, error) {
	f := c.enter(ctx, "GET", id)
	defer c.leave(id)
	if f.err != nil {
		return nil, f.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.threads[id]
	if t == nil {
		return nil, refusal(crm.ClassGone, http.StatusNotFound)
	}
	r := &thread.Remote{
		Version: t.version, Parent: t.parent, NamesParent: true,
		Messages: fields(t.items[thread.KindMessage]), Participants: fields(t.items[thread.KindParticipant]),
	}
	if c.etags {
		r.ETag = t.etag()
	}
	return r, nil
}

func fields(items map[string]*crmItem) map[string]thread.Fields {
	all := make(map[string]thread.Fields, len(items))
	for id, item := range items {
		all[id] = maps.Clone(item.fields)
	}
	return all
}

func (c *fakeCRM) Patch(ctx context.Context, r crm.Request) (crm.Ack, error) {
	return c.change(ctx, "PATCH", r, func(t *crmThread) error {
		switch {
		case t == nil:
			return refusal(crm.ClassGone, http.StatusNotFound)
		case r.IfMatch != "" && r.IfMatch != t.etag():
			return refusal(crm.ClassConflict, http.StatusPreconditionFailed)
		case r.Version <= t.version:
			return refusal(crm.ClassConflict, http.StatusConflict)
		}
		return nil
	})
}

func (c *fakeCRM) Create(ctx context.Context, r crm.Request) (crm.Ack, error) {
	return c.change(ctx, "POST", r, func(t *crmThread) error {
		if t != nil {
			return refusal(crm.ClassConflict, http.StatusConflict)
		}
		return nil
	})
}

func (c *fakeCRM) change(ctx context.Context, method string, r crm.Request, check func(*crmThread) error) (ack crm.Ack, err error) {
	f := c.enter(ctx, method, r.ThreadID)
	defer c.leave(r.ThreadID)
	if f.err != nil && !f.after {
		return ack, f.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := check(c.threads[r.ThreadID]); err != nil {
		return ack, err
	}
	if c.threads[r.ThreadID] == nil {
		c.threads[r.ThreadID] = &crmThread{items: map[thread.ItemKind]map[string]*crmItem{
			thread.KindMessage: {}, thread.KindParticipant: {},
		}}
	}
	t := c.threads[r.ThreadID]
	c.apply(t, &r)
	if f.err != nil {
		return ack, f.err
	}
	ack = crm.Ack{Status: http.StatusOK, Version: t.version}
	if c.etags {
		ack.ETag = t.etag()
	}
	return ack, nil
}

// apply changes a thread by a delta.
func (c *fakeCRM) apply(t *crmThread, r *crm.Request) {
	var d struct {
		ThreadID                               string
		Version                                int64
		ParentThreadID                         *string
		AddedMessages, UpdatedMessages         []thread.Fields
		AddedParticipants, UpdatedParticipants []thread.Fields
		RemovedMessages                        []string
	}
	if err := json.Unmarshal(r.Body, &d); err != nil || d.ThreadID != r.ThreadID || d.Version != r.Version {
		c.complain("the body %s is not of the request: %v", r.Body, err)
	}
	t.version = d.Version
	parent := ""
	if d.ParentThreadID != nil {
		parent = *d.ParentThreadID
	}
	if parent != t.parent && t.foreignParent {
		c.complain("the parent of %s, which another writer had set, was replaced", r.ThreadID)
	}
	t.parent = parent
	for _, f := range slices.Concat(d.AddedMessages, d.UpdatedMessages) {
		c.put(t, thread.KindMessage, f)
	}
	for _, f := range slices.Concat(d.AddedParticipants, d.UpdatedParticipants) {
		c.put(t, thread.KindParticipant, f)
	}
	for _, id := range d.RemovedMessages {
		if item := t.items[thread.KindMessage][id]; item != nil && item.foreign {
			c.complain("the message %s, which another writer had changed, was removed", id)
		}
		delete(t.items[thread.KindMessage], id)
	}
}

func (c *fakeCRM) put(t *crmThread, kind thread.ItemKind, f thread.Fields) {
	if item := t.items[kind][f["id"]]; item != nil && item.foreign && !maps.Equal(item.fields, f) {
		c.complain("the %s %s, which another writer had changed, was replaced", kind, f["id"])
	}
	t.items[kind][f["id"]] = &crmItem{fields: f}
}

// edit is what another writer does to a message of a thread, where both are there.
func (c *fakeCRM) edit(threadID, messageID, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.threads[threadID]
	if t == nil || t.items[thread.KindMessage][messageID] == nil {
		return
	}
	t.version++
	item := t.items[thread.KindMessage][messageID]
	item.fields["text"], item.foreign = text, true
}

// relink is what another writer does to the parent of a thread.
func (c *fakeCRM) relink(threadID, parent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.threads[threadID]; t != nil {
		t.version++
		t.parent, t.foreignParent = parent, true
	}
}

func (c *fakeCRM) lose(threadID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.threads, threadID)
}

// count returns how many requests there were for a thread, or for all with "".
func (c *fakeCRM) count(threadID string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if _, id, _ := strings.Cut(r, " "); threadID == "" || id == threadID {
			n++
		}
	}
	return n
}

// mustEqual fails the test unless the CRM has what the threads show, but for what other writers
// did, and nothing was done that must never be done.
func (c *fakeCRM) mustEqual(t rapid.TB, m *memory) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, complaint := range c.complaints {
		t.Error(complaint)
	}
	links := make(map[string]thread.Link)
	for id, row := range m.rows {
		links[id] = row.Link()
	}
	for id, row := range m.rows {
		have := c.threads[id]
		switch {
		case !row.Own:
			continue
		case have == nil:
			t.Errorf("the CRM has no thread %s", id)
			continue
		case have.version < row.Version:
			t.Errorf("the CRM has version %d of %s, want %d", have.version, id, row.Version)
		}
		if parent := thread.FollowedParent(id, links); have.parent != parent && !have.foreignParent {
			t.Errorf("in the CRM the parent of %s is %q, want %q", id, have.parent, parent)
		}
		c.mustHaveItems(t, m, id, have)
	}
}

func (c *fakeCRM) mustHaveItems(t rapid.TB, m *memory, id string, have *crmThread) {
	t.Helper()
	shown := make(map[thread.ItemKey]bool)
	for key, item := range m.items {
		if key.ThreadID != id {
			continue
		}
		theirs := have.items[key.Kind][key.ID]
		isShown := !item.View().IsZero()
		shown[key] = isShown
		switch {
		case theirs != nil && theirs.foreign, item.SetAside == item.View() && isShown:
		case isShown != (theirs != nil):
			t.Errorf("%v: in the thread %t, in the CRM %t", key, isShown, theirs != nil)
		case isShown:
			var want thread.Fields
			if err := json.Unmarshal(item.Content, &want); err != nil {
				t.Error(err)
			}
			if !maps.Equal(want, theirs.fields) {
				t.Errorf("%v: the CRM has %v, want %v", key, theirs.fields, want)
			}
		}
	}
	for kind, items := range have.items {
		for itemID, item := range items {
			if !item.foreign && !shown[thread.ItemKey{ThreadID: id, Kind: kind, ID: itemID}] {
				t.Errorf("the CRM has %s %s in %s, which the thread does not show", kind, itemID, id)
			}
		}
	}
}
