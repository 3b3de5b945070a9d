package syncer

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestThreadIsPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue, sink := newMemory(), newCRM()
		b := start(t, queue, sink)
		b.take(event("a", 1, "m1", "hello", "m2", "there"), event("b", 4, "m1", "other"))
		mustSync(t, queue, time.Second)
		b.take(event("a", 2, "m1", "hello!"))
		mustSync(t, queue, time.Second)
		sink.mustEqual(t, queue)
	})
}
