// Package reconcile brings a thread up to date on demand: it fetches the thread from CXone, applies
// it as an event, and waits until the CRM has it. This makes up for a webhook that never came.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

// Reconciler reconciles threads. It is safe for concurrent use.
type Reconciler struct {
	Source Source
	Intake Intake
	Store  Store
	Synced Synced // nil: no CRM is set
}

// Source is where threads are fetched from.
type Source interface {
	// Thread returns a thread as a JSON object. An error that wraps store.ErrNotFound says that
	// there is none, and a *PauseError that the source asks for a pause.
	Thread(ctx context.Context, id string) ([]byte, error)
}

// PauseError says that a source answers nothing before a pause is over.
type PauseError struct {
	Left time.Duration // of the pause; above 0
	Err  error         // says so in the words of the source
}

func (e *PauseError) Error() string { return e.Err.Error() }

func (e *PauseError) Unwrap() error { return e.Err }

// Intake is where events are applied. See ingest.Ingest.
type Intake interface {
	ReadThread(raw []byte, received time.Time) ingest.Reading
	Submit(ctx context.Context, readings []ingest.Reading) ([]ingest.Answer, error)
}

// Store is what is needed of a store.Store.
type Store interface {
	Thread(ctx context.Context, id string) (*store.ThreadRow, error)
	DoneRev(ctx context.Context, threadID string) (done, aside int64, err error)
	Wake(ctx context.Context, threadID string, replays int64, note audit.Note, now time.Time) error
}

// Synced waits until the CRM has a revision of a thread, or it is known that it will not get all of it,
// or the context ends. See syncer.Syncer.
type Synced interface {
	Wait(ctx context.Context, threadID string, rev int64) bool
	Wake()
}

// Status says what became of a thread.
type Status string

// The statuses.
const (
	UpToDate   Status = "UP_TO_DATE" // we and the CRM had all of it
	Reconciled Status = "RECONCILED" // something was missing, and the CRM has it now
	SetAside   Status = "SET_ASIDE"  // the CRM has it now, but for what it would not accept: see the dead letters
	Stored     Status = "STORED"     // we have all of it; the CRM is not set, or the database is away
)

// Outcome is the answer to a request.
type Outcome struct {
	Status  Status
	Version int64 // of the thread, as CXone counts it, where something was missing: for Reconciled, and sometimes for SetAside
}

// UpstreamError says that CXone or the CRM kept a thread from being reconciled. Its text is fit for
// an operator.
type UpstreamError struct {
	Reason     string
	RetryAfter time.Duration // how long CXone asks not to be called; 0 when it does not
	Err        error         // the cause; nil when there is none
}

func (e *UpstreamError) Error() string { return e.Reason }

func (e *UpstreamError) Unwrap() error { return e.Err }

// Reconcile brings one thread up to date. It waits for the CRM as long as the context runs, unless the
// CRM refuses the thread, and waits out a short pause of CXone.
//
// The error wraps store.ErrNotFound when CXone has no such thread, and is an *UpstreamError when
// CXone or the CRM fails: what was fetched is durable then, and goes to the CRM later, or is kept as a
// dead letter if it is no thread. It is one of ingest.Ingest.Submit or of the store when it is not
// durable, or cannot be read.
func (r *Reconciler) Reconcile(ctx context.Context, id string) (Outcome, error) {
	answer, err := r.fetch(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	if r.Synced == nil || answer.Spooled {
		return Outcome{Status: Stored}, nil
	}
	row, err := r.Store.Thread(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	synced := row.Sync.State() == store.StateSynced
	if answer.Stale && synced {
		return r.judge(id, row.Sync.Want, Outcome{Status: UpToDate})
	}
	if !synced && row.Sync.LastError != "" {
		// It waits after a failure, or for an operator, who has come with this call.
		note := audit.Note{Subject: id, Action: audit.ActionReconcile, Outcome: "woken"}
		if err := r.Store.Wake(ctx, id, 0, note, time.Now().UTC().Truncate(time.Microsecond)); err != nil {
			return Outcome{}, err
		}
		r.Synced.Wake()
	}
	r.await(ctx, id, row.Sync.Want)
	return r.judge(id, row.Sync.Want, Outcome{Status: Reconciled, Version: row.Version})
}

// fetch applies what CXone says about a thread.
func (r *Reconciler) fetch(ctx context.Context, id string) (ingest.Answer, error) {
	data, err := r.ask(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return ingest.Answer{}, err
	}
	if err != nil {
		upstream := &UpstreamError{Reason: "CXone: " + err.Error(), Err: err}
		if pause, ok := errors.AsType[*PauseError](err); ok {
			upstream.RetryAfter = pause.Left
		}
		return ingest.Answer{}, upstream
	}
	reading := r.Intake.ReadThread(thread.Snapshot(data), time.Now().UTC().Truncate(time.Microsecond))
	if reading.Refused == nil && reading.Subject != id {
		return ingest.Answer{}, &UpstreamError{Reason: "CXone answers with another thread"}
	}
	answers, err := r.Intake.Submit(ctx, []ingest.Reading{reading}) // also what is refused is kept
	switch {
	case err != nil:
		return ingest.Answer{}, err
	case reading.Refused != nil:
		return ingest.Answer{}, &UpstreamError{
			Reason: "CXone's answer is not a thread, and is kept as a dead letter: " + reading.Refused.Error(), Err: reading.Refused,
		}
	case answers[0].Refused:
		return ingest.Answer{}, &UpstreamError{Reason: "the thread that CXone answers with cannot be stored"}
	}
	return answers[0], nil
}

// maxPause bounds how long, in all, the pauses of CXone are waited out. What takes longer is for the caller
// to decide.
const maxPause = 5 * time.Second

// ask fetches a thread, and waits out the pauses that CXone asks for, if they are over in time.
func (r *Reconciler) ask(ctx context.Context, id string) ([]byte, error) {
	last := time.Now().Add(maxPause)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(last) {
		last = deadline
	}
	for {
		data, err := r.Source.Thread(ctx, id)
		pause, ok := errors.AsType[*PauseError](err)
		if !ok || time.Now().Add(pause.Left).After(last) {
			return data, err
		}
		select {
		case <-time.After(pause.Left):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// parkedPoll is how often a thread is looked at while it is waited for.
const parkedPoll = time.Second

// await waits until the CRM has a revision of a thread, ctx ends, nothing is pushed any more, or the
// thread waits for an operator.
func (r *Reconciler) await(ctx context.Context, id string, rev int64) {
	for {
		look, cancel := context.WithTimeout(ctx, parkedPoll)
		isPushed := r.Synced.Wait(look, id, rev)
		isOver := isPushed || look.Err() == nil || ctx.Err() != nil
		cancel()
		if isOver {
			return
		}
		if row, err := r.Store.Thread(ctx, id); err == nil && row.Sync.State() == store.StateParked {
			return
		}
	}
}

// stateTimeout is how long the state of a thread may take to read when the time of a request is up.
const stateTimeout = 2 * time.Second

// judge returns the outcome if the CRM has a revision of a thread, SetAside if it has all of it but
// what it would not accept, and else an error.
func (r *Reconciler) judge(id string, rev int64, outcome Outcome) (Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	done, aside, err := r.Store.DoneRev(ctx, id)
	switch {
	case err != nil:
		return Outcome{}, err
	case done < rev:
		return Outcome{}, r.notPushed(ctx, id)
	case aside > 0:
		return Outcome{Status: SetAside, Version: outcome.Version}, nil
	}
	return outcome, nil
}

// notPushed says why the CRM does not have a thread yet.
func (r *Reconciler) notPushed(ctx context.Context, id string) error {
	row, err := r.Store.Thread(ctx, id)
	if err != nil || row.Sync.LastError == "" {
		return &UpstreamError{Reason: "the CRM does not have the thread yet; it is tried again"}
	}
	return &UpstreamError{Reason: fmt.Sprintf("the CRM does not have the thread yet (%s): %s", row.Sync.State(), row.Sync.LastError)}
}
