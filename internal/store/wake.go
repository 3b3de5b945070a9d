package store

import (
	"context"
	"time"
)

const (
	// wakeStep is how many threads WakeInSteps wakes in one transaction, for which commits wait.
	wakeStep = 1000

	// wakeTimeout is how long the database may take for that.
	wakeTimeout = 5 * time.Second
)

// WakeInSteps carries out Queue.WakeParked. A step wakes at most limit threads, the first by their ids
// after one, in a transaction of its own; it returns their number, and the id of the last of them. What
// the steps before an error have woken stays so, and counts.
//
// The steps go through the ids once. So they come to an end, and wake no thread twice, even if others
// park it again meanwhile.
func WakeInSteps(ctx context.Context, step func(ctx context.Context, after string, limit int) (woken int, last string, err error)) (int64, error) {
	total, after := int64(0), ""
	for {
		bounded, cancel := context.WithTimeout(ctx, wakeTimeout)
		woken, last, err := step(bounded, after, wakeStep)
		cancel()
		total, after = total+int64(woken), last
		if err != nil || woken < wakeStep {
			return total, err
		}
	}
}
