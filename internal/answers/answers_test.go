package answers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ Counts = store.Store(nil)

// fakeCounts counts how often it was asked. Each answer takes a while.
type fakeCounts struct {
	takes time.Duration
	err   error

	mu    sync.Mutex
	asked int
}

func (f *fakeCounts) Counts(ctx context.Context, _ []analytics.Range, add func([]byte) error) error {
	f.mu.Lock()
	f.asked++
	messages := f.asked // so that answers differ
	f.mu.Unlock()
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.err != nil {
		return f.err
	}
	var d analytics.Delta
	for range messages {
		d.Add(analytics.ContributionOf(&sms.Message{Carrier: "TELEFONICA", Region: "GB", Status: sms.Delivered, FirstSeen: time.Now()}))
	}
	return add(d.Encode())
}

func (f *fakeCounts) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

var anHour = Question{Length: time.Hour}

func total(t *testing.T, d *Delivery, q Question) int64 { return totalOf(t, d.Report, q) }

func recentTotal(t *testing.T, d *Delivery, q Question) int64 { return totalOf(t, d.Recent, q) }

func totalOf(t *testing.T, ask func(context.Context, Question) (*analytics.Report, error), q Question) int64 {
	t.Helper()
	report, err := ask(t.Context(), q)
	if err != nil {
		t.Error(err)
		return 0
	}
	return report.Total
}

// What was committed before a question is in its answer: an answer that was begun before is never shared.
func TestAnswersAreNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 303 * time.Millisecond}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		for want := range int64(3) {
			if got := total(t, d, anHour); got != want+1 {
				t.Errorf("answer %d, want %d", got, want+1)
			}
		}
		var group sync.WaitGroup
		for i := range 60 { // answers begin after 0, 303 and 606 ms
			group.Go(func() {
				asked := time.Duration(i) * 10 * time.Millisecond
				time.Sleep(asked)
				want := int64(4)
				if asked > 0 {
					want += 1 + int64(asked/counts.takes)
				}
				if got := total(t, d, anHour); got != want {
					t.Errorf("who asks after %v has answer %d, want %d", asked, got, want)
				}
			})
		}
		group.Wait()
		if got := counts.times(); got != 6 {
			t.Errorf("the store was asked %d times, want 6: several share the next answer", got)
		}
	})
}

// What this process has yet to count is counted first, and what comes while that is done is for the next.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counts fakeCounts
		flushed := 0
		flush := func(ctx context.Context) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("there is no end to it")
			}
			time.Sleep(100 * time.Millisecond)
			if flushed++; counts.times() != flushed-1 {
				t.Error("the store was asked before")
			}
		}
		d := New(&counts, flush, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 2 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond)
				if got := total(t, d, anHour); got != int64(i+1) {
					t.Errorf("question %d has answer %d", i+1, got)
				}
			})
		}
		group.Wait()
		recentTotal(t, d, anHour)
		if flushed != 2 {
			t.Errorf("flushed %d times, want 2", flushed)
		}
	})
}

// While writes hang, reads answer those who look again and again, even when others wait for the same answer.
func TestRecentAnswersDoWithoutWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flush := func(context.Context) { time.Sleep(3 * time.Second) }
		d := New(new(fakeCounts), flush, nil, analytics.DefaultPolicy())
		var reports sync.WaitGroup
		defer reports.Wait()
		for range 4 {
			reports.Go(func() { total(t, d, anHour) })
			synctest.Wait()
			start := time.Now()
			recentTotal(t, d, anHour)
			if took := time.Since(start); took != 0 {
				t.Errorf("the answer took %v", took)
			}
			time.Sleep(recent)
		}
	})
}

// An answer that was begun before the commit that a Report waits for is none to the Report.
func TestReportsHaveWhatTheyCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: time.Second}
		flush := func(context.Context) { time.Sleep(100 * time.Millisecond) }
		d := New(counts, flush, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		group.Go(func() {
			if got := total(t, d, anHour); got != 2 {
				t.Errorf("the Report has answer %d", got)
			}
		})
		time.Sleep(50 * time.Millisecond)
		if got := recentTotal(t, d, anHour); got != 1 {
			t.Errorf("the Recent has answer %d", got)
		}
		group.Wait()
	})
}

// Different questions share a commit, one runs at a time, and it goes on when whoever began it goes away.
func TestQuestionsShareAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flushing, flushed atomic.Int64
		flush := func(ctx context.Context) {
			if flushing.Add(1) > 1 {
				t.Error("two at a time")
			}
			defer flushing.Add(-1)
			select {
			case <-time.After(100 * time.Millisecond):
				flushed.Add(1)
			case <-ctx.Done():
				t.Error("it was cut off")
			}
		}
		d := New(new(fakeCounts), flush, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 50 { // the first commit is for the first; the second begins at 100 ms, for all the others
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i < 2 {
					time.AfterFunc(10*time.Millisecond, cancel)
				}
				start := time.Now()
				_, err := d.Report(ctx, Question{Length: time.Hour + time.Duration(i)*time.Minute})
				if want := time.Duration(200-i) * time.Millisecond; i >= 2 && (err != nil || time.Since(start) != want) {
					t.Errorf("question %d: %v after %v, want %v", i, err, time.Since(start), want)
				} else if i < 2 && !errors.Is(err, context.Canceled) {
					t.Errorf("question %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if got := flushed.Load(); got != 2 {
			t.Errorf("flushed %d times, want 2", got)
		}
	})
}

func TestRecentAnswersHoldForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := new(fakeCounts)
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		for _, step := range []struct {
			wait time.Duration
			want int64
		}{{0, 1}, {0, 1}, {999 * time.Millisecond, 1}, {time.Millisecond, 2}, {500 * time.Millisecond, 2}, {time.Hour, 3}} {
			time.Sleep(step.wait)
			if got := recentTotal(t, d, anHour); got != step.want {
				t.Errorf("after %v more: answer %d, want %d", step.wait, got, step.want)
			}
		}
	})
}

func TestQuestionsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(new(fakeCounts), nil, nil, analytics.DefaultPolicy())
		questions := []Question{
			anHour, {Length: 2 * time.Hour}, {Length: time.Hour, Step: time.Minute},
			{Length: time.Hour, Filter: analytics.Filter{Carrier: "TELEFONICA"}}, {Length: time.Hour, Filter: analytics.Filter{Region: "GB"}},
		}
		for i, q := range questions {
			if got := recentTotal(t, d, q); got != int64(i+1) {
				t.Errorf("%+v has the answer of question %d", q, got)
			}
		}
		for i, q := range questions {
			if got := recentTotal(t, d, q); got != int64(i+1) {
				t.Errorf("asked again, %+v has the answer of question %d", q, got)
			}
		}
	})
}

func TestOneDoesTheWorkOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 300 * time.Millisecond}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				if got := recentTotal(t, d, anHour); got != 1 {
					t.Errorf("answer %d", got)
				}
			})
		}
		group.Wait()
		if got := counts.times(); got != 1 {
			t.Errorf("the store was asked %d times", got)
		}
	})
}

// A database that is slow is not asked the same again while it works on it, however long that takes.
func TestSlowAnswerIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 5 * time.Second}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 5 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 900 * time.Millisecond)
				if got := recentTotal(t, d, anHour); got != 1 {
					t.Errorf("answer %d", got)
				}
			})
		}
		group.Wait()
		if got := recentTotal(t, d, anHour); got != 2 {
			t.Errorf("answer %d: the one that came late holds for ever", got)
		}
	})
}

// Whoever asked first goes away. The others have their answer all the same.
func TestFirstAskerGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 500 * time.Millisecond}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := d.Recent(ctx, anHour); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who went away has %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if got := recentTotal(t, d, anHour); got != 1 {
				t.Errorf("answer %d", got)
			}
		})
		time.Sleep(100 * time.Millisecond)
		cancel()
		group.Wait()
	})
}

// Of those who wait for the same answer each may go away at any time, and the others have theirs.
func TestWaitingAskersGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 500 * time.Millisecond}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				q := Question{Length: time.Hour, Filter: analytics.Filter{Carrier: "ABCDEFGH"[i%8 : i%8+1]}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*37*time.Millisecond+time.Millisecond)
				defer cancel()
				if i >= 32 {
					ctx = t.Context()
				}
				_, err := d.Report(ctx, q)
				if err != nil && (i >= 32 || !errors.Is(err, context.DeadlineExceeded)) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		time.Sleep(time.Second)
		total(t, d, anHour)
		if len(d.topics) != 1 || len(d.working) > 1 {
			t.Errorf("%d questions and %d tokens are kept", len(d.topics), len(d.working))
		}
	})
}

// The store is asked a few questions at a time. Whoever gives up before a question is put leaves nothing.
func TestFewQuestionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: time.Second}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() { _, _ = d.Report(ctx, Question{Length: time.Hour + time.Duration(i)*time.Minute}) })
		}
		group.Wait()
		if counts.times() != atOnce || len(d.topics) != atOnce {
			t.Errorf("%d questions were put and %d are kept, want %d", counts.times(), len(d.topics), atOnce)
		}
		time.Sleep(time.Second)
	})
}

func TestStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{err: store.ErrUnavailable}
		d := New(counts, nil, nil, analytics.DefaultPolicy())
		for range 2 {
			if report, err := d.Recent(t.Context(), anHour); report != nil || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%v %v", report, err)
			}
		}
		counts.err = nil
		time.Sleep(time.Second)
		if got := recentTotal(t, d, anHour); got != 2 {
			t.Errorf("the store was asked %d times: while it is away, once a second is enough", got)
		}
	})
}

func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(&fakeCounts{takes: time.Hour}, nil, nil, analytics.DefaultPolicy())
		start := time.Now()
		if _, err := d.Report(t.Context(), anHour); !errors.Is(err, ErrSlow) || time.Since(start) != answerTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// Whoever waits in vain learns that it takes too long, whatever is waited for. Whoever goes away does not.
func TestWaitingInVain(t *testing.T) {
	for name, c := range map[string]struct {
		flush, takes time.Duration
		others       int // who have asked before, another question each
		same         int // who have asked the same before
	}{
		"for the commit":       {flush: time.Minute},
		"for the answer":       {takes: time.Minute},
		"for the one before":   {takes: 5 * time.Second, same: 1},
		"for those of others":  {takes: 5 * time.Second, others: atOnce},
		"for all of the above": {takes: 5 * time.Second, flush: time.Second, others: 2 * atOnce, same: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				flush := func(ctx context.Context) {
					select {
					case <-time.After(c.flush):
					case <-ctx.Done():
					}
				}
				d := New(&fakeCounts{takes: c.takes}, flush, nil, analytics.DefaultPolicy())
				var group sync.WaitGroup
				for i := range c.others + c.same {
					q := anHour
					if i < c.others {
						q.Length += time.Duration(i+1) * time.Minute
					}
					group.Go(func() { _, _ = d.Report(t.Context(), q) })
				}
				synctest.Wait()
				patient, stop := context.WithTimeout(t.Context(), 4*time.Second)
				defer stop()
				leaving, leave := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, leave)
				for ctx, want := range map[context.Context]error{patient: ErrSlow, leaving: context.Canceled} {
					group.Go(func() {
						if _, err := d.Report(ctx, anHour); !errors.Is(err, want) || errors.Is(err, ErrSlow) != (want == ErrSlow) {
							t.Errorf("%v, want %v", err, want)
						}
					})
				}
				group.Wait()
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	counts := new(fakeCounts)
	d := New(counts, nil, nil, analytics.DefaultPolicy())
	for _, q := range []Question{{}, {Length: 91 * 24 * time.Hour}, {Length: time.Hour, Step: -1}, {Length: time.Hour, Step: 1}} {
		_, err := d.Report(t.Context(), q)
		if refused, ok := errors.AsType[*QuestionError](err); !ok || refused.Error() == "" || errors.Unwrap(refused) == nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if counts.times() != 0 || len(d.topics) != 0 {
		t.Error("they were asked all the same")
	}
}

// Many different questions take up no memory once they are old.
func TestOldAnswersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(new(fakeCounts), nil, nil, analytics.DefaultPolicy())
		for i := range 100 {
			total(t, d, Question{Length: time.Hour + time.Duration(i)*time.Minute})
			time.Sleep(100 * time.Millisecond)
		}
		if got := len(d.topics); got > 11 {
			t.Errorf("%d answers are kept", got)
		}
	})
}

// However many different questions are asked at a time, few answers are kept.
func TestFewAnswersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(new(fakeCounts), nil, nil, analytics.DefaultPolicy())
		for i := range 1000 {
			ask := total
			if i%2 == 0 {
				ask = recentTotal
			}
			ask(t, d, Question{Length: time.Hour + time.Duration(i)*time.Second})
			if got := len(d.topics); got > kept+1 {
				t.Fatalf("%d answers are kept", got)
			}
		}
	})
}
