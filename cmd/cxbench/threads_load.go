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

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"
)

const (
	threadsPath = "/api/webhooks/cxone-threads"

	// posters is how many posts of a load are under way at once, at most.
	posters = 64

	// catchUp is how long after a load the CRM may take to have everything.
	catchUp = 2 * time.Minute
)

// threadRun is a load and what became of each of its events.
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
	start := time.Now()
	numbers := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(numbers)
		for i := range int(b.settings.Rate * length.Seconds()) {
			select {
			case numbers <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range posters {
		g.Go(func() error {
			for i := range numbers {
				due := start.Add(time.Duration(float64(i) / b.settings.Rate * float64(time.Second)))
				time.Sleep(time.Until(due))
				if err := run.post(ctx, client, b, name, i, due); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUp)
	defer cancel()
	// What is missing then shows in the figures.
	_ = b.crm.await(waiting, run.ids())
	return run, nil
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
	var list []map[string]string
	for _, id := range messages {
		list = append(list, map[string]string{
			"id": id, "text": "Is my parcel on its way? " + strings.Repeat("Please look. ", 10), "timestamp": at.UTC().Format(time.RFC3339Nano),
			"authorId": "customer-1", "direction": "INBOUND",
		})
	}
	body, err := json.Marshal(map[string]any{
		"event": "THREAD_UPDATED", "timestamp": at.UTC().Format(time.RFC3339Nano),
		"data": map[string]any{
			"threadId": threadID, "version": version, "updatedAt": at.UTC().Format(time.RFC3339Nano), "messages": list,
			"participants": []map[string]string{{"id": "customer-1", "role": "CUSTOMER", "name": "Ada"}},
		},
	})
	if err != nil {
		panic(err) // texts and numbers alone
	}
	return body
}

// send posts an event, and returns the answer.
func (b *threadCourse) send(ctx context.Context, client *http.Client, body []byte, prefer string) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.server.addr+threadsPath, bytes.NewReader(body))
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

// grow fills a thread with messages and then measures one more, several times.
func (b *threadCourse) grow(ctx context.Context, size int) ([]string, error) {
	client := b.client()
	defer client.CloseIdleConnections()
	thread := fmt.Sprintf("grown-%d", size)
	const chunk = 1000
	version := int64(0)
	for from := 0; from < size; from += chunk {
		version++
		var ids []string
		for i := from; i < min(size, from+chunk); i++ {
			ids = append(ids, fmt.Sprintf("%s-%d", thread, i))
		}
		if err := b.sync(ctx, client, threadEvent(thread, version, time.Now(), ids)); err != nil {
			return nil, err
		}
	}
	took := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
	events := b.settings.Events
	cpu, sent, requests := cpuOf(b.server), b.crm.bytes.Load(), b.crm.requests()
	for i := range events {
		version++
		began := time.Now()
		if err := b.sync(ctx, client, threadEvent(thread, version, began, []string{fmt.Sprintf("%s-more-%d", thread, i)})); err != nil {
			return nil, err
		}
		if err := took.RecordValue(time.Since(began).Microseconds()); err != nil {
			return nil, err
		}
	}
	each := func(total int64) string { return fmt.Sprintf("%.0f", float64(total)/float64(events)) }
	return []string{
		fmt.Sprint(size), percentile(took, 50), percentile(took, 99),
		((cpuOf(b.server) - cpu) / time.Duration(events)).Round(10 * time.Microsecond).String(),
		each(b.crm.bytes.Load() - sent), fmt.Sprintf("%.2f", float64(b.crm.requests()-requests)/float64(events)),
	}, nil
}

// sync posts an event and waits until the CRM has it.
func (b *threadCourse) sync(ctx context.Context, client *http.Client, body []byte) error {
	status, answer, err := b.send(ctx, client, body, "wait=30")
	if err == nil && (status != http.StatusOK || !bytes.Contains(answer, []byte("SYNCED"))) {
		err = fmt.Errorf("answered %d %s", status, answer)
	}
	return err
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

// verified tells how many were accepted, and how many of these the CRM has.
func (r *threadRun) verified() string {
	missing := 0
	for _, id := range r.ids() {
		if _, ok := r.crm.ackOf(id); !ok {
			missing++
		}
	}
	text := fmt.Sprintf("%d of %d", r.accepted()-missing, len(r.posts))
	if missing > 0 {
		text += fmt.Sprintf(", LOST %d", missing)
	}
	return text
}

// lag is a percentile of the time from the 2xx to the CRM's acknowledgement; 0 where that came first.
func (r *threadRun) lag(at float64) string {
	h := hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
	for _, p := range r.posts {
		if acked, ok := r.crm.ackOf(p.message); ok {
			_ = h.RecordValue(max(1, acked.Sub(p.answered).Microseconds())) // ten minutes at most
		}
	}
	return percentile(h, at)
}

// answer is a percentile of the time from when a post was due to its answer.
func (r *threadRun) answer(at float64) string {
	return r.answerBetween(at, time.Time{}, time.Now().Add(time.Hour))
}

func (r *threadRun) answerBetween(at float64, from, to time.Time) string {
	h := hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
	for _, p := range r.posts {
		if !p.due.Before(from) && p.due.Before(to) {
			_ = h.RecordValue(max(1, p.answered.Sub(p.due).Microseconds()))
		}
	}
	return percentile(h, at)
}

// backlog counts the events that were answered by a time, and not in the CRM then.
func (r *threadRun) backlog(at time.Time) (n int) {
	for _, p := range r.posts {
		acked, ok := r.crm.ackOf(p.message)
		if p.answered.Before(at) && (!ok || acked.After(at)) {
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

func percentile(h *hdrhistogram.Histogram, at float64) string {
	return fmt.Sprintf("%.1f ms", float64(h.ValueAtPercentile(at))/1000)
}
