// Package audit records what was done, in hash chains that reveal when an entry was changed or is
// missing. It is pure.
//
// Each subject, such as a thread, has a chain of its own, so that writers of different subjects do
// not wait for each other. An entry carries the hash of the one before it in its chain, and whoever
// stores the chain also stores its Head: the number and the hash of the last entry. So an entry that
// was changed, taken out, put in or cut off the end is detected. There is no list of the subjects: the
// removal of a whole chain together with its head is not detected.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"
)

// Note is what is to be recorded. It holds no text of a message and no secret.
type Note struct {
	Subject string // what it is about, which names the chain: see ThreadSubject and the others
	Action  Action
	Outcome string // in a word, such as "accepted", "acknowledged", "conflict", "parked"
	Detail  Detail
}

// Detail says more: numbers, ids, statuses, and reasons that are fit to be shown.
type Detail map[string]any

// Action says what was done.
type Action string

// The actions.
const (
	ActionEvent     Action = "event"     // an event was applied
	ActionPush      Action = "push"      // a delta was sent to the CRM
	ActionConflict  Action = "conflict"  // another writer's change was found in the CRM
	ActionSetAside  Action = "set-aside" // an item that the CRM would not take was kept as a dead letter
	ActionPark      Action = "park"      // a thread waits for an operator or a new event
	ActionReplay    Action = "replay"    // a dead letter was replayed
	ActionDelete    Action = "delete"    // a dead letter was deleted
	ActionReconcile Action = "reconcile" // a thread that waited was tried at once
	ActionRaise     Action = "raise"     // an alarm was raised
	ActionClear     Action = "clear"     // an alarm was cleared
	ActionErase     Action = "erase"     // a person was erased
)

// Hash is the SHA-256 of an entry.
type Hash [sha256.Size]byte

// Head is the end of a chain. The zero Head is that of an empty one.
type Head struct {
	Seq  int64 // of the last entry; the first has 1
	Hash Hash  // of the last entry
}

// Entry is a note in its chain.
type Entry struct {
	ID      int64 // given by the store; grows with time; not part of the chain
	Subject string
	Seq     int64     // its place in the chain of the subject, from 1
	At      time.Time // UTC, whole microseconds
	Action  Action
	Outcome string
	Detail  string // JSON object
	Prev    Hash   // of the entry before it; zero for the first
	Hash    Hash
}

// Append puts a note at the end of a chain and returns its entry. The time is in whole
// microseconds.
func (h *Head) Append(n Note, at time.Time) Entry {
	detail, err := json.Marshal(n.Detail) // sorts the names
	if err != nil || n.Detail == nil {
		detail = []byte("{}")
	}
	e := Entry{
		Subject: n.Subject, Seq: h.Seq + 1, At: at.UTC(), Action: n.Action, Outcome: n.Outcome,
		Detail: string(detail), Prev: h.Hash,
	}
	e.Hash = e.sum()
	*h = Head{Seq: e.Seq, Hash: e.Hash}
	return e
}

// sum hashes everything that the entry says. Lengths stand before texts, so that no two entries
// hash the same bytes.
func (e *Entry) sum() Hash {
	b := append(make([]byte, 0, 256), e.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	for _, text := range []string{e.Subject, string(e.Action), e.Outcome, e.Detail} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return sha256.Sum256(b)
}
