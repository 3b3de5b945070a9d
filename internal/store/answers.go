package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// Clock is the clock that all who use a database share: that of its server, or of the machine where it is a
// file. What is too old is deleted by it, so that a replica whose own clock is wrong deletes nothing of the others.
type Clock interface {
	Now(ctx context.Context) (time.Time, error)
}

// Counts is the part of a Store that counts messages for analytics. Commit writes what each batch
// changes, in its own transaction.
type Counts interface {
	Clock

	// Counts passes to add what is needed to answer a question: every rollup whose level and bucket lie in
	// one of the ranges, and every delta that is in no rollup yet, all of one snapshot of the
	// database. The bytes are add's only until it returns. An error of add ends it and is returned.
	Counts(ctx context.Context, ranges []analytics.Range, add func(counts []byte) error) error

	// Compact moves at most limit deltas, the oldest ones, into the rollups, in one transaction, and
	// returns how many it moved: fewer than there are once they have CompactBytes or CompactKeys. While
	// another one compacts the same database it moves none.
	Compact(ctx context.Context, now time.Time, limit int) (moved int, err error)

	// Prune deletes the rollups that no question asks for any more, at most limit of them, and returns
	// how many there were.
	Prune(ctx context.Context, now time.Time, limit int) (deleted int, err error)
}

// CompactBytes bounds what one Compact reads, and so the memory that it needs: once the deltas it has
// taken have this many bytes, it takes no more.
const CompactBytes = 8 << 20

// CompactKeys bounds it for small deltas that have little in common, such as those of messages each of which
// names a carrier of its own: of so many keys the rollups take about 60 MB. A few thousand are usual.
const CompactKeys = 20_000

// Finder is the part of a Store by which people look for messages and dead letters.
type Finder interface {
	// MessagesTo lists messages to a number, in the order of RecentMessages and from a position on as it
	// does: at most limit of them. The number is found with and without a plus in front. Raw is left out:
	// it may be large.
	MessagesTo(ctx context.Context, recipient string, after ItemPosition, limit int) ([]*sms.Message, error)

	// RecentMessages lists messages, newest first: by when they were first seen and then by id, both
	// descending. It lists those that follow a position, at most limit of them. The position of a message is
	// when it was first seen, and its id. Raw is left out.
	//
	// An embedded store may take the order in which it stored them for that of time. Then a message that
	// waited for its commit, or whose dead letter was replayed, stands where it was stored.
	RecentMessages(ctx context.Context, after ItemPosition, limit int) ([]*sms.Message, error)

	// FindDeadLetters lists dead letters, newest first: at most limit of them, and only those with an
	// id below before, unless before is 0. It looks at them one by one until there are enough. Raw is
	// left out: it may be large.
	FindDeadLetters(ctx context.Context, f LetterFilter, before int64, limit int) ([]DeadLetter, error)

	// CountDeadLetters counts dead letters, up to most.
	CountDeadLetters(ctx context.Context, f LetterFilter, most int) (int, error)

	// Events lists the events of a thread as they came, newest first: at most limit of them, each with
	// the first rawBytes bytes of its body at most. The cut may be within a character.
	Events(ctx context.Context, threadID string, limit, rawBytes int) ([]ThreadEvent, error)
}

// LetterFilter selects dead letters. The zero one selects all.
type LetterFilter struct {
	Kind Kind   // "" is any
	Text string // part of the subject or of the reason; the case of ASCII letters does not matter; "" is any
}

// Spellings returns a number with and without a plus in front.
func Spellings(number string) [2]string {
	digits := strings.TrimPrefix(number, "+")
	return [2]string{digits, "+" + digits}
}

// ThreadEvent is an event of a thread in the journal.
type ThreadEvent struct {
	Type      string // THREAD_UPDATED, THREAD_MERGED or THREAD_SPLIT
	Version   int64
	UpdatedAt time.Time // zero when the event names none
	Received  time.Time
	Raw       []byte // the beginning of the body
	Size      int64  // of the whole body, in bytes
}

// Overseer is the part of a Store by which the whole service is watched.
type Overseer interface {
	// Backlog returns what waits for the CRM. Each count goes up to most: of the threads that wait, it
	// looks at those that have waited longest.
	Backlog(ctx context.Context, most int) (Backlog, error)

	// Describe says what the database is.
	Describe(ctx context.Context) (Description, error)

	// Beat notes that a replica is alive at r.Seen. Those that had been silent for ReplicaSilence by then
	// are forgotten.
	Beat(ctx context.Context, r Replica) error

	// Replicas lists the replicas in the order in which they started.
	Replicas(ctx context.Context) ([]Replica, error)

	// Raise notes that something has been wrong since a.Raised, with the audit entry RaisedNote, and
	// returns true. It changes nothing and returns false while the alarm is raised.
	Raise(ctx context.Context, a Alarm) (raised bool, err error)

	// Clear notes that it was over at a.Cleared, with the audit entry ClearedNote, and returns true.
	// It changes nothing and returns false unless the alarm is raised.
	Clear(ctx context.Context, a Alarm) (cleared bool, err error)

	// Alarms lists alarms: those that are raised first, then those that were cleared last.
	Alarms(ctx context.Context, limit int) ([]Alarm, error)
}

// Backlog is what waits for the CRM.
type Backlog struct {
	Pending  int       // threads that the CRM lacks something of, and is about to get
	Retrying int       // of them, those whose last attempt failed
	Parked   int       // threads that wait for an operator or a new event
	Oldest   time.Time // since when the one that waits longest lacks something, parked ones left out; zero when none waits
}

// Description says what a database is.
type Description struct {
	Engine  string // SQLite or PostgreSQL
	Version string // of the engine
	Schema  int    // number of the newest migration that it has
	Bytes   int64  // that it takes up on the disk
}

// ReplicaSilence is how long a replica may be silent before it is forgotten.
const ReplicaSilence = 24 * time.Hour

// Replica is a process that works on the database. Its times are of its own clock.
type Replica struct {
	ID      string // drawn at random at each start
	Host    string
	Version string // of the program
	Started time.Time
	Seen    time.Time // when it last said that it is alive
}

// Alarm says that something is wrong, or was.
type Alarm struct {
	Name    string // what is wrong
	Subject string // whose fault it is
	Raised  time.Time
	Cleared time.Time    // zero while it is raised
	Detail  audit.Detail // the figures that raised or cleared it
}

// AuditSubject names the chain of the alarm in the audit log.
func (a *Alarm) AuditSubject() string { return audit.AlarmSubject(a.Name, a.Subject) }

// RaisedNote returns the audit note that the alarm was raised.
func (a *Alarm) RaisedNote() audit.Note {
	return audit.Note{Subject: a.AuditSubject(), Action: audit.ActionRaise, Outcome: "raised", Detail: a.Detail}
}

// ClearedNote returns the audit note that the alarm was cleared.
func (a *Alarm) ClearedNote() audit.Note {
	return audit.Note{Subject: a.AuditSubject(), Action: audit.ActionClear, Outcome: "cleared", Detail: a.Detail}
}

// SlowCarrier is the name of the alarm about a carrier whose messages take long.
const SlowCarrier = "slow-carrier"

// Archive is the part of a Store that deletes what is too old, and what is about a person.
type Archive interface {
	Clock

	// Expire deletes what is older than a time, in one transaction: it looks at no more than limit
	// rows of a table, from a cursor on, and returns where to go on. The cursor is "" at the start, and
	// again at the end. What somebody else is working on is left for another time. An embedded store
	// may keep a row until those that were stored beside it are too old.
	Expire(ctx context.Context, kind Expirable, before time.Time, cursor string, limit int) (Expired, error)

	// Erase takes a person out of every table, in steps of bounded size: it looks at no more than limit
	// rows of a table, from a cursor on, and returns where to go on, as Expire does. What is counted
	// stays counted, nothing is pushed because of it, and what comes again is known and stays erased.
	// The audit log stays as it is. A step that finds the person in a thread on which a lease runs
	// changes nothing and fails with ErrLeased. A lease that has run out is taken from its worker. The
	// last step of an embedded store writes its file anew: it takes as long as the file is large, and
	// fails with ErrUnavailable while somebody reads.
	Erase(ctx context.Context, p Person, cursor string, limit int) (Erased, error)

	// Traces looks for a person in every table that holds text, the audit log too, and returns how many
	// rows name the person still, by the table's name. It reads everything.
	Traces(ctx context.Context, p Person) (map[string]int, error)
}

// Expirable is what can be too old.
type Expirable string

// What can be too old, and by which of its times.
const (
	ExpireMessages    Expirable = "messages"     // with their receipts; first seen
	ExpireThreads     Expirable = "threads"      // with their items, when the CRM has all of it; last changed. See Emptying
	ExpireJournal     Expirable = "journal"      // events of threads; received
	ExpireDeadLetters Expirable = "dead-letters" // but for those that a thread needs; received
)

// Expired is what a step of Expire did.
type Expired struct {
	Deleted int
	Cursor  string
}

// Person is somebody who wants to be forgotten. At least one of the two is set.
type Person struct {
	Recipient   string // a number, found with and without a plus in front
	Participant string // the id or the platform id of a participant in threads
}

// ErrLeased says that a worker has read what is to be erased, and would bring some of it back when its
// claim ends. The step can be tried again after that.
var ErrLeased = errors.New("a thread of the person is being pushed to the CRM")

// Erased is what a step of Erase did: how many rows it changed, by the name of the table.
type Erased struct {
	Rows   map[string]int
	Cursor string
}
