package crmtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/thread"
)

var updatedAt = time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)

// message returns an item that the CRM does not have.
func message(threadID, id, text string) *thread.Item {
	m := thread.Message{ID: id, Text: text, Timestamp: thread.FormatTime(updatedAt), AuthorID: "c1", Direction: "INBOUND"}
	return item(threadID, thread.KindMessage, id, m.Content())
}

func participant(threadID, id, name string) *thread.Item {
	p := thread.Participant{ID: id, Role: "CUSTOMER", Name: name}
	return item(threadID, thread.KindParticipant, id, p.Content())
}

func item(threadID string, kind thread.ItemKind, id string, content []byte) *thread.Item {
	return &thread.Item{
		ItemKey: thread.ItemKey{ThreadID: threadID, Kind: kind, ID: id},
		Stamp:   thread.Stamp{Version: 1, UpdatedAt: updatedAt, Hash: thread.HashOf(content)}, Content: content,
	}
}

// had returns an item that the CRM has with another value.
func had(i *thread.Item) *thread.Item {
	i.Acked = thread.HashOf([]byte("another value"))
	return i
}

// taken returns an item that the CRM has, and that was taken out of the thread.
func taken(i *thread.Item) *thread.Item {
	i.Acked, i.Removed, i.RemovedAt = i.Stamp.Hash, true, updatedAt.Add(time.Hour)
	return i
}

// request is a delta on its way.
func request(threadID string, version int64, parent string, items ...*thread.Item) crm.Request {
	d := thread.Delta{ThreadID: threadID, Version: version, UpdatedAt: updatedAt, Parent: parent, Items: items}
	return crm.Request{ThreadID: threadID, Version: version, Body: d.JSON(version)}
}

// first is the first request of a thread: one message and one participant, at version 3.
func first(threadID string) crm.Request {
	return request(threadID, 3, "", message(threadID, "m1", "hello"), participant(threadID, "c1", "Ann"))
}

func simMessage(id, text string) sim.Message {
	return sim.Message{ID: id, Text: text, Timestamp: thread.FormatTime(updatedAt), AuthorID: "c1", Direction: "INBOUND"}
}

func conversation(threadID string, version int64, parent string, messages ...sim.Message) sim.Conversation {
	c := sim.Conversation{
		ThreadID: threadID, Version: version, UpdatedAt: updatedAt, Messages: messages,
		Participants: []sim.Participant{{ID: "c1", Role: "CUSTOMER", Name: "Ann"}},
	}
	if parent != "" {
		c.ParentThreadID = &parent
	}
	return c
}

// wantConversation checks what the CRM has.
func wantConversation(t *testing.T, far CRM, want sim.Conversation) {
	t.Helper()
	got, isThere := far.Conversation(want.ThreadID)
	if !isThere {
		t.Fatalf("the CRM has no thread %q", want.ThreadID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the CRM's thread (-want +got):\n%s", diff)
	}
}

// mustCreate makes the thread of first.
func mustCreate(t *testing.T, sink crm.Sink, threadID string) crm.Ack {
	t.Helper()
	ack, err := sink.Create(t.Context(), first(threadID))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return ack
}

// wantClass checks an error, and that it says something.
func wantClass(t *testing.T, err error, want crm.Class, uncertain bool) *crm.Error {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
	e, ok := errors.AsType[*crm.Error](err)
	if !ok {
		t.Fatalf("the error is a %T, and no *crm.Error: %v", err, err)
	}
	if e.Class != want || e.Uncertain != uncertain {
		t.Errorf("class %d, uncertain %t, want %d, %t: %v", e.Class, e.Uncertain, want, uncertain, err)
	}
	if e.Error() == "" {
		t.Error("the error says nothing")
	}
	return e
}

// call is a method of a sink, as far as all of them are alike.
type call struct {
	name    string
	isWrite bool
	make    func(ctx context.Context, sink crm.Sink, threadID string) error
}

var calls = []call{
	{"Get", false, func(ctx context.Context, sink crm.Sink, id string) error {
		_, err := sink.Get(ctx, id)
		return err
	}},
	{"Patch", true, func(ctx context.Context, sink crm.Sink, id string) error {
		_, err := sink.Patch(ctx, request(id, 4, "", message(id, "m2", "how are you")))
		return err
	}},
	{"Create", true, func(ctx context.Context, sink crm.Sink, id string) error {
		_, err := sink.Create(ctx, first(id+" anew"))
		return err
	}},
}

// eachCall runs a test for each method on a thread of its own, which the CRM has.
func eachCall(t *testing.T, sink crm.Sink, test func(t *testing.T, c call, threadID string)) {
	for i, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			id := fmt.Sprintf("thread %d", i)
			mustCreate(t, sink, id)
			test(t, c, id)
		})
	}
}
