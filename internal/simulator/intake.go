package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many requests are in flight at a time. They share group commits.
const atOnce = 16

// BusyError says that the intake is busy and has not taken all events. Those that it has taken are kept.
type BusyError struct {
	Accepted   int
	Events     int
	RetryAfter time.Duration // as the intake said
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("the intake is busy: it took %d of %d simulated events", e.Accepted, e.Events)
}

// post sends bodies to a webhook, each in a request of its own. After the first failure it begins no more
// requests.
func (s *Simulator) post(ctx context.Context, webhook http.Handler, bodies [][]byte, workers int) (Posted, error) {
	var (
		mu     sync.Mutex
		posted Posted
		failed atomic.Bool
		group  errgroup.Group
	)
	group.SetLimit(workers)
	for _, body := range bodies {
		group.Go(func() error {
			if failed.Load() {
				return nil
			}
			a, err := s.ask(ctx, webhook, body)
			if err != nil {
				failed.Store(true)
				return err
			}
			mu.Lock()
			posted.add(a)
			mu.Unlock()
			return nil
		})
	}
	err := group.Wait()
	if busy, ok := errors.AsType[*BusyError](err); ok {
		busy.Accepted, busy.Events = posted.Events, len(bodies)
	}
	return posted, err
}

func (p *Posted) add(a answer) {
	p.Events++
	if a.QueuedForRetry {
		p.Spooled++
	}
	if a.Quarantined {
		p.Quarantined++
	}
}

// answer is what the webhook says of an event that it has taken.
type answer struct {
	QueuedForRetry bool
	Quarantined    bool
}

// ask makes one request. It returns a *BusyError when the event is not taken now. Any other error means that
// it never will be, which is a fault of this package.
func (s *Simulator) ask(ctx context.Context, webhook http.Handler, body []byte) (a answer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-Secret", s.Secret)
	w := recorder{header: make(http.Header), status: http.StatusOK}
	webhook.ServeHTTP(&w, r)
	switch w.status {
	case http.StatusOK:
		if err := json.Unmarshal(w.body.Bytes(), &a); err != nil {
			return a, fmt.Errorf("simulator: read the answer of the webhook: %w", err)
		}
		return a, nil
	case http.StatusServiceUnavailable:
		// Without the header, or with a date in it, RetryAfter is 0.
		seconds, _ := strconv.Atoi(w.header.Get("Retry-After"))
		return a, &BusyError{RetryAfter: time.Duration(seconds) * time.Second}
	}
	return a, fmt.Errorf("simulator: the webhook answers %d", w.status)
}

// recorder records an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) { w.status = status }

func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
