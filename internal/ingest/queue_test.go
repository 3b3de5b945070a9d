package ingest

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Behind requests that have waited for long nobody else may wait: with a slow database, few answers in
// time are better than many that are late.
func TestQueueThatStandsIsBusyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		st := &fakeStore{before: func(context.Context, []store.Entry) error {
			<-release
			return nil
		}}
		in := start(t, st, nil)
		var requests sync.WaitGroup
		request := func(id string) {
			requests.Go(func() { mustSubmit(t, in, id) })
			synctest.Wait()
		}
		request("in the commit")
		time.Sleep(2 * queueTime) // a commit that is slow keeps nobody out by itself
		request("first to wait")
		time.Sleep(queueTime)
		request("just in time")

		time.Sleep(time.Millisecond)
		began := time.Now()
		if _, err := submit(in, "late"); !isBusy(err) || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		close(release)
		requests.Wait()
		mustSubmit(t, in, "afterwards")
		if n := len(st.ids()); n != 4 {
			t.Errorf("%d events are kept, want 4", n)
		}
	})
}

// What arrives between a commit's falling due and its begin goes along with it, and no other begins.
func TestQueueBatches(t *testing.T) {
	q := queue{writers: 2}
	add := func(readings int, wantDue bool) {
		t.Helper()
		due, err := q.add(&request{readings: make([]Reading, readings)})
		if err != nil || due != wantDue {
			t.Errorf("after %d readings more: due %v, %v", readings, due, err)
		}
	}
	take := func(want int, wantDue bool) {
		t.Helper()
		batch, due := q.take()
		if len(batch) != want || due != wantDue {
			t.Errorf("a batch of %d requests, want %d; another is due: %v", len(batch), want, due)
		}
	}
	done := func(wantDue bool) {
		t.Helper()
		if due := q.done(); due != wantDue {
			t.Errorf("after a commit: due %v", due)
		}
	}
	add(1, true)
	add(batchReadings, false) // it has not begun
	take(2, false)
	add(batchReadings-1, false)
	add(1, true) // as many as one transaction takes
	add(1, false)
	take(2, false)
	add(batchReadings, false) // both writers are at work
	done(true)
	take(2, false)
	done(false) // nothing waits
	done(false)
	add(2, true)
	take(1, false)
	add(1, false)
	add(1, true) // as many as the first one has
}

// A queue that never empties does not hold the requests that are answered.
func TestQueueForgetsWhatIsTaken(t *testing.T) {
	q := queue{writers: 2}
	for range 3 {
		if _, err := q.add(&request{readings: make([]Reading, batchReadings)}); err != nil {
			t.Fatal(err)
		}
	}
	array := q.waiting
	batch, _ := q.take()
	if len(batch) != 1 || batch[0] == nil || array[0] != nil || array[1] == nil {
		t.Errorf("after taking %v: %v", batch, array)
	}
}

// What is left by a commit that is full is enough for another.
func TestQueueLeavesEnoughForAnother(t *testing.T) {
	q := queue{writers: 2}
	for _, readings := range []int{1, batchReadings, batchReadings} {
		if _, err := q.add(&request{readings: make([]Reading, readings)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []struct {
		requests int
		due      bool
	}{{2, true}, {1, false}} {
		if batch, due := q.take(); len(batch) != want.requests || due != want.due {
			t.Errorf("batch %d has %d requests, and another is due: %v; want %+v", i, len(batch), due, want)
		}
	}
}

// A commit that has fallen due counts from then on, not from when it begins.
func TestQueueClosesWhenItsCommitsHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{writers: 1}
		due, err := q.add(&request{readings: make([]Reading, 1)})
		if err != nil || !due {
			t.Fatalf("due: %v, %v", due, err)
		}
		closed := make(chan struct{})
		go func() {
			q.close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("the queue closed before the commit that is due")
		default:
		}
		q.take()
		q.done()
		<-closed
	})
}
