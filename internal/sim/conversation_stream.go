package sim

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Conversations makes up social conversations, and what CXone posts about them: an endless stream
// of events in the order and the shapes in which they really come. The same source of randomness
// and the same times give the same stream. It knows how things really are, so that a CRM can be
// compared with it.
//
// Next and Rest are called from one goroutine; Thread, Expected and Lost from any.
type Conversations struct {
	rng     *rand.Rand
	social  Social
	stories Stories

	mu    sync.Mutex
	talks map[string]*talk
	order []*talk // as they began, so that draws do not depend on a map
	lost  map[string]bool

	clock time.Time // of CXone: the last updatedAt
	flaws []flaw    // to be corrected
	storm storm
	queue []telling // on their way, the next one first
}

// Social says how lively and how messy the social life is. A field that is 0 has its default.
type Social struct {
	Threads  int // conversations, at most; 200
	Messages int // in one conversation, at most; 300

	// Orderly posts every event once, alone and in its order, and nothing that is broken.
	Orderly bool

	// Lost is the share of the events that never arrive, 0.9 at most. Those of splits always arrive:
	// nothing else says that messages have left a thread, so reconciling could not repair it.
	Lost float64

	// Flaws adds messages and participants that a CRM does not accept. All are corrected by the end
	// of Rest, and some not before.
	Flaws bool

	UUIDs bool // the ids of threads are UUIDs; else they are all kinds of texts
}

// maxTellings limits how many events wait for their time. While there are more, events are posted
// before their time, and nothing new happens.
const maxTellings = 1000

// NewConversations returns a stream that is drawn from rng, of which it becomes the only user.
func NewConversations(rng *rand.Rand, social Social) *Conversations {
	if social.Threads == 0 {
		social.Threads = 200
	}
	if social.Messages == 0 {
		social.Messages = 300
	}
	social.Lost = min(social.Lost, 0.9)
	return &Conversations{rng: rng, social: social, talks: make(map[string]*talk), lost: make(map[string]bool)}
}

// telling is an event on its way.
type telling struct {
	talk         *talk
	version      int64
	kind         Kind
	body         []byte
	at           time.Time
	late, repeat bool
}

// Next returns what is posted at now: an event that is due or, when there is none, the first one of
// what happens now. The times must not go backwards.
func (c *Conversations) Next(now time.Time) Post {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.social.Orderly {
		switch p := c.rng.Float64(); {
		case p < 0.01:
			return malformedPost(malformedEvent(c.rng))
		case p < 0.02:
			return invalidPost(invalidEvent(c.rng))
		case p < 0.06:
			return c.array(now)
		}
	}
	c.happenBy(now)
	return c.take()
}

// Rest returns the events that are not posted yet, one after the other, whatever the time; false when
// there are none. Once the queue is empty, it corrects the flaws. The stream can go on after it.
func (c *Conversations) Rest() (Post, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && len(c.flaws) > 0 {
		c.correct()
	}
	if len(c.queue) == 0 {
		return Post{}, false
	}
	return c.take(), true
}

// happenBy lets things happen until there is an event to be posted.
func (c *Conversations) happenBy(now time.Time) {
	c.clock = laterOf(c.clock, now.UTC().Truncate(time.Microsecond))
	for len(c.queue) == 0 || len(c.queue) < maxTellings && c.queue[0].at.After(now) {
		before := len(c.queue)
		c.happen()
		if before > 0 && len(c.queue) > before {
			return
		}
	}
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// take posts the next event.
func (c *Conversations) take() Post {
	t := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	post := Post{Body: t.body, Kind: t.kind, Answer: 200, Threads: []string{t.talk.id}}
	switch overtaken := t.version < t.talk.posted; {
	case t.repeat:
		post.Kind = Repeat
	case overtaken && t.late:
		post.Kind = Late
	case overtaken:
		post.Kind = OutOfOrder
	}
	t.talk.posted = max(t.talk.posted, t.version)
	return post
}

func (c *Conversations) array(now time.Time) Post {
	post := Post{Kind: Array, Answer: 200}
	var items [][]byte
	for range 2 + c.rng.IntN(10) {
		c.happenBy(now)
		item := c.take()
		items = append(items, item.Body)
		post.Threads = append(post.Threads, item.Threads...)
	}
	if chance(c.rng, 0.2) {
		items = append(items, invalidEvent(c.rng))
		post.refuse(items[len(items)-1])
	}
	post.Body = append(append([]byte{'['}, bytes.Join(items, []byte{','})...), ']')
	return post
}

// plan puts an event on its way: it may be held up, overtaken, repeated or lost.
func (c *Conversations) plan(t telling) {
	t.at = c.clock
	if t.kind != Split && chance(c.rng, c.social.Lost) {
		c.lost[t.talk.id] = true
		return
	}
	if c.social.Orderly {
		c.enqueue(t)
		return
	}
	switch p := c.rng.Float64(); {
	case p < 0.08:
		t.late = true
		t.at = t.at.Add(c.between(2*time.Second, 20*time.Second))
	case p < 0.25: // until others have passed
		t.at = t.at.Add(c.between(0, 3*time.Second))
	default:
		t.at = t.at.Add(c.between(10*time.Millisecond, 200*time.Millisecond))
	}
	c.enqueue(t)
	for chance(c.rng, 0.06) {
		t.repeat = true
		t.at = t.at.Add(c.between(100*time.Millisecond, 15*time.Second))
		c.enqueue(t)
	}
}

// enqueue puts an event behind all that arrive no later.
func (c *Conversations) enqueue(t telling) {
	i, _ := slices.BinarySearchFunc(c.queue, t.at, func(other telling, at time.Time) int {
		if other.at.After(at) {
			return 1
		}
		return -1
	})
	c.queue = slices.Insert(c.queue, i, t)
}

func (c *Conversations) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(c.rng.Int64N(int64(hi-lo)))
}
