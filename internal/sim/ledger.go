package sim

import (
	"hash/fnv"
	"maps"
	"math/bits"
	"sync"
	"time"
)

// Ledger knows what a correct receiver must have made of the posts that it answered. It works from the
// true stories of the messages, not from the bodies, so that the receiver can be compared with it. It
// grows with the messages, up to its limit if it has one, and is safe for concurrent use.
type Ledger struct {
	limit int // messages; 0 is none

	mu       sync.Mutex
	thinned  int // how often every second message was left out, for the limit
	messages map[string]*account
	repeats  int
	refused  Refused
}

// account is what is known of one message.
type account struct {
	step     int
	status   string
	carrier  string
	region   string
	bad      bool
	doubted  bool
	receipts map[told]struct{}
}

// told identifies a receipt of a message: two with the same status and event time are the same.
type told struct {
	status string
	at     time.Time
}

// State is what a correct receiver must say about one message.
type State struct {
	Status    string // canonical
	Carrier   string // UNKNOWN when no receipt named it
	Region    string
	BadSender bool
	Receipts  int // different ones
}

// Totals are the counts that a correct receiver must arrive at.
type Totals struct {
	Messages  int
	Receipts  int            // different ones
	Repeats   int            // receipts beyond those
	ByStatus  map[string]int // messages by canonical status
	ByCarrier map[string]map[string]int
	Refused   Refused
}

// Refused counts the events that were to be refused.
type Refused struct {
	Malformed int // not JSON
	Invalid   int // no receipt
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{messages: make(map[string]*account)} }

// NewSample returns an empty ledger that keeps at most so many messages. Only their ids decide which
// ones. It knows everything about those, and counts only their messages, receipts and repeats.
func NewSample(messages int) *Ledger {
	l := NewLedger()
	l.limit = max(1, messages)
	return l
}

// Record notes that the receiver answered a post correctly.
func (l *Ledger) Record(p Post) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Kind == Malformed {
		l.refused.Malformed++
	}
	l.refused.Invalid += p.Invalid
	for _, r := range p.Receipts {
		l.record(r)
	}
}

// Doubt notes that it is unknown what the receiver made of a post. From then on its messages are not
// expected to be in any state.
func (l *Ledger) Doubt(p Post) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range p.Receipts {
		if a := l.account(r); a != nil {
			a.doubted = true
		}
	}
}

// account returns the account of the message of a receipt: nil when the message is not kept.
func (l *Ledger) account(r Receipt) *account {
	if a := l.messages[r.MessageID]; a != nil {
		return a
	}
	if !l.keeps(r.MessageID) {
		return nil
	}
	a := &account{step: -1, carrier: "UNKNOWN", region: r.Region, bad: r.BadSender, receipts: make(map[told]struct{})}
	l.messages[r.MessageID] = a
	for l.limit > 0 && len(l.messages) > l.limit {
		l.thinned++
		maps.DeleteFunc(l.messages, func(id string, _ *account) bool { return !l.keeps(id) })
	}
	return l.messages[r.MessageID]
}

// keeps reports whether a message is in the sample: its share is halved by each thinning.
func (l *Ledger) keeps(id string) bool {
	if l.thinned == 0 {
		return true
	}
	hash := fnv.New64a()
	hash.Write([]byte(id))
	return bits.TrailingZeros64(hash.Sum64()) >= l.thinned
}

func (l *Ledger) record(r Receipt) {
	a := l.account(r)
	if a == nil {
		return
	}
	if r.Step > a.step {
		a.step, a.status = r.Step, r.Status
	}
	if r.Carrier != "" {
		a.carrier = r.Carrier
	}
	key := told{r.Status, r.At}
	if _, known := a.receipts[key]; known {
		l.repeats++
	}
	a.receipts[key] = struct{}{}
}

// Expected returns the state of every message that is beyond doubt, by message id.
func (l *Ledger) Expected() map[string]State {
	l.mu.Lock()
	defer l.mu.Unlock()
	states := make(map[string]State, len(l.messages))
	for id, a := range l.messages {
		if !a.doubted {
			states[id] = a.state()
		}
	}
	return states
}

func (a *account) state() State {
	return State{Status: a.status, Carrier: a.carrier, Region: a.region, BadSender: a.bad, Receipts: len(a.receipts)}
}

// Totals returns the counts.
func (l *Ledger) Totals() Totals {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := Totals{
		Messages: len(l.messages), Repeats: l.repeats, Refused: l.refused,
		ByStatus: make(map[string]int), ByCarrier: make(map[string]map[string]int),
	}
	for a := range maps.Values(l.messages) {
		t.Receipts += len(a.receipts)
		t.ByStatus[a.status]++
		if t.ByCarrier[a.carrier] == nil {
			t.ByCarrier[a.carrier] = make(map[string]int)
		}
		t.ByCarrier[a.carrier][a.status]++
	}
	return t
}
