package webhook

import (
	"sync/atomic"
	"time"
)

// MinBytes is the least Limits.Bytes, in bytes, that lets in the largest request of the default Body
// and Items: four times Body plus 1 KiB for each of Items. A caller with a signature gets half of
// Bytes until its body is read, and a body that grows is held twice while it is moved.
const MinBytes = 4*defaultBody + defaultItems*itemCost

const (
	defaultBody  = 8 << 20
	defaultItems = 5000
)

// Limits bound what the webhooks take on. A field that is 0 stands for its default.
type Limits struct {
	Body        int64         // bytes of one body; over it the answer is 413. Default 8 MiB
	Items       int           // events of one array; over it the answer is 413. Default 5,000
	Bytes       int64         // memory for requests in flight; over it the answer is 503. Default 64 MiB; see MinBytes
	Requests    int64         // requests in flight; over it the answer is 503. Default 4,096
	ReadTimeout time.Duration // for a whole body to arrive. Default 10 s
}

func (l Limits) withDefaults() Limits {
	if l.Body == 0 {
		l.Body = defaultBody
	}
	if l.Items == 0 {
		l.Items = defaultItems
	}
	if l.Bytes == 0 {
		l.Bytes = 64 << 20
	}
	if l.Requests == 0 {
		l.Requests = 4096
	}
	if l.ReadTimeout == 0 {
		l.ReadTimeout = 10 * time.Second
	}
	return l
}

// itemCost is what an event of an array is assumed to take in memory besides its text, in bytes: its
// reading, receipt and answer. Without it five thousand empty objects would pass as 15 kB.
const itemCost = 1 << 10

// load counts what is in flight, over all webhooks of a Gate.
type load struct {
	requests atomic.Int64
	bytes    atomic.Int64
}

// ticket is what one request holds of the load. The zero ticket is not usable.
//
// A caller that is not known yet, because its signature covers a body still to come, gets no more
// than half of each limit. So strangers who start requests and never end them cannot shut out
// callers who show a secret.
type ticket struct {
	load   *load
	limits *Limits
	known  bool
	in     bool  // counted as a request
	bytes  int64 // reserved
}

// enter counts the request in, or reports that there are too many.
func (t *ticket) enter() bool {
	t.in = take(&t.load.requests, 1, t.ceiling(t.limits.Requests))
	return t.in
}

// reserve sets n bytes aside, or reports that there are too many in flight.
func (t *ticket) reserve(n int64) bool {
	if !take(&t.load.bytes, n, t.ceiling(t.limits.Bytes)) {
		return false
	}
	t.bytes += n
	return true
}

// unreserve gives back n bytes of those reserved.
func (t *ticket) unreserve(n int64) {
	t.load.bytes.Add(-n)
	t.bytes -= n
}

// leave gives back all that the ticket holds.
func (t *ticket) leave() {
	if t.bytes != 0 {
		t.unreserve(t.bytes)
	}
	if t.in {
		t.in = false
		t.load.requests.Add(-1)
	}
}

func (t *ticket) ceiling(limit int64) int64 {
	if t.known {
		return limit
	}
	return (limit + 1) / 2
}

// take adds n to the counter unless that would lift it over the ceiling. The counter never exceeds the
// ceiling even for a moment, so a request that is refused takes no room from its neighbours.
func take(counter *atomic.Int64, n, ceiling int64) bool {
	for {
		held := counter.Load()
		if held+n > ceiling {
			return false
		}
		if counter.CompareAndSwap(held, held+n) {
			return true
		}
	}
}
