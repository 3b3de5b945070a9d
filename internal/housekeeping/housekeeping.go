// Package housekeeping does what is due from time to time on a database: it compacts the counts of
// analytics, deletes what is too old, looks for slow carriers, and says that this process lives. Every
// replica does it; the database sees to it that only one at a time does what only one may do.
//
//	compaction.go  deltas of the counts into rollups
//	retention.go   what is kept for a limited time
//	slow.go        the alarm about slow carriers
//	heartbeat.go   which processes there are
package housekeeping

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

// stepTimeout bounds each step of a task: it is far more than any takes. Without it a connection to a
// database whose host has vanished without a word would wait for a quarter of an hour.
const stepTimeout = 30 * time.Second

// repeat does a task at once and then at every interval, until the context ends. A task bounds each of its
// steps by stepTimeout. One that fails is done again at the next interval; the failure is logged, but only
// once in a row while the database is away.
func repeat(ctx context.Context, every time.Duration, log *slog.Logger, name string, do func(context.Context) error) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	away := false
	for {
		err := do(ctx)
		if err != nil && ctx.Err() == nil {
			isAway := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrSchema)
			if !isAway || !away {
				log.Warn("housekeeping: "+name+" failed", "error", err, "next_in", every.String())
			}
			away = isAway
		} else {
			away = false
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
