package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"
)

// maxTries is how often a request is made at most.
const maxTries = 5

// insist makes a request as do does. While the service asks to wait, as it does when CXone asks for a pause,
// it waits and makes the request again, up to maxTries times.
func (c *apiClient) insist(ctx context.Context, method string, target *url.URL, body, into any) error {
	for try := 1; ; try++ {
		err := c.do(ctx, method, target, body, into)
		refused, isAnswer := errors.AsType[*apiError](err)
		if !isAnswer || refused.pause == 0 || try == maxTries || !c.patience.wait(ctx, refused) {
			return err
		}
	}
}

// patience waits as long as a service asks to, and tells so: in the bar, or where there is none in a line for
// each time. It is safe for concurrent use.
type patience struct {
	out io.Writer
	bar *progress

	mu    sync.Mutex
	until time.Time // when the last wait that was told of is over
}

// newPatience returns a patience that tells of its waits in a bar, or without one in lines on out.
func newPatience(out io.Writer, bar *progress) *patience {
	return &patience{out: out, bar: bar}
}

// wait waits as long as an answer asks to, and reports whether it did: not if ctx ended first.
func (p *patience) wait(ctx context.Context, refused *apiError) bool {
	over := time.Now().Add(refused.pause)
	p.tell(over, refused)
	defer p.bar.describe("")
	second := time.NewTicker(time.Second)
	defer second.Stop()
	end := time.NewTimer(refused.pause)
	defer end.Stop()
	for {
		p.bar.describe(fmt.Sprintf("waiting %s, as asked", time.Until(over).Round(time.Second)))
		select {
		case <-second.C:
		case <-end.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// tell prints a line about a wait, unless there is a bar, or another wait is under way.
func (p *patience) tell(over time.Time, refused *apiError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.bar == nil && !now.Before(p.until) {
		fmt.Fprintf(p.out, "waiting %s, as asked (%v)\n", refused.pause.Round(time.Second), refused)
	}
	if over.After(p.until) {
		p.until = over
	}
}
