package sms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Message is the state of one SMS message: the join of all its receipts.
//
// Status, RawStatus, StatusAt, Received, Raw and Key are those of the winning receipt, the highest
// in the order. Every other column holds the value of the highest receipt that names it, so that a
// winning receipt without a carrier does not erase the one we know.
type Message struct {
	ID        string
	Status    Status
	RawStatus string
	StatusAt  time.Time // event time of the state; zero when no receipt of it named one
	Received  time.Time // when it first reached us
	Raw       []byte
	Key       Key

	Carrier   string // UnknownCarrier when no receipt names one
	ErrorCode string
	SenderID  string
	Recipient string
	Segments  int
	Submitted time.Time
	Cost      string
	Currency  string

	Region       string
	RegionSource RegionSource

	Compliance       Compliance
	ComplianceReason string

	FirstSeen time.Time // when its first receipt reached us
	Updated   time.Time // when a receipt last changed the row

	// Ranks holds, for each column that a receipt other than the winning one decided, the rank of that
	// receipt. A column that is empty, or that the winning receipt names, is not in it.
	Ranks Ranks
}

// UnknownCarrier stands in the carrier column until a receipt names the carrier.
const UnknownCarrier = "UNKNOWN"

// Ranks is the memory of a fold: the rank of the receipt that decided a column, by the column's name
// in the database.
type Ranks map[string]Rank

// Encode returns the ranks as a JSON object, or "" when there are none. It is for stores.
func (r Ranks) Encode() string {
	if len(r) == 0 {
		return ""
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // a map of text to numbers has no value that JSON cannot hold
	}
	return string(text)
}

// ParseRanks reads back what Encode wrote.
func ParseRanks(text []byte) (Ranks, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var r Ranks
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("sms: column ranks: %w", err)
	}
	return r, nil
}

// RegionSource says how a message's region is known.
type RegionSource string

// The sources of a region, best first.
const (
	RegionNamed     RegionSource = "payload"   // the payload names it
	RegionRecipient RegionSource = "recipient" // the recipient's number belongs to it
	RegionDefault   RegionSource = "default"   // the configured default
)

// Fold joins a receipt into the message and reports whether anything changed. A zero Message
// becomes the message of its first receipt.
//
// Fold is the join of a semilattice: the order in which receipts are folded, and how often, does
// not matter. That is the whole reason why late, repeated and reordered receipts are harmless. The
// caller settles the columns that are derived (see Judge.Settle) and sets Updated.
func (m *Message) Fold(r *Receipt) (changed bool) {
	past := m.PastOf(r)
	if m.IsErased() {
		r = m.withoutPerson(r)
	}
	rank, old := r.Rank(), m.rank()
	if m.ID == "" {
		m.ID, m.Carrier, m.FirstSeen = r.MessageID, UnknownCarrier, r.Received
	}
	changed = m.decide(past)
	f := fold{message: m, receipt: rank, old: old, now: m.rank(), changed: changed}
	f.columns(r)
	if r.Received.Before(m.FirstSeen) {
		m.FirstSeen, f.changed = r.Received, true
	}
	return f.changed
}

// rank returns the rank of the winning receipt.
func (m *Message) rank() Rank { return RankOf(m.Status, m.StatusAt) }

// decide lets a receipt decide the state if it is the highest. If another version of the same receipt
// decided it, decide joins the two. It reports whether anything changed.
func (m *Message) decide(p PastReceipt) (changed bool) {
	known := m.Winning()
	switch {
	case p.Key == known.Key:
		p = known.Join(p)
		if bytes.Equal(p.Raw, known.Raw) && p.Received.Equal(known.Received) {
			return false
		}
	case !p.above(known):
		return false
	}
	m.Status, m.RawStatus, m.StatusAt = p.Status, p.RawStatus, p.At
	m.Received, m.Raw, m.Key = p.Received, p.Raw, p.Key
	return true
}

// fold carries one Fold from column to column.
type fold struct {
	message  *Message
	receipt  Rank // of the receipt that is folded in
	old, now Rank // of the winning receipt, before and after
	changed  bool
}

func (f *fold) columns(r *Receipt) {
	m := f.message
	f.carrier(r)
	f.text("error_code", &m.ErrorCode, r.ErrorCode)
	f.text("sender_id", &m.SenderID, r.SenderID)
	f.recipient(r)
	f.region(r)
	if f.takes("segments", m.Segments != 0, r.Segments != 0, r.Segments-m.Segments) {
		m.Segments = r.Segments
	}
	if f.takes("submitted_at", !m.Submitted.IsZero(), !r.Submitted.IsZero(), r.Submitted.Compare(m.Submitted)) {
		m.Submitted = r.Submitted
	}
	if f.takes("cost", m.Cost != "", r.Cost != "", strings.Compare(r.Cost+" "+r.Currency, m.Cost+" "+m.Currency)) {
		m.Cost, m.Currency = r.Cost, r.Currency
	}
}

// carrier treats UnknownCarrier as no carrier, in the row and in a receipt alike.
func (f *fold) carrier(r *Receipt) {
	m := f.message
	known, named := m.Carrier, r.Carrier
	if known == UnknownCarrier {
		known = ""
	}
	if named == UnknownCarrier {
		named = ""
	}
	if f.text("carrier_code", &known, named) {
		m.Carrier = known
	}
}

// recipient decides the number and, with it, the region that is derived from it.
func (f *fold) recipient(r *Receipt) {
	m := f.message
	if !f.text("recipient", &m.Recipient, r.Recipient) || m.RegionSource == RegionNamed {
		return
	}
	if r.RecipientRegion == "" {
		m.Region, m.RegionSource = "", RegionDefault
		return
	}
	m.Region, m.RegionSource = r.RecipientRegion, RegionRecipient
}

// region prefers a region that a payload names to one that is only derived.
func (f *fold) region(r *Receipt) {
	m := f.message
	named := m.RegionSource == RegionNamed
	if f.takes("region", named, r.Region != "", strings.Compare(r.Region, m.Region)) {
		m.Region, m.RegionSource = r.Region, RegionNamed
	}
}

func (f *fold) text(column string, known *string, named string) bool {
	if !f.takes(column, *known != "", named != "", strings.Compare(named, *known)) {
		return false
	}
	*known = named
	return true
}

// takes decides one column, and notes the rank that decided: whether the value of the receipt replaces the
// known one. Of two values with the same rank the greater one stays.
func (f *fold) takes(column string, known, named bool, compare int) (taken bool) {
	m := f.message
	decided, kept := m.Ranks[column]
	if known && !kept {
		decided = f.old
	}
	if named && (!known || f.receipt > decided || f.receipt == decided && compare > 0) {
		decided, known, taken = f.receipt, true, !known || compare != 0
	}
	f.changed = f.changed || taken
	if !known {
		return taken
	}
	f.remember(column, decided)
	return taken
}

// remember notes the rank of a column unless it is that of the winning receipt, which the row holds
// already.
func (f *fold) remember(column string, decided Rank) {
	m := f.message
	was, kept := m.Ranks[column]
	switch {
	case decided == f.now && kept:
		delete(m.Ranks, column)
	case decided != f.now && (!kept || was != decided):
		if m.Ranks == nil {
			m.Ranks = make(Ranks)
		}
		m.Ranks[column] = decided
	default:
		return
	}
	f.changed = true
}

// Winning returns the receipt that decided the state, as far as the row keeps it. It moves to the
// history when a higher receipt takes its place.
func (m *Message) Winning() PastReceipt {
	return PastReceipt{
		MessageID: m.ID, Key: m.Key, Status: m.Status, RawStatus: m.RawStatus,
		At: m.StatusAt, Received: m.Received, Raw: m.Raw,
	}
}

// PastReceipt is a receipt as the history of its message keeps it.
type PastReceipt struct {
	MessageID string
	Key       Key
	Status    Status
	RawStatus string
	At        time.Time // zero when it named no event time
	Received  time.Time
	Raw       []byte
}

// Join joins two versions of one receipt: they have the same key and may differ in everything else.
// The one with the greater bytes stays, with the time at which the first of them reached us. Any rule
// would do that does not depend on which came first.
func (p PastReceipt) Join(q PastReceipt) PastReceipt {
	joined := p
	if bytes.Compare(q.Raw, p.Raw) > 0 {
		joined = q
	}
	if joined.Received = p.Received; q.Received.Before(p.Received) {
		joined.Received = q.Received
	}
	return joined
}

// above reports whether p is higher than another receipt of its message. Between two receipts of equal
// rank their keys decide.
func (p PastReceipt) above(q PastReceipt) bool {
	if a, b := RankOf(p.Status, p.At), RankOf(q.Status, q.At); a != b {
		return a > b
	}
	return bytes.Compare(p.Key[:], q.Key[:]) > 0
}

// Past returns what the history of the message keeps of the receipt.
func (r *Receipt) Past() PastReceipt {
	return PastReceipt{
		MessageID: r.MessageID, Key: r.Key(), Status: r.Status, RawStatus: r.RawStatus,
		At: r.At, Received: r.Received, Raw: r.Raw,
	}
}
