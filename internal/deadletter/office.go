// Package deadletter is what operators do with dead letters, with one or with many at once. The API and the
// console both use it, so they follow the same rules and leave the same entries in the audit log.
package deadletter

import (
	"context"
	"errors"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Office works on dead letters. It is safe for concurrent use.
type Office struct {
	Store    Store
	Replayer Replayer
}

// Store is what is needed of a store.Store.
type Store interface {
	DeadLetter(ctx context.Context, id int64) (*store.DeadLetter, error)
	DeleteDeadLetter(ctx context.Context, id int64) error
	FindDeadLetters(ctx context.Context, f store.LetterFilter, before int64, limit int) ([]store.DeadLetter, error)
	Audit(ctx context.Context, note audit.Note, now time.Time) error
}

// Replayer reads a dead letter again. See ingest.Replayer for its errors.
type Replayer interface {
	Replay(ctx context.Context, id int64) (ingest.Replayed, error)
}

// Delete removes a dead letter for good. The error wraps store.ErrNotFound when it is gone.
func (o *Office) Delete(ctx context.Context, id int64) error {
	letter, err := o.Store.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	return o.delete(ctx, letter)
}

func (o *Office) delete(ctx context.Context, letter *store.DeadLetter) error {
	detail := audit.Detail{"kind": letter.Kind, "about": letter.Subject}
	if letter.Kind != store.KindThreadItem {
		detail["reason"] = letter.Reason // that of an item names the item, which may be a person
	}
	// An entry about a deletion that then fails is better than a deletion without an entry.
	note := audit.Note{
		Subject: audit.DeadLetterSubject(letter.ID), Action: audit.ActionDelete, Outcome: "deleted", Detail: detail,
	}
	if err := o.Store.Audit(ctx, note, time.Now().UTC().Truncate(time.Microsecond)); err != nil {
		return err
	}
	return o.Store.DeleteDeadLetter(ctx, letter.ID)
}

// Result says what became of many dead letters.
type Result struct {
	Replayed int // applied, or due again, and gone
	Spooled  int // the event waits in the spool, and the dead letter stays
	Refused  int // refused again, or its thread is gone: it stays
	Deleted  int

	// Next is where to go on: the dead letters with an id below it were not looked at. It is 0 when there
	// are no more.
	Next int64
}

const (
	// AtOnce bounds the dead letters that one call works on.
	AtOnce = 1000

	// reserve is what is left of the caller's time when a call stops.
	reserve = 2 * time.Second
)

// ReplayAll replays the dead letters that match, newest first: those with an id below before, unless that is
// 0, and as many as AtOnce and the deadline of ctx allow. Those that are refused again stay, which is not an
// error. After an error the result says what was done before it.
func (o *Office) ReplayAll(ctx context.Context, f store.LetterFilter, before int64) (Result, error) {
	var r Result
	next, err := o.each(ctx, f, before, func(letter *store.DeadLetter) (goOn bool, err error) {
		replayed, err := o.Replayer.Replay(ctx, letter.ID)
		_, isRefused := errors.AsType[*ingest.StillRefusedError](err)
		switch {
		case errors.Is(err, store.ErrNotFound): // it, or the thread that it is about
			if _, err := o.Store.DeadLetter(ctx, letter.ID); err != nil {
				return true, err
			}
			r.Refused++
		case isRefused:
			r.Refused++
		case err != nil:
			return false, err
		case replayed.Spooled: // the database is away
			r.Spooled++
			return false, nil
		default:
			r.Replayed++
		}
		return true, nil
	})
	r.Next = next
	return r, err
}

// DeleteAll removes dead letters for good, as ReplayAll replays them.
func (o *Office) DeleteAll(ctx context.Context, f store.LetterFilter, before int64) (Result, error) {
	var r Result
	next, err := o.each(ctx, f, before, func(letter *store.DeadLetter) (goOn bool, err error) {
		if err := o.delete(ctx, letter); err != nil {
			return true, err
		}
		r.Deleted++
		return true, nil
	})
	r.Next = next
	return r, err
}

// each does something with the dead letters that match, and returns where to go on. It reads them one by one,
// as the work on one takes longer than finding it. One that is gone in the meantime is skipped.
func (o *Office) each(ctx context.Context, f store.LetterFilter, before int64, do func(*store.DeadLetter) (goOn bool, err error)) (next int64, err error) {
	for n := 0; ; n++ {
		found, err := o.Store.FindDeadLetters(ctx, f, before, 1)
		if err != nil {
			return before, err
		}
		if len(found) == 0 {
			return 0, nil
		}
		letter := &found[0]
		if n == AtOnce || isNearEnd(ctx) {
			return letter.ID + 1, nil
		}
		goOn, err := do(letter)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return letter.ID + 1, err
		}
		before = letter.ID
		if !goOn {
			return before, nil
		}
	}
}

// isNearEnd reports whether the caller's time is nearly up.
func isNearEnd(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < reserve
}
