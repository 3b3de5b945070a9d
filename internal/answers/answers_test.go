package answers

import (
	"context"
	"errors"
	"sync"
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

func total(t *testing.T, d *Delivery, q Question) int64 {
	t.Helper()
	report, err := d.Report(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return report.Total
}

func TestAnswersHoldForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := new(fakeCounts)
		d := New(counts, nil, analytics.DefaultPolicy())
		for _, step := range []struct {
			wait time.Duration
			want int64
		}{{0, 1}, {0, 1}, {999 * time.Millisecond, 1}, {time.Millisecond, 2}, {500 * time.Millisecond, 2}, {time.Hour, 3}} {
			time.Sleep(step.wait)
			if got := total(t, d, anHour); got != step.want {
				t.Errorf("after %v more: answer %d, want %d", step.wait, got, step.want)
			}
		}
	})
}

func TestQuestionsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(new(fakeCounts), nil, analytics.DefaultPolicy())
		questions := []Question{
			anHour, {Length: 2 * time.Hour}, {Length: time.Hour, Step: time.Minute},
			{Length: time.Hour, Filter: analytics.Filter{Carrier: "TELEFONICA"}}, {Length: time.Hour, Filter: analytics.Filter{Region: "GB"}},
		}
		for i, q := range questions {
			if got := total(t, d, q); got != int64(i+1) {
				t.Errorf("%+v has the answer of question %d", q, got)
			}
		}
		for i, q := range questions {
			if got := total(t, d, q); got != int64(i+1) {
				t.Errorf("asked again, %+v has the answer of question %d", q, got)
			}
		}
	})
}

func TestOneDoesTheWorkOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 300 * time.Millisecond}
		d := New(counts, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				if got := total(t, d, anHour); got != 1 {
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
		d := New(counts, nil, analytics.DefaultPolicy())
		var group sync.WaitGroup
		for i := range 5 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 900 * time.Millisecond)
				if got := total(t, d, anHour); got != 1 {
					t.Errorf("answer %d", got)
				}
			})
		}
		group.Wait()
		if got := total(t, d, anHour); got != 2 {
			t.Errorf("answer %d: the one that came late holds for ever", got)
		}
	})
}

// Whoever asked first goes away. The others have their answer all the same.
func TestFirstAskerGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{takes: 500 * time.Millisecond}
		d := New(counts, nil, analytics.DefaultPolicy())
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := d.Report(ctx, anHour); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who went away has %v", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if got := total(t, d, anHour); got != 1 {
				t.Errorf("answer %d", got)
			}
		})
		time.Sleep(100 * time.Millisecond)
		cancel()
		group.Wait()
	})
}

func TestStoreThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := &fakeCounts{err: store.ErrUnavailable}
		d := New(counts, nil, analytics.DefaultPolicy())
		for range 2 {
			if report, err := d.Report(t.Context(), anHour); report != nil || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%v %v", report, err)
			}
		}
		counts.err = nil
		time.Sleep(time.Second)
		if got := total(t, d, anHour); got != 2 {
			t.Errorf("the store was asked %d times: while it is away, once a second is enough", got)
		}
	})
}

func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(&fakeCounts{takes: time.Hour}, nil, analytics.DefaultPolicy())
		start := time.Now()
		if _, err := d.Report(t.Context(), anHour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != answerTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	counts := new(fakeCounts)
	d := New(counts, nil, analytics.DefaultPolicy())
	for _, q := range []Question{{}, {Length: 91 * 24 * time.Hour}, {Length: time.Hour, Step: -1}, {Length: time.Hour, Step: 1}} {
		_, err := d.Report(t.Context(), q)
		if refused, ok := errors.AsType[*QuestionError](err); !ok || refused.Error() == "" || errors.Unwrap(refused) == nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if counts.times() != 0 || len(d.answers) != 0 {
		t.Error("they were asked all the same")
	}
}

// Many different questions take up no memory once they are old.
func TestOldAnswersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(new(fakeCounts), nil, analytics.DefaultPolicy())
		for i := range 100 {
			total(t, d, Question{Length: time.Hour + time.Duration(i)*time.Minute})
			time.Sleep(100 * time.Millisecond)
		}
		if got := len(d.answers); got > 11 {
			t.Errorf("%d answers are kept", got)
		}
	})
}
