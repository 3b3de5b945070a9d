package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/store"
)

// parkedThread is a thread that the CRM refuses until somebody there has approved its customer. Until
// then it is parked; after that, whoever looks at the demo can replay its dead letter with success.
type parkedThread struct {
	conversation sim.Conversation

	mu       sync.Mutex
	approved time.Time // when the CRM begins to take it; zero before it has refused it
}

const (
	parkedThreadID = "telegram-5531"

	// approvedAfter is counted from the first refusal, and is over before anybody has signed in.
	approvedAfter = 5 * time.Second

	// unapproved is the CRM's answer until then.
	unapproved = `{"message":"this contact is new and awaits approval, which takes a few seconds"}`
)

func newParkedThread(now time.Time) *parkedThread {
	now = now.UTC().Truncate(time.Second)
	const customer, agent = "c-31", "a-2"
	return &parkedThread{conversation: sim.Conversation{
		ThreadID: parkedThreadID, Version: 1, UpdatedAt: now,
		Participants: []sim.Participant{
			{ID: agent, Role: "AGENT", Name: "Tom, support"},
			{ID: customer, Role: "CUSTOMER", Name: "Ines Moreau", PlatformID: "telegram:ines_m"},
		},
		Messages: []sim.Message{
			{ID: "t-1", AuthorID: customer, Direction: "INBOUND", Timestamp: now.Add(-2 * time.Minute).Format(time.RFC3339), Text: "Hello, I have just moved. Can you change where my parcel goes?"},
			{ID: "t-2", AuthorID: agent, Direction: "OUTBOUND", Timestamp: now.Add(-time.Minute).Format(time.RFC3339), Text: "Hello Ines, gladly. What is the new street?"},
		},
	}}
}

// post returns the event that brings the thread.
func (p *parkedThread) post() (sim.Post, error) {
	body, err := json.Marshal(map[string]any{"event": "THREAD_UPDATED", "timestamp": p.conversation.UpdatedAt, "data": p.conversation})
	return sim.Post{Body: body, Kind: sim.Updated, Answer: http.StatusOK, Threads: []string{parkedThreadID}}, err
}

// faults makes the CRM refuse the thread until it is approved; all other requests get other trouble.
func (p *parkedThread) faults(trouble func(*http.Request) sim.CRMFault) func(*http.Request) sim.CRMFault {
	return func(r *http.Request) sim.CRMFault {
		if r.URL.Path == "/threads/"+parkedThreadID && p.isRefused(time.Now()) {
			return sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: unapproved}
		}
		return trouble(r)
	}
}

func (p *parkedThread) isRefused(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.approved.IsZero() {
		p.approved = now.Add(approvedAfter)
	}
	return now.Before(p.approved)
}

// state returns what cxbridge says about how far the thread has come.
func (p *parkedThread) state(ctx context.Context, st store.Store) (store.SyncState, error) {
	row, err := st.Thread(ctx, parkedThreadID)
	if err != nil {
		return "", fmt.Errorf("read the thread %s: %w", parkedThreadID, err)
	}
	return row.Sync.State(), nil
}

// missing counts the dead letters that it should have and has not: 0 or 1.
func (p *parkedThread) missing(ctx context.Context, st store.Store) (int, error) {
	kept, err := st.CountDeadLetters(ctx, store.LetterFilter{Kind: store.KindThreadPush, Text: parkedThreadID}, 1)
	if err != nil || kept == 1 {
		return 0, err
	}
	// Asked second: a replay between the two questions takes the letter away and wakes the thread.
	state, err := p.state(ctx, st)
	if err != nil || state != store.StateParked {
		return 0, err
	}
	return 1, nil
}

// verdict says what became of the thread.
func (p *parkedThread) verdict(state store.SyncState) string {
	if state == store.StateSynced {
		return fmt.Sprintf("The thread %s, which the CRM had refused, was replayed since and is equal, too.\n", parkedThreadID)
	}
	return fmt.Sprintf("The thread %s, which the CRM refused at first and would take now, waits for an operator to replay it.\n", parkedThreadID)
}
