package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Replayer reads dead letters again: after the rules were changed, or with a release that
// understands more.
type Replayer struct {
	Store  DeadLetters
	Reader *Reader

	// Submit makes readings durable and returns an answer for each, as Ingest.Submit does.
	Submit func(ctx context.Context, readings []Reading) ([]Answer, error)
}

// DeadLetters is what a Replayer needs of a store.Store.
type DeadLetters interface {
	DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error)
	FailReplay(ctx context.Context, id int64, reason string) error
}

// Replayed tells what became of a dead letter whose event is durable now.
type Replayed struct {
	MessageID string
	Duplicate bool   // the event had come again in the meantime and was applied then
	Warning   string // why the sender ID breaks the rules; "" when it does not

	// Spooled says that the database went away during the replay. The event waits in the spool.
	// The dead letter stays: what is in the spool cannot remove it. To replay it once more is
	// harmless, as the event is known then.
	Spooled bool
}

// StillRefusedError says that a dead letter cannot be applied now either. It stays.
type StillRefusedError struct {
	Reason string // fit to be shown to an operator
}

func (e *StillRefusedError) Error() string { return "still refused: " + e.Reason }

// Replay reads the raw body of a dead letter as if it came in again, at the time when it first
// came. On success the event is durable and the dead letter is gone, both by one transaction.
//
// The error is a *StillRefusedError, and the replay is counted on the dead letter, when the event
// is refused again. It wraps store.ErrNotFound when there is no such dead letter,
// store.ErrUnavailable or a *BusyError when the event is not durable, and nothing has changed then.
// When ctx ends first the event may be applied all the same; to replay it once more is harmless.
func (rp *Replayer) Replay(ctx context.Context, id int64) (Replayed, error) {
	letter, err := rp.Store.DeadLetter(ctx, id)
	if err != nil {
		return Replayed{}, err
	}
	if letter.Kind != store.KindSMS {
		return Replayed{}, &StillRefusedError{fmt.Sprintf("this release cannot read events of the kind %q", letter.Kind)}
	}
	reading := rp.Reader.ReadSMS(letter.Raw, letter.Received)
	if refused := reading.Entry.DeadLetter; refused != nil {
		return Replayed{}, rp.fail(ctx, id, refused.Reason)
	}
	reading.Entry.Resolves = id
	answers, err := rp.Submit(ctx, []Reading{reading})
	if err != nil {
		return Replayed{}, err
	}
	if len(answers) != 1 {
		return Replayed{}, errors.New("ingest: a replay needs one answer")
	}
	answer := answers[0]
	if answer.Refused {
		return Replayed{}, rp.fail(ctx, id, store.ErrRefused.Error())
	}
	return Replayed{
		MessageID: reading.MessageID, Duplicate: answer.Duplicate,
		Warning: reading.Warning, Spooled: answer.Spooled,
	}, nil
}

// fail counts a replay without success. The reason is told only when it is noted, so that what the
// operator hears and what the list shows are the same.
func (rp *Replayer) fail(ctx context.Context, id int64, reason string) error {
	if err := rp.Store.FailReplay(ctx, id, reason); err != nil {
		return err
	}
	return &StillRefusedError{Reason: reason}
}
