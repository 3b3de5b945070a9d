package sim

import (
	"maps"
	"sync"
	"time"
)

// Ledger knows what a correct receiver must have made of the posts that it answered. It works from
// the true stories of the messages, not from what the bodies say, so that the receiver
// can be compared with it. It grows with the messages and is safe for concurrent use.
type Ledger struct {
	mu       sync.Mutex
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
	receipts map[told]struct{}
}

// told tells the receipts of a message apart: two with one status and one event time are the same.
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

// Record notes that the receiver answered a post as it deserves.
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

func (l *Ledger) record(r Receipt) {
	a := l.messages[r.MessageID]
	if a == nil {
		a = &account{step: -1, carrier: "UNKNOWN", region: r.Region, bad: r.BadSender, receipts: make(map[told]struct{})}
		l.messages[r.MessageID] = a
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

// Expected returns the state of every message, by message id.
func (l *Ledger) Expected() map[string]State {
	l.mu.Lock()
	defer l.mu.Unlock()
	states := make(map[string]State, len(l.messages))
	for id, a := range l.messages {
		states[id] = a.state()
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
