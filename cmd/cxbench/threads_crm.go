package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"sync"
	"sync/atomic"
	"time"
)

// threadCRM is a CRM that accepts everything, after a delay, and notes when it acknowledged which message.
type threadCRM struct {
	url    string
	server *http.Server
	delay  time.Duration
	away   atomic.Bool
	count  atomic.Int64
	bytes  atomic.Int64

	mu       sync.Mutex
	acked    map[string]time.Time // by message id; the first time
	versions map[string]int64     // by thread id
}

func startThreadCRM(delay time.Duration) (*threadCRM, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &threadCRM{url: "http://" + l.Addr().String(), delay: delay, acked: make(map[string]time.Time), versions: make(map[string]int64)}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = c.server.Serve(l) }() // ends with ErrServerClosed
	return c, nil
}

// ServeHTTP acknowledges a delta. While the CRM is away the connection breaks.
func (c *threadCRM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.away.Load() {
		panic(http.ErrAbortHandler)
	}
	c.count.Add(1)
	body, err := io.ReadAll(r.Body)
	var delta struct {
		ThreadID      string
		Version       int64
		AddedMessages []struct{ ID string }
	}
	if err == nil && r.Method != http.MethodGet {
		err = json.Unmarshal(body, &delta)
	}
	if err != nil {
		http.Error(w, "no delta", http.StatusBadRequest)
		return
	}
	c.bytes.Add(int64(len(body)))
	time.Sleep(c.delay)
	now := time.Now()
	c.mu.Lock()
	if r.Method == http.MethodGet {
		version := c.versions[path.Base(r.URL.Path)]
		c.mu.Unlock()
		fmt.Fprintf(w, `{"version":%d}`, version) // without its messages
		return
	}
	c.versions[delta.ThreadID] = delta.Version
	for _, m := range delta.AddedMessages {
		if _, known := c.acked[m.ID]; !known {
			c.acked[m.ID] = now
		}
	}
	c.mu.Unlock()
	w.WriteHeader(http.StatusOK)
}

func (c *threadCRM) requests() int64 { return c.count.Load() }

func (c *threadCRM) setAway(away bool) { c.away.Store(away) }

// ackOf returns when a message was acknowledged.
func (c *threadCRM) ackOf(id string) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.acked[id]
	return at, ok
}

// await waits until all messages are acknowledged.
func (c *threadCRM) await(ctx context.Context, ids []string) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for _, id := range ids {
		for {
			if _, ok := c.ackOf(id); ok {
				break
			}
			select {
			case <-poll.C:
			case <-ctx.Done():
				return errors.New("the CRM never got the message " + id)
			}
		}
	}
	return nil
}

func (c *threadCRM) close() error { return c.server.Close() }
