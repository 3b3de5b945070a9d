// Package answers answers questions about delivery from the counts in a store.
package answers

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
)

// Counts is what is needed of a store: see store.Counts.
type Counts interface {
	Counts(ctx context.Context, ranges []analytics.Range, add func(counts []byte) error) error
}

// Question is what somebody wants to know.
type Question struct {
	Length time.Duration // of the window that ends now
	Step   time.Duration // between the points of the series; 0 for no series
	Filter analytics.Filter
}

// QuestionError says why a question makes no sense. It is fit to be shown to whoever asked.
type QuestionError struct{ error }

// Refuse returns the error about a question that makes no sense.
func Refuse(why error) error { return &QuestionError{why} }

// Unwrap returns what is wrong with the question.
func (e *QuestionError) Unwrap() error { return e.error }

// Delivery answers questions. A question that was asked within the last second has the same answer,
// and of several who ask the same at once one does the work. It is safe for concurrent use.
type Delivery struct {
	counts Counts
	card   *analytics.RateCard
	policy analytics.Policy
	now    func() time.Time

	working chan struct{} // a token for each answer that is being worked out

	mu      sync.Mutex
	answers map[Question]*answer
}

// answer is complete when done is closed.
type answer struct {
	asked  time.Time
	done   chan struct{}
	report *analytics.Report
	err    error
}

// fresh is how long an answer holds, from when it was asked for.
const fresh = time.Second

// holds reports whether an answer is good for a question that is asked now. One that is still being
// worked out is: a database that is slow is not asked the same again meanwhile.
func (a *answer) holds(now time.Time) bool {
	select {
	case <-a.done:
		return now.Sub(a.asked) < fresh
	default:
		return true
	}
}

// answerTimeout is how long the database may take for an answer.
const answerTimeout = 10 * time.Second

// atOnce is how many questions the database is asked at a time, so that whoever asks many leaves
// connections for others.
const atOnce = 4

// New returns a Delivery that prices by a card, which may be nil, and judges carriers by a valid
// policy.
func New(counts Counts, card *analytics.RateCard, policy analytics.Policy) *Delivery {
	return &Delivery{counts: counts, card: card, policy: policy, now: time.Now, working: make(chan struct{}, atOnce), answers: make(map[Question]*answer)}
}

// Report answers a question. The report is shared: it must not be changed. The error is a
// QuestionError, or that of the store.
func (d *Delivery) Report(ctx context.Context, q Question) (*analytics.Report, error) {
	now := d.now()
	window, err := analytics.NewWindow(now, q.Length, q.Step)
	if err != nil {
		return nil, Refuse(err)
	}
	a := d.known(q, now)
	if a == nil {
		select {
		case d.working <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		a = d.begin(ctx, q, now, window)
	}
	select {
	case <-a.done:
		return a.report, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// known returns the answer to a question that holds or is being worked out, or nil.
func (d *Delivery) known(q Question, now time.Time) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.answers[q]; a != nil && a.holds(now) {
		return a
	}
	return nil
}

// begin begins to work an answer out, unless somebody else has done so by now. Its caller may go
// away: others wait for the same answer.
func (d *Delivery) begin(ctx context.Context, q Question, now time.Time, window analytics.Window) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.answers[q]; a != nil && a.holds(now) {
		<-d.working
		return a
	}
	a := &answer{asked: now, done: make(chan struct{})}
	d.forget(now)
	d.answers[q] = a
	go func() {
		defer func() { <-d.working }()
		d.answer(context.WithoutCancel(ctx), a, window, q.Filter)
	}()
	return a
}

// forget drops answers that are old, so that many different questions take up no memory.
func (d *Delivery) forget(now time.Time) {
	for q, a := range d.answers {
		if !a.holds(now) {
			delete(d.answers, q)
		}
	}
}

func (d *Delivery) answer(ctx context.Context, a *answer, window analytics.Window, filter analytics.Filter) {
	defer close(a.done)
	defer func() {
		if fault := recover(); fault != nil { // one question must not end the program
			a.err = fmt.Errorf("answers: a fault of the program: %v\n%s", fault, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	sum := analytics.NewSum(window, filter, d.card)
	if a.err = d.counts.Counts(ctx, sum.Ranges(), sum.Add); a.err == nil {
		a.report = sum.Report(d.policy)
	}
}
