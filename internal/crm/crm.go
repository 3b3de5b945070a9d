// Package crm is the contract of the external CRM whose threads are kept equal to ours. crm/rest is
// the generic CRM over HTTP; crm/crmtest is the suite that every sink passes.
package crm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/thread"
)

// Sink is a CRM. Its methods are safe for concurrent use. Every error of theirs that is not the
// context's is, or wraps, an *Error. They never retry: what to do next depends on the thread.
type Sink interface {
	// Get reads the CRM's copy of a thread. ClassGone: it has none.
	Get(ctx context.Context, threadID string) (*thread.Remote, error)

	// Patch changes a thread by a delta. ClassGone: the CRM has no such thread. ClassConflict: it
	// has a version that the delta was not made for.
	Patch(ctx context.Context, r Request) (Ack, error)

	// Create makes a thread of the delta against nothing. ClassConflict: the CRM has it already.
	Create(ctx context.Context, r Request) (Ack, error)
}

// Request is a delta on its way. The CRM applies one key and body once, however often it comes.
type Request struct {
	ThreadID string
	Version  int64  // that the thread has afterwards
	Body     []byte // as thread.Delta.JSON wrote it
	IfMatch  string // ETag of the version that is changed; "" when the CRM gave none
}

// Ack says that a CRM has applied a delta.
type Ack struct {
	Status  int
	Version int64  // that the thread has now: that of the request, unless the CRM says otherwise
	ETag    string // "" when the CRM gives none
}

// Class is what a caller decides on.
type Class int

// The classes of errors.
const (
	// ClassFailed: the CRM, or the way to it, has trouble. Try again later.
	ClassFailed Class = iota

	// ClassConflict: the CRM's copy is not what the request was made for. Read it, and merge the two.
	ClassConflict

	// ClassThrottled: the CRM wants to be left alone, by everybody.
	ClassThrottled

	// ClassGone: the CRM has no such thread.
	ClassGone

	// ClassPermanent: the CRM will never accept this request.
	ClassPermanent
)

// Error says that the CRM's answer was not a success, or that there was no answer.
type Error struct {
	Class      Class
	Status     int           // HTTP status; 0 when there was no answer
	Message    string        // fit for an operator; holds no text of a message and no secret
	RetryAfter time.Duration // how long the CRM wants to be left alone; 0 when it does not say
	Uncertain  bool          // the request may have been applied all the same
	Err        error         // the cause when there was no answer; else nil
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// AsError returns the Error in a chain. An error that has none is one of ClassFailed, and uncertain.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Class: ClassFailed, Uncertain: true, Message: fmt.Sprintf("unexpected %T", err), Err: err}
}
