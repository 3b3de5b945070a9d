// Package store is the contract of the database that holds the truth, and the part of the work
// that every implementation shares. The implementations are store/sqlite and store/postgres; the
// suite that both must pass is store/storetest.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Store keeps messages and their receipts, threads and their events, the dead letters and the audit
// log. Its methods are safe for concurrent use.
//
// Every method may return an error that wraps ErrUnavailable.
type Store interface {
	Queue
	ThreadReader
	AuditLog
	Counts
	Finder
	Overseer
	Archive

	// Migrate brings the schema up to date. Replicas that call it at the same time take turns. It
	// is idempotent. It returns an error that wraps ErrLocked and ErrUnavailable when others use a
	// table for so long that everybody after them would have to wait too; it can be tried again.
	Migrate(ctx context.Context) error

	// Commit makes a batch durable in one transaction and returns when the commit has reached the
	// disk. The outcomes are in the order of the entries. On an error nothing of the batch is
	// kept, except that after ErrUnavailable it may be: the caller repeats the batch, which is
	// idempotent except for Observed. An error that wraps ErrRefused says that some entry of
	// the batch can never be stored.
	Commit(ctx context.Context, batch Batch) ([]Outcome, error)

	// Message returns a message and every receipt it is made of, in the order they reached us.
	// It returns ErrNotFound when no receipt named the id.
	Message(ctx context.Context, id string) (*sms.Message, []sms.PastReceipt, error)

	// Tally counts the messages by carrier, region, status and compliance. It reads them all, and
	// is for the summary of the demo and for tests.
	Tally(ctx context.Context) ([]Tally, error)

	// DeadLetters lists dead letters, newest first: at most limit of them, and only those with an
	// id below before, unless before is 0.
	DeadLetters(ctx context.Context, before int64, limit int) ([]DeadLetter, error)

	// DeadLetter returns one dead letter, or ErrNotFound.
	DeadLetter(ctx context.Context, id int64) (*DeadLetter, error)

	// FailReplay notes that a dead letter was replayed and is still refused, and why. It returns
	// ErrNotFound when the dead letter is gone.
	FailReplay(ctx context.Context, id int64, reason string) error

	// DeleteDeadLetter removes a dead letter for good. It returns ErrNotFound when it is gone.
	DeleteDeadLetter(ctx context.Context, id int64) error

	// Ping checks that the database answers, has the schema that this program needs or a newer one,
	// and accepts commits, as far as that can be known beforehand. If the schema is older, the error
	// wraps ErrSchema and not ErrUnavailable. Ping returns when ctx ends.
	Ping(ctx context.Context) error

	// Close releases the connections. A Commit in flight ends first.
	Close() error
}

// The errors a caller decides on. Any other error is a fault of ours or of the database, and is
// handled like ErrUnavailable: the event is not lost, it is tried again.
var (
	// ErrUnavailable says that the database did not do the work: it could not be reached, did not
	// answer in time, or is out of a resource.
	ErrUnavailable = errors.New("the database is unavailable")

	// ErrRefused says that the database will never take this data.
	ErrRefused = errors.New("the database refuses the data")

	// ErrSchema says that the schema is older than this program: Migrate brings it up to date.
	ErrSchema = errors.New("the schema of the database is older than this program: run cxbridge migrate")

	// ErrLocked says that Migrate gave way to others who use a table that it is to change.
	ErrLocked = errors.New("others use a table that is to be changed, by a long query or an open transaction")

	// ErrNotFound says that there is no such thing.
	ErrNotFound = errors.New("not found")
)

// Batch is what one transaction commits.
type Batch struct {
	Entries []Entry
	Now     time.Time  // the one time of the transaction: UTC, whole microseconds
	Judge   *sms.Judge // settles the derived columns of the messages that change

	// Observed is what was observed of earlier commits. It is counted too; nil is nothing.
	Observed *analytics.Delta
}

// Empty reports whether the batch has nothing to commit.
func (b *Batch) Empty() bool {
	return len(b.Entries) == 0 && (b.Observed == nil || b.Observed.Empty())
}

// Entry is one event on its way into the store. Exactly one of Receipt, Thread and DeadLetter is
// set.
type Entry struct {
	Receipt    *sms.Receipt
	Thread     *thread.Event
	DeadLetter *DeadLetter

	// Resolves is the id of the dead letter that the event replaces: it is removed in the same
	// transaction. 0 is none. A DeadLetter resolves nothing: its event might be the very one.
	Resolves int64

	// Trace is the W3C trace context (traceparent) in which the event of a thread came; "" when it is
	// not traced. The threads that it gives a new revision keep it: see Sync.
	Trace string
}

// Outcome says what became of an Entry.
type Outcome struct {
	// Duplicate says that the event was known: the receipt, the event of a thread, or a dead letter
	// of the same kind with the same bytes.
	Duplicate bool

	// Stale says that the event of a thread brought nothing new. A known event is always stale.
	Stale bool

	// Rev is the revision of the thread that includes the event: the CRM has the event once it has
	// that revision. 0 for other events.
	Rev int64

	// ParentRev is such a revision of the parent, for an event that takes messages out of it: the CRM is
	// to have that, too. 0 when the parent had none of the messages, and for other events.
	ParentRev int64
}

// DeadLetter is an event that was understood to be ours and could not be applied. It keeps all
// that is needed to try again.
type DeadLetter struct {
	ID       int64  // given by the store; grows with time
	Kind     Kind   // what the event would have been
	Subject  string // the id it is about; empty when it could not be read
	Reason   string // why it was refused; fit to be shown to an operator
	Received time.Time
	Raw      []byte // the body as it came: any bytes
	Replays  int    // how often it was replayed without success

	// Key identifies the dead letter among those of its kind, where its bytes do not: there is one
	// for each thing that is wrong, and a later one replaces it: see PushPlan. It is not stored. ""
	// for events.
	Key string
}

// Kind says what an event is about.
type Kind string

// The kinds of dead letters.
const (
	KindSMS    Kind = "sms"    // an SMS delivery receipt that was refused
	KindThread Kind = "thread" // an event of a thread that was refused

	// KindThreadItem is a message or participant that the CRM would not take. Raw is
	// {"threadId","kind","item"}, and Key is that of ItemLetter.
	KindThreadItem Kind = "thread-item"

	// KindThreadPush is a thread that is parked, because the CRM refused the delta in Raw. Key is
	// that of PushLetter.
	KindThreadPush Kind = "thread-push"
)

// LetterKey names the dead letter about one thing that is wrong.
type LetterKey struct {
	Kind Kind
	Key  string
}

// ItemLetter names the dead letter about an item that is set aside.
func ItemLetter(k thread.ItemKey) LetterKey {
	return LetterKey{KindThreadItem, k.ThreadID + "\x00" + string(k.Kind) + "\x00" + k.ID}
}

// PushLetter names the dead letter about a thread that is parked.
func PushLetter(threadID string) LetterKey { return LetterKey{KindThreadPush, threadID} }

// Digest returns the digest of the dead letter.
func (k LetterKey) Digest() [32]byte {
	return sha256.Sum256([]byte(string(k.Kind) + "\x00\x00" + k.Key))
}

// Digest identifies a dead letter: an event that is delivered again is the same one.
func (d *DeadLetter) Digest() [32]byte {
	if d.Key != "" {
		return LetterKey{d.Kind, d.Key}.Digest()
	}
	h := sha256.New()
	h.Write([]byte(d.Kind))
	h.Write([]byte{0})
	h.Write(d.Raw)
	return [32]byte(h.Sum(nil))
}

// Tally is a count of messages that are alike.
type Tally struct {
	Carrier    string
	Region     string
	Status     sms.Status
	Compliance sms.Compliance
	Messages   int64
}
