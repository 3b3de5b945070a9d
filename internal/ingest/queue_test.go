package ingest

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// Behind requests that have waited for long nobody else is to wait: a slow database answers few in
// time, not many too late.
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
