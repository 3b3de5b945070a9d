package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Replayer tries dead letters again: after the rules were changed, after an upgrade to a release that
// understands more, or when the CRM now accepts what it refused.
type Replayer struct {
	Store  DeadLetters
	Reader *Reader

	// Submit makes readings durable and returns an answer for each, as Ingest.Submit does.
	Submit func(ctx context.Context, readings []Reading) ([]Answer, error)

	// Wake is called after a thread was made due again; see Config.Wake. Submit makes its own calls.
	// Nil: nothing is called.
	Wake func()
}

// DeadLetters is what a Replayer needs of a store.Store.
type DeadLetters interface {
	DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error)
	FailReplay(ctx context.Context, id int64, reason string) error
	Wake(ctx context.Context, threadID string, replays int64, note audit.Note, now time.Time) error
	Audit(ctx context.Context, note audit.Note, now time.Time) error
}

// Replayed says what became of a dead letter whose event is durable now.
type Replayed struct {
	Kind      store.Kind
	Subject   string // the id of the message or thread
	Duplicate bool   // the event had come again in the meantime and was applied then
	Warning   string // why the sender ID breaks the rules; "" when it does not

	// Spooled says that the database went away during the replay. The event waits in the spool.
	// The dead letter stays, because an event from the spool cannot remove it. To replay it once more
	// is harmless: the event is known by then, and that replay is in the audit log.
	Spooled bool
}

// StillRefusedError says that a dead letter still cannot be applied. It stays.
type StillRefusedError struct {
	Reason string // fit to be shown to an operator
}

func (e *StillRefusedError) Error() string { return "still refused: " + e.Reason }

// Replay tries a dead letter again. The raw body of an event is read as if it came in again, at the
// time when it first came. A thread that is parked, or of which an item was set aside, is made due: of
// what is set aside, only the item that the dead letter is about is tried again. On success the event is
// durable, or the thread is due, and the dead letter is gone, both by one transaction. If the CRM or its
// schema refuses the thread or the item again, the dead letter comes back: see store.Queue.Wake.
//
// The error is a *StillRefusedError when the event is refused again. The replay is then counted on the dead
// letter, unless this release cannot read events of its kind: such a letter is left as it is. The error wraps store.ErrNotFound when there is no such dead letter, or no such thread,
// store.ErrUnavailable or a *BusyError when the event is not durable, and nothing has changed then.
// When ctx ends first, or the audit does not take a note, the event may be applied all the same; to
// replay it once more is harmless.
func (rp *Replayer) Replay(ctx context.Context, id int64) (Replayed, error) {
	letter, err := rp.Store.DeadLetter(ctx, id)
	if err != nil {
		return Replayed{}, err
	}
	switch letter.Kind {
	case store.KindThreadPush, store.KindThreadItem:
		return rp.wakeThread(ctx, letter)
	}
	reading, known := rp.Reader.read(SpoolEvent{Kind: letter.Kind, Received: letter.Received, Raw: letter.Raw})
	if !known {
		return Replayed{}, &StillRefusedError{fmt.Sprintf("this release cannot read events of the kind %q", letter.Kind)}
	}
	return rp.readAgain(ctx, letter, &reading)
}

// wakeThread makes the thread of a dead letter due, so that the CRM is sent again what it refused.
func (rp *Replayer) wakeThread(ctx context.Context, letter *store.DeadLetter) (Replayed, error) {
	note := noteOf(letter, letter.Subject, "woken")
	if err := rp.wake(ctx, letter.Subject, letter.ID, note); err != nil {
		return Replayed{}, err
	}
	return Replayed{Kind: letter.Kind, Subject: letter.Subject}, nil
}

// WakeThread makes a thread due at once, whatever it waits for. Its dead letters go once the CRM has
// taken what they are about. The error wraps store.ErrNotFound when no event of the thread has come,
// or store.ErrUnavailable.
func (rp *Replayer) WakeThread(ctx context.Context, threadID string) error {
	note := audit.Note{Subject: threadID, Action: audit.ActionReconcile, Outcome: "woken"}
	return rp.wake(ctx, threadID, 0, note)
}

func (rp *Replayer) wake(ctx context.Context, threadID string, replays int64, note audit.Note) error {
	if err := rp.Store.Wake(ctx, threadID, replays, note, now()); err != nil {
		return err
	}
	if rp.Wake != nil {
		rp.Wake()
	}
	return nil
}

// readAgain submits the event of a dead letter as it reads now.
func (rp *Replayer) readAgain(ctx context.Context, letter *store.DeadLetter, reading *Reading) (Replayed, error) {
	if refused := reading.Entry.DeadLetter; refused != nil {
		return Replayed{}, rp.fail(ctx, letter, reading, refused.Reason)
	}
	reading.Entry.Resolves = letter.ID
	answers, err := rp.Submit(ctx, []Reading{*reading})
	if err != nil {
		return Replayed{}, err
	}
	if len(answers) != 1 {
		return Replayed{}, errors.New("ingest: a replay needs one answer")
	}
	answer := &answers[0]
	if answer.Refused {
		return Replayed{}, rp.fail(ctx, letter, reading, store.ErrRefused.Error())
	}
	if err := rp.auditApplied(ctx, letter, reading, answer); err != nil {
		return Replayed{}, err
	}
	return Replayed{
		Kind: letter.Kind, Subject: reading.Subject, Duplicate: answer.Duplicate,
		Warning: reading.Warning, Spooled: answer.Spooled,
	}, nil
}

// auditApplied notes a successful replay, unless the store has noted it with the event, as it does
// when the event gives a thread something new. An event in the spool is not applied yet.
func (rp *Replayer) auditApplied(ctx context.Context, letter *store.DeadLetter, reading *Reading, answer *Answer) error {
	if answer.Spooled || reading.Entry.Thread != nil && !answer.Stale {
		return nil
	}
	outcome := "accepted"
	switch {
	case answer.Duplicate:
		outcome = "duplicate"
	case answer.Stale:
		outcome = "stale"
	}
	return rp.Store.Audit(ctx, noteOf(letter, auditSubject(letter, reading), outcome), now())
}

// fail counts a replay without success. It returns the reason only once that is noted, so that the
// operator sees the same in the answer and in the list.
func (rp *Replayer) fail(ctx context.Context, letter *store.DeadLetter, reading *Reading, reason string) error {
	if err := rp.Store.FailReplay(ctx, letter.ID, reason); err != nil {
		return err
	}
	note := noteOf(letter, auditSubject(letter, reading), "refused")
	note.Detail["reason"] = reason
	if err := rp.Store.Audit(ctx, note, now()); err != nil {
		return err
	}
	return &StillRefusedError{Reason: reason}
}

// auditSubject is the message of a reading, or else the dead letter. The chain of a thread is written
// only by the transactions that change the thread, so it says what it is: a message and a thread may
// have one id.
func auditSubject(letter *store.DeadLetter, reading *Reading) string {
	if letter.Kind == store.KindSMS && reading.Subject != "" {
		return audit.MessageSubject(reading.Subject)
	}
	return audit.DeadLetterSubject(letter.ID)
}

func noteOf(letter *store.DeadLetter, subject, outcome string) audit.Note {
	return audit.Note{Subject: subject, Action: audit.ActionReplay, Outcome: outcome, Detail: audit.Detail{
		"deadLetter": letter.ID, "kind": letter.Kind,
	}}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
