package thread

import (
	"bytes"
	"slices"
	"time"
)

// ItemKind says what an Item is.
type ItemKind string

// The kinds of items.
const (
	KindMessage     ItemKind = "message"
	KindParticipant ItemKind = "participant"
)

// ItemKey names an item. Ids are unique among those of one kind in one thread.
type ItemKey struct {
	ThreadID string
	Kind     ItemKind
	ID       string
}

// Item is a message or a participant of a thread: a register whose value is that of the highest
// stamp, and what the CRM has of it.
type Item struct {
	ItemKey

	Stamp   Stamp     // zero: no event of the thread itself has listed it
	Content []byte    // the value, as it goes to the CRM: JSON
	At      time.Time // when the message was written; zero when that cannot be read, and for participants

	// A split takes messages out of a thread, and a later event of the thread brings them back:
	// the order of arrival decides nothing.
	ListedAt  time.Time // the newest updatedAt of the thread's own events that list it
	Removed   bool
	RemovedAt time.Time // the newest updatedAt of the splits that took it

	Rev int64 // of the thread, when the item last changed

	Acked    Hash // of the value that the CRM has; zero when it has none
	SetAside Hash // of a value that the CRM would not take, or Retry; zero when there is neither
	Theirs   bool // another writer has changed it in the CRM: it is left as it is
	Past     Past // the values it has had
}

// Retry is the SetAside of an item that was set aside and is to be tried again. It is the hash of no value,
// so the item is dirty, whatever it shows: either the CRM takes that now, or it is set aside again.
var Retry = HashOf([]byte("try again"))

// View returns the hash of what the thread shows: zero when the item is not present.
func (i *Item) View() Hash {
	if i.Removed && !i.ListedAt.After(i.RemovedAt) {
		return Hash{}
	}
	return i.Stamp.Hash
}

// Dirty reports whether something is to be done about the item: it is to be pushed to the CRM, or it
// shows another value than the one that is set aside, so that the dead letter is solved.
func (i *Item) Dirty() bool {
	switch view := i.View(); {
	case i.Theirs:
		return false
	case i.SetAside.IsZero():
		return view != i.Acked
	default:
		return view != i.SetAside
	}
}

// IsAside reports whether what the item shows is set aside.
func (i *Item) IsAside() bool { return !i.SetAside.IsZero() && i.SetAside == i.View() }

// Delivery says whether the CRM has an item as the thread shows it.
type Delivery string

// The deliveries.
const (
	DeliveryAcknowledged Delivery = "acknowledged" // the CRM has it
	DeliveryPending      Delivery = "pending"      // it is to be pushed
	DeliverySetAside     Delivery = "set-aside"    // the CRM would not take it
	DeliveryTheirs       Delivery = "theirs"       // another writer has changed it there, and it stays
)

// Delivery returns how far the item is on its way to the CRM.
func (i *Item) Delivery() Delivery {
	switch {
	case i.Theirs:
		return DeliveryTheirs
	case i.View() == i.Acked:
		return DeliveryAcknowledged
	case i.Dirty():
		return DeliveryPending
	}
	return DeliverySetAside
}

// list notes that an event of the thread lists the item with a value. It reports whether anything
// was changed, even if it does not show.
func (i *Item) list(s Stamp, content []byte, at time.Time) (changed bool) {
	if s.UpdatedAt.After(i.ListedAt) {
		i.ListedAt, changed = s.UpdatedAt, true
	}
	s.Hash = HashOf(content)
	if s.Compare(i.Stamp) <= 0 {
		return changed
	}
	if s.Hash != i.Stamp.Hash {
		i.Past = i.Past.with(s.Hash)
	}
	i.Stamp, i.Content, i.At = s, content, at
	return true
}

// remove notes that a split took the item.
func (i *Item) remove(at time.Time) (changed bool) {
	if i.Removed && !at.After(i.RemovedAt) {
		return false
	}
	i.Removed, i.RemovedAt = true, at
	return true
}

// Past is the set of values that an item has had, the latest last, as the first bytes of their
// hashes. A value in the CRM is our own work if and only if it is in the set.
type Past []byte

const (
	pastHash   = 8  // bytes kept of a hash
	pastValues = 64 // values kept, the latest ones
)

// Has reports whether a value is in the set.
func (p Past) Has(h Hash) bool {
	for value := range slices.Chunk(p, pastHash) {
		if bytes.Equal(value, h[:pastHash]) {
			return true
		}
	}
	return false
}

// isOnly reports whether a value is the only one in the set.
func (p Past) isOnly(h Hash) bool { return len(p) == pastHash && p.Has(h) }

// with returns the set with a value as its latest.
func (p Past) with(h Hash) Past {
	latest := make(Past, 0, len(p)+pastHash)
	for value := range slices.Chunk(p, pastHash) {
		if !bytes.Equal(value, h[:pastHash]) {
			latest = append(latest, value...)
		}
	}
	if len(latest) == pastValues*pastHash {
		latest = latest[pastHash:]
	}
	return append(latest, h[:pastHash]...)
}
