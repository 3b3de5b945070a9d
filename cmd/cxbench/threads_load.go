package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

const (
	// posters is how many posts of a load are under way at once, at most.
	posters = 64

	// catchUp is how long after a load it may take until the CRM has everything.
	catchUp = 2 * time.Minute
)

// threadRun is a load, with what became of each of its events.
type threadRun struct {
	mu    sync.Mutex
	posts []threadPost
	crm   *threadCRM
}

// threadPost is one event with one message.
type threadPost struct {
	message  string // its id
	due      time.Time
	answered time.Time
	status   int
}

func (b *threadCourse) client() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: posters}}
}

// load posts events at the rate of the settings, whether or not the server keeps up, and waits until
// the CRM has what was accepted.
func (b *threadCourse) load(ctx context.Context, name string, length time.Duration) (*threadRun, error) {
	run := &threadRun{crm: b.crm}
	client := b.client()
	defer client.CloseIdleConnections()
	err := load.Pace(ctx, b.settings.Rate, length, posters, func(ctx context.Context, i int, due time.Time) error {
		return run.post(ctx, client, b, name, i, due)
	})
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	// What is missing then shows in the figures.
	_ = b.crm.await(waiting, run.ids())
	return run, ctx.Err()
}

func (r *threadRun) post(ctx context.Context, client *http.Client, b *threadCourse, name string, i int, due time.Time) error {
	id := fmt.Sprintf("%s-%d", name, i)
	body := threadEvent(fmt.Sprintf("%s-thread-%d", name, i%b.settings.Threads), int64(i/b.settings.Threads+1), due, []string{id})
	status, _, err := b.send(ctx, client, body, "")
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts = append(r.posts, threadPost{id, due, time.Now(), status})
	return nil
}

// threadEvent is an event of a thread with new messages, of about 300 bytes for each.
func threadEvent(threadID string, version int64, at time.Time, messages []string) []byte {
	return eventBody("THREAD_UPDATED", at, threadData(threadID, version, at, messages))
}

// mergeEvent says that a thread goes on in another one.
func mergeEvent(threadID, parentID string, version int64, at time.Time) []byte {
	data := threadData(threadID, version, at, nil)
	data["parentThreadId"] = parentID
	return eventBody("THREAD_MERGED", at, data)
}

func threadData(threadID string, version int64, at time.Time, messages []string) map[string]any {
	list := []map[string]string{}
	for _, id := range messages {
		list = append(list, map[string]string{
			"id": id, "text": "Is my parcel on its way? " + strings.Repeat("Please look. ", 10), "timestamp": at.UTC().Format(time.RFC3339Nano),
			"authorId": "customer-1", "direction": "INBOUND",
		})
	}
	return map[string]any{
		"threadId": threadID, "version": version, "updatedAt": at.UTC().Format(time.RFC3339Nano), "messages": list,
		"participants": []map[string]string{{"id": "customer-1", "role": "CUSTOMER", "name": "Ada"}},
	}
}

func eventBody(event string, at time.Time, data map[string]any) []byte {
	body, err := json.Marshal(map[string]any{"event": event, "timestamp": at.UTC().Format(time.RFC3339Nano), "data": data})
	if err != nil {
		panic(err) // texts and numbers alone
	}
	return body
}

// send posts an event, and returns the answer.
func (b *threadCourse) send(ctx context.Context, client *http.Client, body []byte, prefer string) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.server.addr+proof.ThreadsPath, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("X-Webhook-Secret", b.secret)
	if prefer != "" {
		request.Header.Set("Prefer", prefer)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

func (r *threadRun) ids() (ids []string) {
	for _, p := range r.posts {
		if p.status == http.StatusOK {
			ids = append(ids, p.message)
		}
	}
	return ids
}

func (r *threadRun) accepted() int { return len(r.ids()) }

// outcome counts what was posted, accepted, and acknowledged by the CRM.
func (r *threadRun) outcome() threadOutcome {
	o := threadOutcome{Posted: len(r.posts), Accepted: r.accepted()}
	for _, id := range r.ids() {
		if _, ok := r.crm.ackOf(id); ok {
			o.Acknowledged++
		}
	}
	return o
}

// lag is the time from the 2xx to the CRM's acknowledgement; 0 where that came first.
func (r *threadRun) lag() load.Latency {
	h := newMicros()
	for _, p := range r.posts {
		if acked, ok := r.crm.ackOf(p.message); ok {
			record(h, acked.Sub(p.answered))
		}
	}
	return load.LatencyOf(h)
}

// answersBetween is the time from when a post was due to its answer, of those that were due between two
// times.
func (r *threadRun) answersBetween(from, to time.Time) load.Latency {
	h := newMicros()
	for _, p := range r.posts {
		if !p.due.Before(from) && p.due.Before(to) {
			record(h, p.answered.Sub(p.due))
		}
	}
	return load.LatencyOf(h)
}

// backlog counts the events that were accepted by a time, and not in the CRM then.
func (r *threadRun) backlog(at time.Time) (n int) {
	for _, p := range r.posts {
		acked, ok := r.crm.ackOf(p.message)
		if p.status == http.StatusOK && p.answered.Before(at) && (!ok || acked.After(at)) {
			n++
		}
	}
	return n
}

// caughtUp returns how long after a time the last event that was answered by then was in the CRM.
func (r *threadRun) caughtUp(at time.Time) time.Duration {
	last := at
	for _, p := range r.posts {
		if acked, ok := r.crm.ackOf(p.message); ok && p.answered.Before(at) && acked.After(last) {
			last = acked
		}
	}
	return last.Sub(at)
}
