// Package store is the contract of the database that holds the truth, and the part of the work
// that every implementation shares. The implementations are store/sqlite and store/postgres; the
// suite that both must pass is store/storetest.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// Store keeps messages, their receipts and the dead letters. Its methods are safe for concurrent
// use.
//
// Every method may return an error that wraps ErrUnavailable.
type Store interface {
	// Migrate brings the schema up to date. Replicas that call it at the same time take turns. It
	// is idempotent.
	Migrate(ctx context.Context) error

	// Commit makes a batch durable in one transaction and returns when the commit has reached the
	// disk. The outcomes are in the order of the entries. On an error nothing of the batch is
	// kept, except that after ErrUnavailable it may be: the caller repeats the batch, which is
	// idempotent. An error that wraps ErrRefused says that some entry of the batch can never be
	// stored.
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

	// Ping asks whether the database answers, has the schema that this program needs, or a newer
	// one, and takes commits, as far as that can be told beforehand. Where it answers with an older
	// schema, the error wraps ErrSchema and not ErrUnavailable. Ping returns when ctx ends.
	Ping(ctx context.Context) error

	// Close releases the connections. A Commit in flight ends first.
	Close() error
}

// The errors a caller decides on. Any other error is a fault of ours or of the database, and is
// handled like ErrUnavailable: the event is not lost, it is tried again.
var (
	// ErrUnavailable says that the database did not do its work: it could not be reached, did not
	// answer in time, or is out of a resource.
	ErrUnavailable = errors.New("the database is unavailable")

	// ErrRefused says that the database will never take this data.
	ErrRefused = errors.New("the database refuses the data")

	// ErrSchema says that the schema is older than this program: Migrate brings it up to date.
	ErrSchema = errors.New("the schema of the database is older than this program: run cxbridge migrate")

	// ErrNotFound says that there is no such thing.
	ErrNotFound = errors.New("not found")
)

// Batch is what one transaction commits.
type Batch struct {
	Entries []Entry
	Now     time.Time  // the one time of the transaction: UTC, whole microseconds
	Judge   *sms.Judge // settles the derived columns of the messages that change
}

// Entry is one event on its way into the store. Exactly one of Receipt and DeadLetter is set.
type Entry struct {
	Receipt    *sms.Receipt
	DeadLetter *DeadLetter

	// Resolves is the id of the dead letter that a Receipt replaces: it is removed in the same
	// transaction. 0 is none. A DeadLetter resolves nothing: its event might be the very one.
	Resolves int64
}

// Outcome tells what became of an Entry.
type Outcome struct {
	// Duplicate says that the event was known: the receipt, or a dead letter of the same kind with
	// the same bytes.
	Duplicate bool
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
}

// Kind tells what an event is about.
type Kind string

// KindSMS is an SMS delivery receipt.
const KindSMS Kind = "sms"

// Digest identifies the event of a dead letter: one that is delivered again is the same one.
func (d *DeadLetter) Digest() [32]byte {
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
