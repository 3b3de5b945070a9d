// Package answers answers questions about delivery from the counts in a store.
package answers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/fault"
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

// ErrSlow says that an answer was not there in time. It is fit to be shown to whoever asked.
var ErrSlow = errors.New("the answer takes too long: the database is slow, or too many questions are asked at once")

// tooLate returns the error for a caller who waits until ctx ends: ErrSlow, except for those who go away.
func tooLate(ctx context.Context) error {
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrSlow, context.DeadlineExceeded)
}

// Delivery answers questions. Of several who ask the same one does the work, as long as it begins after all
// of them have asked: so each has an answer with everything that was committed before. It is safe for
// concurrent use.
type Delivery struct {
	counts Counts
	flush  flush
	card   *analytics.RateCard
	policy analytics.Policy
	now    func() time.Time

	working chan struct{} // a token for each answer that is being worked out

	mu     sync.Mutex
	topics map[Question]*topic
}

// topic is a question that is asked, or was asked of late.
type topic struct {
	turn   chan struct{} // holds a token while somebody has the question answered: one answer at a time
	askers int           // guarded by mu of the Delivery, as is latest
	latest *answer       // that was begun; nil before the first. It changes in turn only.
}

// answer is complete when done is closed.
type answer struct {
	begun  time.Time
	done   chan struct{}
	report *analytics.Report
	err    error
}

// recent is how old an answer of Recent may be, from when the work on it began.
const recent = time.Second

// isRecent reports whether an answer is good for Recent. One that is still being worked out is: a database
// that is slow is not asked the same again meanwhile.
func (a *answer) isRecent(now time.Time) bool {
	select {
	case <-a.done:
		return now.Sub(a.begun) < recent
	default:
		return true
	}
}

// answerTimeout is how long the database may take for an answer.
const answerTimeout = 10 * time.Second

// atOnce is how many questions the database is asked at a time, so that whoever asks many leaves
// connections for others.
const atOnce = 4

// New returns a Delivery that prices by a card, which may be nil, and judges carriers by a valid policy.
// Whoever wants a Report has commit called first, which commits what this process has yet to add to the
// counts; nil: there is no such thing.
func New(counts Counts, commit func(ctx context.Context), card *analytics.RateCard, policy analytics.Policy) *Delivery {
	return &Delivery{
		counts: counts, flush: flush{commit: commit, turn: make(chan struct{}, 1)}, card: card, policy: policy, now: time.Now,
		working: make(chan struct{}, atOnce), topics: make(map[Question]*topic),
	}
}

// Report answers a question from what is committed when it is asked, or later. The report is shared: it must
// not be changed. The error is a QuestionError, that of the store, or that of ctx; it wraps ErrSlow when the
// answer is not there in time.
func (d *Delivery) Report(ctx context.Context, q Question) (*analytics.Report, error) {
	if err := d.check(q); err != nil {
		return nil, err
	}
	if err := d.flush.wait(ctx); err != nil {
		return nil, err
	}
	return d.ask(ctx, q, func(*answer) bool { return false })
}

// Recent is Report for whoever asks again and again: the answer may be up to a second old, or one that is
// being worked out already. It may lack what this process has yet to commit, so that a database which only
// reads answers all the same.
func (d *Delivery) Recent(ctx context.Context, q Question) (*analytics.Report, error) {
	if err := d.check(q); err != nil {
		return nil, err
	}
	now := d.now()
	return d.ask(ctx, q, func(a *answer) bool { return a.isRecent(now) })
}

// check returns a QuestionError when a question makes no sense.
func (d *Delivery) check(q Question) error {
	if _, err := analytics.NewWindow(d.now(), q.Length, q.Step); err != nil {
		return Refuse(err)
	}
	return nil
}

// ask returns the latest answer if it will do, else the next one.
func (d *Delivery) ask(ctx context.Context, q Question, willDo func(latest *answer) bool) (*analytics.Report, error) {
	t, a := d.join(q)
	defer d.leave(q, t)
	if a == nil || !willDo(a) {
		var err error
		if a, err = d.next(ctx, q, t, a); err != nil {
			return nil, err
		}
	}
	select {
	case <-a.done:
		return a.report, a.err
	case <-ctx.Done():
		return nil, tooLate(ctx)
	}
}

// join counts an asker in. What is the latest answer now was begun before the asker asked.
func (d *Delivery) join(q Question) (t *topic, latest *answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t = d.topics[q]
	if t == nil {
		t = &topic{turn: make(chan struct{}, 1)}
		d.topics[q] = t
	}
	t.askers++
	return t, t.latest
}

// leave counts an asker out. A topic without an answer is of no use to others.
func (d *Delivery) leave(q Question, t *topic) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.askers--
	if t.askers == 0 && t.latest == nil {
		delete(d.topics, q)
	}
}

// next waits for its turn, and returns the answer that somebody has begun after one, or else begins it.
func (d *Delivery) next(ctx context.Context, q Question, t *topic, after *answer) (*answer, error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, tooLate(ctx)
	}
	if a := d.latest(t); a != after {
		<-t.turn
		return a, nil
	}
	select {
	case d.working <- struct{}{}:
		return d.begin(ctx, q, t), nil
	case <-ctx.Done():
		<-t.turn
		return nil, tooLate(ctx)
	}
}

func (d *Delivery) latest(t *topic) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return t.latest
}

// begin begins to work an answer out, in turn and with a token. Its caller may go away: others wait for the
// same answer.
func (d *Delivery) begin(ctx context.Context, q Question, t *topic) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := &answer{begun: d.now(), done: make(chan struct{})}
	t.latest = a
	d.forget(a.begun)
	go func() {
		defer func() {
			<-d.working
			<-t.turn
		}()
		d.answer(context.WithoutCancel(ctx), a, q)
	}()
	return a
}

// kept is how many topics are kept while nobody asks about them.
const kept = 64

// forget drops the topics that nobody asks about when their answers are old, or when there are many, so that
// different questions take up little memory.
func (d *Delivery) forget(now time.Time) {
	areMany := len(d.topics) > kept
	for q, t := range d.topics {
		if t.askers == 0 && (areMany || !t.latest.isRecent(now)) {
			delete(d.topics, q)
		}
	}
}

func (d *Delivery) answer(ctx context.Context, a *answer, q Question) {
	defer close(a.done)
	defer func() {
		if p := recover(); p != nil { // one question must not end the program
			a.err = fmt.Errorf("answers: %w", fault.Error(p))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	window, err := analytics.NewWindow(a.begun, q.Length, q.Step)
	if err != nil {
		a.err = Refuse(err)
		return
	}
	sum := analytics.NewSum(window, q.Filter, d.card)
	switch a.err = d.counts.Counts(ctx, sum.Ranges(), sum.Add); {
	case a.err == nil:
		a.report = sum.Report(d.policy)
	case ctx.Err() != nil:
		a.err = tooLate(ctx)
	}
}
