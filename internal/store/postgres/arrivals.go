package postgres

import (
	"sync/atomic"
	"time"
)

// newsAfter is how long no receipt must have come for a message that is known, before messages are
// taken for new ones. It is also how rarely that can turn out to be wrong, which costs an insert that
// is rolled back, and a line in the log of PostgreSQL.
const newsAfter = 5 * time.Second

// arrivals guesses whether the messages of a batch are new. Most gateways tell of a message once, when
// its fate is final: nearly all are new then, and to look for them is a quarter of what a commit costs
// the database. Where they tell of the steps on the way too, each batch has some that are known. The
// zero value guesses that all are new. It is safe for concurrent use.
type arrivals struct {
	known atomic.Int64 // when a known message was met last: microseconds since 1970
}

// areNew guesses for a batch that is committed now. The clock may have been set since.
func (a *arrivals) areNew(now time.Time) bool {
	return now.Sub(time.UnixMicro(a.known.Load())).Abs() >= newsAfter
}

// metKnown notes that a batch had a message that is known.
func (a *arrivals) metKnown(now time.Time) { a.known.Store(now.UnixMicro()) }
