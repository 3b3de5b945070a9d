package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWakeInSteps(t *testing.T) {
	const id = "abcdefgh"
	away := errors.New("away")
	for name, test := range map[string]struct {
		steps []int // threads that each wakes; -1 fails
		total int64
		err   error
	}{
		"none":                {[]int{0}, 0, nil},
		"few":                 {[]int{7}, 7, nil},
		"exactly one step":    {[]int{wakeStep, 0}, wakeStep, nil},
		"many":                {[]int{wakeStep, wakeStep, 1}, 2*wakeStep + 1, nil},
		"the first one fails": {[]int{-1}, 0, away},
		"a later one fails":   {[]int{wakeStep, wakeStep, -1}, 2 * wakeStep, away},
	} {
		t.Run(name, func(t *testing.T) {
			step := 0
			total, err := WakeInSteps(t.Context(), func(_ context.Context, after string, limit int) (int, string, error) {
				if after != id[:step] || limit != wakeStep {
					t.Errorf("step %d is for %d threads after %q", step, limit, after)
				}
				woken := test.steps[step]
				step++
				if woken < 0 {
					return 0, "", away
				}
				return woken, id[:step], nil
			})
			if total != test.total || err != test.err || step != len(test.steps) {
				t.Errorf("%d threads in %d steps, %v, want %d in %d, %v", total, step, err, test.total, len(test.steps), test.err)
			}
		})
	}
}

// Many threads take as long as they take; a database that does not answer does not.
func TestWakeInStepsIsPatientWithManyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := 20
		total, err := WakeInSteps(t.Context(), func(ctx context.Context, _ string, limit int) (int, string, error) {
			if left--; left == 0 {
				<-ctx.Done()
				return 0, "", ctx.Err()
			}
			time.Sleep(wakeTimeout / 2)
			return limit, "t", ctx.Err()
		})
		if total != 19*wakeStep || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d threads, %v", total, err)
		}
	})
}
