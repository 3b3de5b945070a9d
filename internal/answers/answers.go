// Package answers answers questions about delivery from the counts in a store.
package answers

import (
	"context"
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

// QuestionError says why a question makes no sense. It is fit to be shown to who asked.
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

	mu      sync.Mutex
	answers map[Question]*answer
}

// answer is there when done is closed.
type answer struct {
	asked  time.Time
	done   chan struct{}
	report *analytics.Report
	err    error
}

// fresh is how long an answer holds, from when it was asked for.
const fresh = time.Second

// holds reports whether an answer is good for who asks now. One that is still being worked on is: a
// database that is slow is not asked the same again meanwhile.
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

// New returns a Delivery that prices by a card, which may be nil, and judges carriers by a valid
// policy.
func New(counts Counts, card *analytics.RateCard, policy analytics.Policy) *Delivery {
	return &Delivery{counts: counts, card: card, policy: policy, now: time.Now, answers: make(map[Question]*answer)}
}

// Report answers a question. The report is shared: it must not be changed. The error is a
// QuestionError, or that of the store.
func (d *Delivery) Report(ctx context.Context, q Question) (*analytics.Report, error) {
	now := d.now()
	window, err := analytics.NewWindow(now, q.Length, q.Step)
	if err != nil {
		return nil, Refuse(err)
	}
	d.mu.Lock()
	a, known := d.answers[q]
	if !known || !a.holds(now) {
		a = &answer{asked: now, done: make(chan struct{})}
		d.forget(now)
		d.answers[q] = a
		// Whoever asked first may go away; others wait for the same answer.
		go d.answer(context.WithoutCancel(ctx), a, window, q.Filter)
	}
	d.mu.Unlock()
	select {
	case <-a.done:
		return a.report, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	sum := analytics.NewSum(window, filter, d.card)
	if a.err = d.counts.Counts(ctx, sum.Ranges(), sum.Add); a.err == nil {
		a.report = sum.Report(d.policy)
	}
}
