package sim

import (
	"bytes"
	"container/heap"
	"math/rand/v2"
	"time"
)

// Traffic makes up what CXone posts about SMS messages: an endless stream of receipts of messages
// that live and end, in the order and the shapes in which they really come. The same source of
// randomness and the same times give the same stream. It is not safe for concurrent use.
type Traffic struct {
	rng   *rand.Rand
	mix   mixture
	queue arrivals
	made  int // arrivals so far; breaks ties in time
	begun int // messages so far
}

// maxUnderWay limits how many receipts wait for their time. While there are more, receipts are posted
// before their time, and no message begins.
const maxUnderWay = 5000

// NewTraffic returns a stream that is drawn from rng, of which it becomes the only user.
func NewTraffic(rng *rand.Rand) *Traffic { return &Traffic{rng: rng, mix: mixture{regions: regions}} }

// Messages returns how many messages have begun.
func (t *Traffic) Messages() int { return t.begun }

// Post is one body on its way to the webhook.
type Post struct {
	Body   []byte
	Kind   Kind
	Answer int // the HTTP status of the correct answer while all is well

	Receipts []Receipt // what a correct receiver takes from it
	Threads  []string  // the threads that its events are about, one for each good event, in their order
	Invalid  int       // how many events in it are to be refused and kept: 422, or an item of an array
	Refused  [][]byte  // the events in it that are to be refused, malformed ones too, as they are to be kept

	Due time.Time // when it is to be sent; zero: as soon as the Sender comes to it
}

func malformedPost(body []byte) Post {
	return Post{Body: body, Kind: Malformed, Answer: 400, Refused: [][]byte{body}}
}

func invalidPost(body []byte) Post {
	return Post{Body: body, Kind: Invalid, Answer: 422, Invalid: 1, Refused: [][]byte{body}}
}

// refuse adds to an array an item that is to be refused.
func (p *Post) refuse(item []byte) {
	p.Invalid++
	p.Refused = append(p.Refused, item)
}

// Receipt is what a correct receiver makes of one event.
type Receipt struct {
	MessageID string
	Step      int       // the place in the true story of the message: the highest one is its state
	Status    string    // canonical
	At        time.Time // that the event gives; zero when it gives none
	Carrier   string    // empty when the event does not name it
	Region    string    // ISO 3166-1 alpha-2
	BadSender bool      // the sender ID breaks the rules of the region
}

// Kind says what is notable about a post.
type Kind string

// The kinds of posts. If several fit a post, it has the first in this list.
const (
	Malformed  Kind = "malformed"    // not JSON
	Invalid    Kind = "invalid"      // no receipt, or no event of a thread
	Array      Kind = "array"        // several events at once
	Repeat     Kind = "repeat"       // was posted before
	Late       Kind = "late"         // long overtaken by the final one
	OutOfOrder Kind = "out of order" // just overtaken by the next one
	BadSender  Kind = "bad sender"
	SMPP       Kind = "smpp" // wraps a deliver_sm
	Pending    Kind = "pending"
	Delivered  Kind = "delivered"
	Failed     Kind = "failed" // for good: also rejected and expired
	Unknown    Kind = "unknown"

	// Of Conversations.
	Flawed  Kind = "flawed" // lists something that a CRM does not take
	Merged  Kind = "merged"
	Split   Kind = "split"
	Updated Kind = "updated"
)

// Next returns what is posted at now: a receipt that is due or, when there is none, the first one of a
// new message. The times must not go backwards.
func (t *Traffic) Next(now time.Time) Post {
	switch p := t.rng.Float64(); {
	case p < 0.01:
		return malformedPost(malformed(t.rng))
	case p < 0.02:
		return invalidPost(invalid(t.rng))
	case p < 0.05:
		return t.array(now)
	}
	if len(t.queue) == 0 || len(t.queue) < maxUnderWay && t.queue[0].at.After(now) {
		t.begin(now)
	}
	return t.take()
}

// Rest returns the receipts that are left of the messages that have begun, one after the other, whatever
// the time; false when there are none.
func (t *Traffic) Rest() (Post, bool) {
	if len(t.queue) == 0 {
		return Post{}, false
	}
	return t.take(), true
}

func (t *Traffic) array(now time.Time) Post {
	post := Post{Kind: Array, Answer: 200}
	var items [][]byte
	for range 2 + t.rng.IntN(10) {
		if len(t.queue) == 0 || t.queue[0].at.After(now) {
			t.begin(now)
		}
		item := t.take()
		items = append(items, item.Body)
		post.Receipts = append(post.Receipts, item.Receipts...)
	}
	if chance(t.rng, 0.2) {
		items = append(items, invalid(t.rng))
		post.refuse(items[len(items)-1])
	}
	post.Body = append(append([]byte{'['}, bytes.Join(items, []byte{','})...), ']')
	return post
}

// take posts the next receipt.
func (t *Traffic) take() Post {
	a := heap.Pop(&t.queue).(*arrival)
	w := a.written
	post := Post{Body: a.life.body(t.rng, w), Kind: a.kind(), Answer: 200, Receipts: []Receipt{w.receipt}}
	a.life.shown = max(a.life.shown, w.receipt.Step)
	return post
}

// begin makes up a message and plans when its receipts arrive: the first one at once.
func (t *Traffic) begin(now time.Time) {
	t.begun++
	l := newLife(t.rng, &t.mix, now)
	last := l.steps[len(l.steps)-1].at
	for i, s := range l.steps {
		at := s.at
		late := false
		switch p := t.rng.Float64(); {
		case i == 0:
		case i < len(l.steps)-1 && p < 0.10:
			late = true
			at = last.Add(t.between(2*time.Second, 20*time.Second))
		case p < 0.20: // held up on the way, perhaps until the next one has passed
			at = at.Add(t.between(0, 3*time.Second))
		default:
			at = at.Add(t.between(10*time.Millisecond, 200*time.Millisecond))
		}
		w := l.write(t.rng, i)
		t.plan(arrival{life: l, written: w, at: at, late: late})
		for chance(t.rng, 0.06) {
			at = at.Add(t.between(100*time.Millisecond, 15*time.Second))
			t.plan(arrival{life: l, written: w, at: at, repeat: true})
		}
	}
}

func (t *Traffic) plan(a arrival) {
	t.made++
	a.number = t.made
	heap.Push(&t.queue, &a)
}

func (t *Traffic) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(t.rng.Int64N(int64(hi-lo)))
}

// arrival is a receipt on its way.
type arrival struct {
	life         *life
	written      writtenReceipt
	at           time.Time
	number       int
	late, repeat bool
}

func (a *arrival) kind() Kind {
	switch overtaken := a.written.receipt.Step < a.life.shown; {
	case a.repeat:
		return Repeat
	case overtaken && a.late:
		return Late
	case overtaken:
		return OutOfOrder
	case a.life.badSender:
		return BadSender
	case a.life.form.smpp():
		return SMPP
	}
	switch a.written.receipt.Status {
	case "PENDING":
		return Pending
	case "DELIVERED":
		return Delivered
	case "UNKNOWN":
		return Unknown
	}
	return Failed
}

// arrivals is a heap of receipts, the next one first.
type arrivals []*arrival

func (q arrivals) Len() int { return len(q) }

func (q arrivals) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].number < q[j].number
}

func (q arrivals) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *arrivals) Push(x any) { *q = append(*q, x.(*arrival)) }

func (q *arrivals) Pop() any {
	old := *q
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return a
}
