package postgres

import (
	"sync/atomic"
	"time"
)

// newsAfter is for how long no receipt of a known message must have come before messages are assumed to
// be new. It is also the least time between two wrong guesses, each of which costs an insert that is
// rolled back, and a line in the log of PostgreSQL.
const newsAfter = 5 * time.Second

// arrivals guesses whether the messages of a batch are new. Most gateways report a message once, when
// its status is final. Then nearly all are new, and looking for them is a quarter of what a commit costs
// the database. Where gateways also report the steps before, each batch has some that are known. The
// zero value guesses that all are new. It is safe for concurrent use.
type arrivals struct {
	known atomic.Int64 // when a known message was last met: microseconds since 1970
}

// areNew guesses for a batch that is committed now. The clock may have been set since.
func (a *arrivals) areNew(now time.Time) bool {
	return now.Sub(time.UnixMicro(a.known.Load())).Abs() >= newsAfter
}

// metKnown notes that a batch had a message that is known.
func (a *arrivals) metKnown(now time.Time) { a.known.Store(now.UnixMicro()) }
