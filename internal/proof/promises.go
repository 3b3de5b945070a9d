package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Promises is an account of what a service has acknowledged. It is safe for concurrent use.
type Promises struct {
	mu       sync.Mutex
	posts    int // acknowledged
	events   int // in those posts: receipts, events of threads, and what was refused and kept
	receipts map[receipt]bool
	ledger   *sim.Ledger
	threads  eventSet // acknowledged as stored in the database, not in the spool
	refused  map[[sha256.Size]byte]bool
	others   []string // prefixes of the ids of other senders' messages
	strange  []string // answers that no post should get
	busy     int      // answers of 503
	last     time.Time
}

// receipt tells receipts apart: two with the same id, status and time are the same.
type receipt struct {
	id, status string
	at         time.Time
}

// NewPromises returns an empty account.
func NewPromises() *Promises {
	return &Promises{receipts: make(map[receipt]bool), ledger: sim.NewLedger(), refused: make(map[[sha256.Size]byte]bool)}
}

// Note records the answer to a post, and reports whether the answer is final. After any other answer,
// or none, the post must be sent again: nobody knows what became of it.
func (p *Promises) Note(post sim.Post, a sim.Answer) (settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch a.Status {
	case 0:
		return false
	case http.StatusServiceUnavailable:
		p.busy++
		return false
	case post.Answer:
	default:
		p.strange = append(p.strange, fmt.Sprintf("a post (%s) was answered with %d, not with %d: %.100s", post.Kind, a.Status, post.Answer, post.Body))
		return a.Status < 500
	}
	p.last = time.Now()
	p.posts++
	p.events += len(post.Receipts) + len(post.Threads) + len(post.Refused)
	p.ledger.Record(post)
	for _, r := range post.Receipts {
		p.receipts[receipt{r.MessageID, r.Status, r.At.UTC().Truncate(time.Microsecond)}] = true
	}
	for _, raw := range post.Refused {
		p.refused[sha256.Sum256(raw)] = true
	}
	// An event that is ignored brings nothing new and is not kept, and the answer to an array does not say
	// which ones those are. So only an array that is accepted as a whole counts.
	if len(post.Threads) > 0 && a.Events.Accepted == len(post.Threads) && a.Events.Spooled == 0 {
		for _, e := range goodEvents(post) {
			p.threads.add(e)
		}
	}
	return true
}

// goodEvents returns the events of a post, without those that must be refused.
func goodEvents(post sim.Post) (events []threadEvent) {
	items := []json.RawMessage{post.Body}
	if bytes.HasPrefix(post.Body, []byte{'['}) && json.Unmarshal(post.Body, &items) != nil {
		return nil
	}
	for _, item := range items {
		var e struct {
			Event string
			Data  struct {
				ThreadID string
				Version  *int64
			}
		}
		refused := slices.ContainsFunc(post.Refused, func(raw []byte) bool { return bytes.Equal(raw, item) })
		if !refused && json.Unmarshal(item, &e) == nil && e.Data.Version != nil {
			events = append(events, threadEvent{e.Data.ThreadID, e.Event, *e.Data.Version})
		}
	}
	return events
}

// Beside announces that another sender posts messages too, whose ids begin with prefix.
func (p *Promises) Beside(prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.others = append(p.others, prefix)
}

// isOthers reports whether a message is another sender's.
func (p *Promises) isOthers(id string) bool {
	return slices.ContainsFunc(p.others, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
}

// Posts returns how many posts were acknowledged.
func (p *Promises) Posts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.posts
}

// Events returns how many events were acknowledged.
func (p *Promises) Events() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

// Busy returns how many answers were 503.
func (p *Promises) Busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy
}

// Last returns when the last post was acknowledged.
func (p *Promises) Last() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}
