package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/cxbridge/cxbridge/internal/load"
)

// readers is how many questions are under way at once, at most.
const readers = 8

// asker asks a server questions at a constant rate, and notes how long the answers take.
type asker struct {
	addr, token string
	client      *http.Client
	questions   []question
	rate        float64 // questions per second

	mu    sync.Mutex
	fresh []*hdrhistogram.Histogram // by question; in microseconds, from when it was due
	again *hdrhistogram.Histogram   // of questions that had just been answered
	wrong map[string]int            // what was not answered with 200, by path and status
}

// newAsker signs in to the console.
func newAsker(ctx context.Context, addr, token string, questions []question, rate float64) (*asker, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	a := &asker{
		addr: addr, token: token, questions: questions, rate: rate, wrong: make(map[string]int), again: newMicros(),
		client: &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: readers}},
	}
	for range questions {
		a.fresh = append(a.fresh, newMicros())
	}
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/login", form)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, _, err := a.do(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the console answers the sign-in with %d", status)
	}
	return a, err
}

// run asks all questions in turn, for a time. A question with a window is asked a second time as soon
// as it is answered.
func (a *asker) run(ctx context.Context, length time.Duration) error {
	defer a.client.CloseIdleConnections()
	return load.Pace(ctx, a.rate, length, readers, a.turn)
}

func (a *asker) turn(ctx context.Context, i int, due time.Time) error {
	which := i % len(a.questions)
	q := &a.questions[which]
	path := q.path(i)
	if _, err := a.ask(ctx, path, due, a.fresh[which]); err != nil || !q.isAnswer {
		return err
	}
	_, err := a.ask(ctx, path, time.Now(), a.again)
	return err
}

// ask asks one question, and records how long the answer took since the question was due.
func (a *asker) ask(ctx context.Context, path string, due time.Time, into *hdrhistogram.Histogram) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.addr+path, nil)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "/analytics/") {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	status, body, err := a.do(request)
	if err != nil {
		return nil, err
	}
	took := time.Since(due)
	a.mu.Lock()
	defer a.mu.Unlock()
	if status != http.StatusOK {
		pattern, _, _ := strings.Cut(path, "?")
		a.wrong[fmt.Sprintf("%s: %d", pattern, status)]++
	}
	record(into, took)
	return body, nil
}

func (a *asker) do(request *http.Request) (status int, body []byte, err error) {
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
