package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Calls keep their times while one of them hangs, and each number is called once.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var called [20]atomic.Int64
		err := Pace(t.Context(), 10, 2*time.Second, 2, func(_ context.Context, i int, due time.Time) error {
			called[i].Add(1)
			want := start.Add(time.Duration(i) * 100 * time.Millisecond)
			if !due.Equal(want) || !time.Now().Equal(want) {
				t.Errorf("call %d was due at %s and made at %s, want %s", i, due, time.Now(), want)
			}
			if i == 3 {
				time.Sleep(time.Minute)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for i := range called {
			if n := called[i].Load(); n != 1 {
				t.Errorf("call %d was made %d times", i, n)
			}
		}
		if took := time.Since(start); took != 300*time.Millisecond+time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestPaceEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		start := time.Now()
		err := Pace(t.Context(), 1, time.Hour, 4, func(_ context.Context, i int, _ time.Time) error {
			if i == 2 {
				return broken
			}
			return nil
		})
		if took := time.Since(start); !errors.Is(err, broken) || took != 2*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = Pace(ctx, 1, time.Hour, 4, func(context.Context, int, time.Time) error {
			t.Error("called though ctx was done")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the error of the context", err)
		}
	})
}
