package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/store"
)

// long returns an event with a number of messages.
func long(id string, messages int) []byte {
	list := strings.TrimSuffix(strings.Repeat(`{"id":"m"},`, messages), ",")
	return fmt.Appendf(nil, `{"event":"THREAD_UPDATED","data":{"threadId":%q,"version":1,"messages":[%s]}}`, id, list)
}

// Events with many messages do not share a transaction, and the events beside them are answered.
func TestManyItemsAreCommittedInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &fakeStore{}
		in := start(t, st, nil)
		answers := mustSubmitMixed(t, in, receipt("a"), long("t-1", partItems/2), long("t-2", partItems/2), receipt("b"), long("t-3", 2*partItems), event("t-4", 4))
		var sizes []int
		for _, batch := range st.batches {
			sizes = append(sizes, len(batch))
		}
		if diff := cmp.Diff([]int{3, 2, 1}, sizes); diff != "" {
			t.Errorf("entries of the transactions (-want +got):\n%s", diff)
		}
		if want := (Answer{Rev: 4}); answers[5] != want {
			t.Errorf("the last answer is %+v", answers[5])
		}
	})
}

// A transaction that has much to write gets the time for it, and no database that hangs gets more.
func TestManyItemsGetMoreTime(t *testing.T) {
	spool := newSpool(t, t.TempDir(), 1<<20)
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool // the drain asks, too
		st := &fakeStore{before: func(ctx context.Context, entries []store.Entry) error {
			takes := time.After(2 * commitTimeout)
			if hangs.Load() {
				takes = nil
			}
			select {
			case <-takes:
				return nil
			case <-ctx.Done():
				return errors.Join(store.ErrUnavailable, ctx.Err())
			}
		}}
		in := start(t, st, spool)
		if a := mustSubmitMixed(t, in, long("t-1", int(2*commitTimeout/itemTimeout))); a[0].Spooled {
			t.Error("a long event was spooled")
		}
		hangs.Store(true)
		began := time.Now()
		if a := mustSubmitMixed(t, in, event("t-2", 1)); !a[0].Spooled {
			t.Error("the database hangs, and the event was not spooled")
		}
		if waited := time.Since(began); waited > commitTimeout+itemTimeout {
			t.Errorf("the sender waited %v", waited)
		}
		hangs.Store(false)
	})
}
