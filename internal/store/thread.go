package store

import (
	"context"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Queue is the part of a Store by which threads go to the CRM. The row of a thread is its place in
// the queue: events raise Want, and a worker who claims the row raises Done to the Want that it
// found, once the CRM has what the thread showed then. So nothing is queued twice, and no wake-up is
// lost.
//
// Leases and times to wait run by the clock of the database, so replicas need not agree on theirs. A
// time to wait, or a pause, that ends later than MaxWait from now was begun before that clock was set
// back: it is over.
type Queue interface {
	// ReleaseLeases ends the leases of workers that are gone for certain. It is called at start. An
	// embedded store ends all, because nobody else can have one; a shared one ends none.
	ReleaseLeases(ctx context.Context) error

	// Claim leases threads that are due, those that have waited longest first, and reads what the
	// CRM lacks of each. A thread is due when Want is above Done, it is not parked, its time has
	// come, and no lease on it runs. While the sink is paused none is. Each lease has an epoch of
	// its own; a thread whose last lease ran out is claimed as uncertain.
	Claim(ctx context.Context, r ClaimRequest) (Claimed, error)

	// Extend lets leases run for the given time from now, and returns the claims that are lost: by
	// another worker's, or because their lease had run out.
	Extend(ctx context.Context, claims []Claim, lease time.Duration) (lost []Claim, err error)

	// Record notes what became of claims and ends them, all in one transaction. It reports for each,
	// in their order, whether it still held; about one that was lost it notes nothing. Now is the time
	// of the audit entries.
	Record(ctx context.Context, pushes []Push, now time.Time) (held []bool, err error)

	// Pause keeps all workers of all replicas from claiming for a time of MaxWait at most, unless they
	// are paused for longer already.
	Pause(ctx context.Context, d time.Duration) error

	// Wake makes a thread due at once, also one that is parked or synced, and its failures are
	// forgotten. Everything that was set aside is tried again; its dead letters stay until the CRM
	// has taken it.
	//
	// If replays is not 0, it is the id of the dead letter that is replayed: of what was set aside,
	// only what it is about is tried again. It is found no more, unless Record brings it back: with
	// the new reason, and one more of Replays. Nothing else comes of a letter that is gone.
	//
	// Wake returns ErrNotFound when no event of the thread has come.
	Wake(ctx context.Context, threadID string, replays int64, note audit.Note, now time.Time) error

	// WakeParked wakes every thread that is parked because of one of the statuses, and returns how
	// many there were.
	WakeParked(ctx context.Context, statuses []int, now time.Time) (int64, error)

	// DoneRev returns the revision up to which the CRM has a thread, and the newest Rev of its items of
	// which a value is set aside: 0 when the CRM lacks none for that. Or ErrNotFound.
	DoneRev(ctx context.Context, threadID string) (done, aside int64, err error)
}

// MaxWait is how long a thread may be put off, and how long the sink may be paused. A longer wait can only
// come from a clock that has been set.
const MaxWait = 5 * time.Minute

// ThreadReader is the part of a Store by which people look at threads. A thread that is known only as
// the parent of others is not found.
type ThreadReader interface {
	// Threads lists threads, by id.
	Threads(ctx context.Context, q ThreadQuery) ([]ThreadRow, error)

	// Thread returns one thread, or ErrNotFound.
	Thread(ctx context.Context, id string) (*ThreadRow, error)

	// Items lists the items of a thread that are present in it, by time and id.
	Items(ctx context.Context, threadID string, kind thread.ItemKind, after ItemPosition, limit int) ([]*thread.Item, error)

	// Links returns the links of a thread, of all above it, and of all below any of these, by their
	// ids: what thread.Family and thread.FollowedParent need. Threads without a link may be missing.
	Links(ctx context.Context, threadID string) (map[string]thread.Link, error)

	// Timeline lists what a family shows, as thread.Timeline has it.
	Timeline(ctx context.Context, family []string, after ItemPosition, limit int) ([]*thread.Item, error)
}

// AuditLog is the part of a Store that records what was done. Entries are written once: the database
// itself refuses to change or delete them. Those about threads are written by Commit, Record and
// Wake, in the transaction that does what they record.
type AuditLog interface {
	// Audit writes a note that is not about a thread.
	Audit(ctx context.Context, note audit.Note, now time.Time) error

	// AuditEntries lists entries, newest first: at most limit of them, of one subject unless that is
	// "", and only those with an id below before unless that is 0.
	AuditEntries(ctx context.Context, subject string, before int64, limit int) ([]audit.Entry, error)

	// AuditChains lists entries by subject and seq, for verification: those after a position.
	AuditChains(ctx context.Context, subject string, seq int64, limit int) ([]audit.Entry, error)

	// AuditHeads returns the ends of chains, by subject: those after one subject.
	AuditHeads(ctx context.Context, after string, limit int) ([]AuditHead, error)
}

// AuditHead is the end of a chain, which is stored apart from its entries.
type AuditHead struct {
	Subject string
	audit.Head
}

// ThreadRow is the row of a thread.
type ThreadRow struct {
	thread.Thread
	Sync      Sync
	Audit     audit.Head // of its chain
	FirstSeen time.Time  // when its first event came
	Changed   time.Time  // when it last showed something new
}

// Sync says how far a thread is on its way to the CRM.
type Sync struct {
	Want int64 // revision of the thread: raised by whatever the CRM is to be told
	Done int64 // revision that the CRM has, but for what is set aside

	Since      time.Time // since when the CRM has lacked something; zero when it lacks nothing
	Due        time.Time // when it may be tried again; zero: at once
	Attempts   int       // that failed since the last one that did not
	LeaseUntil time.Time // zero when nobody has it
	Epoch      int64     // number of leases so far: the fencing epoch of the latest
	Uncertain  bool      // a push may have been applied whose answer never came
	Parked     bool      // it waits for an operator or a new event

	LastStatus int       // HTTP status of the CRM's last answer; 0 when there was none
	LastError  string    // what was wrong with it; "" when nothing was
	Answered   time.Time // when the CRM was asked last; zero when it never was

	// Trace is the W3C trace context (traceparent) of the event that last raised Want, so that the push
	// continues its trace. "" when that was not traced, or no event.
	Trace string
}

// SyncState is a Sync in a word.
type SyncState string

// The states. A store never returns StateWaiting: it does not know whether there is a CRM.
const (
	StateSynced   SyncState = "synced"   // the CRM has all of it, but for what is set aside
	StatePending  SyncState = "pending"  // the CRM is about to get it
	StateRetrying SyncState = "retrying" // the last attempt failed; another follows
	StateParked   SyncState = "parked"   // it waits for an operator or a new event
	StateWaiting  SyncState = "waiting"  // pending or retrying, and no CRM is set
)

// State returns the state.
func (s *Sync) State() SyncState {
	switch {
	case s.Parked:
		return StateParked
	case s.Want <= s.Done:
		return StateSynced
	case s.Attempts > 0:
		return StateRetrying
	}
	return StatePending
}

// StateWith returns the state as people see it, given whether there is a CRM.
func (s *Sync) StateWith(hasCRM bool) SyncState {
	state := s.State()
	if !hasCRM && (state == StatePending || state == StateRetrying) {
		return StateWaiting
	}
	return state
}

// ClaimRequest asks for work.
type ClaimRequest struct {
	Limit int           // threads at most
	Lease time.Duration // how long they are the worker's
	Items int           // of each thread at most

	// Fresh leaves out the threads whose last attempt failed (Attempts above 0), so that a few which
	// always fail do not keep the others waiting.
	Fresh bool
}

// Claimed is what a worker gets.
type Claimed struct {
	Work []Work

	// Wait is when to ask again, if nothing wakes the worker before: when a pause ends or the next
	// thread becomes due. 0 when nothing is to be expected, or Limit threads were claimed.
	Wait time.Duration

	// Paused says that the sink is paused, for Wait.
	Paused bool
}

// Claim is a lease on a thread. It holds as long as the row has its epoch.
type Claim struct {
	ThreadID string
	Epoch    int64
}

// Work is a thread that is leased, as it was at that moment.
type Work struct {
	Claim
	Row   ThreadRow
	Items []*thread.Item // dirty ones, in the order in which they became so
	More  bool           // there are more than were asked for

	// Unsure is empty unless the claim is uncertain and there are no more dirty items. It holds those
	// that are not dirty and not Theirs, but became dirty after Done (Rev above it): a push without an
	// answer may have changed them in the CRM before they came back to what it acknowledged, or were
	// set aside.
	Unsure []*thread.Item

	// Aside is the newest Rev of the items that would be dirty if their value were not set aside; 0 when
	// there are none.
	Aside int64

	// Links are those of the thread and of all above it and its loose parents. Empty when it has
	// neither.
	Links map[string]thread.Link
}

// Push is what became of a claim.
type Push struct {
	Claim
	Rev  int64 // the Want that was claimed
	Done bool  // the CRM has all of it, but for what is set aside: Done becomes Rev

	Copy      *thread.Copy   // what the CRM has of the thread now; nil: as before
	Items     []*thread.Item // whose Acked, SetAside or Theirs were changed; with Park, also those whose SetAside is thread.Retry
	Forget    bool           // the CRM has nothing of the thread any more: Copy and all items are forgotten first, and what is set aside is tried again
	Uncertain bool           // something was sent whose answer never came

	Status int    // HTTP status of the CRM's last answer; 0 when there was none
	Error  string // why it failed; "" when it did not

	// Postponed says that the failure is not the thread's own, as when the whole sink pauses or this
	// program stops: Attempts and Since stay as they are.
	Postponed bool

	RetryIn time.Duration // when to try again, after a failure: after MaxWait at most
	Park    *DeadLetter   // not to be tried again until woken; nil: it is

	SetAside []*DeadLetter // one for each item newly set aside
	Solved   []LetterKey   // dead letters that are solved, where there are any

	Checked []string // loose parents from which rings were looked for
	Disturb []string // other threads that are to be looked at again

	Notes []audit.Note // they go to the chain of the thread, whatever their Subject
}

// ThreadQuery selects threads.
type ThreadQuery struct {
	State SyncState // "" is any; StateWaiting is StatePending or StateRetrying
	Text  string    // part of the id, in any case; "" is any
	Since time.Time // changed then or later; zero is any
	After string    // only ids that sort after this one, by bytes
	Limit int
}

// ItemPosition is a place in a list of items by time and id. The zero position is before the first.
type ItemPosition struct {
	At time.Time
	ID string
}
