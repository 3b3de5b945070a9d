package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// backfillMessages is how many messages one delta of the backfill counts.
const backfillMessages = 5000

// messagesToCount reads, by their rowids, what a message adds to the counts. Messages are appended as
// they come, so those of one delta are of about one time and have few keys.
const messagesToCount = `SELECT rowid, carrier_code, coalesce(region, ''), status, compliance, coalesce(segments, 0),
		coalesce(cost, ''), coalesce(currency, ''), first_seen_at, submitted_at, status_at
	FROM sms_messages WHERE rowid > ? ORDER BY rowid LIMIT ?`

// backfill counts all messages from nothing, in the transaction of a migration. It holds the lock that
// every writer takes.
func backfill(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM analytics_deltas; DELETE FROM analytics_rollups"); err != nil {
		return err
	}
	now, last := time.Now(), int64(-1<<63)
	for {
		var delta analytics.Delta
		messages, err := query(ctx, tx, func(r row) (*sms.Message, error) { return scanToCount(r, &last) },
			messagesToCount, last, backfillMessages)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if c := analytics.ContributionOf(m); c.Coarsen(now) {
				delta.Add(c)
			}
		}
		if !delta.Empty() {
			if _, err := tx.ExecContext(ctx, insertDelta, delta.Encode()); err != nil {
				return err
			}
		}
		if len(messages) < backfillMessages {
			return nil
		}
	}
}

// scanToCount reads those columns of a message that are counted, and its rowid.
func scanToCount(r row, rowid *int64) (*sms.Message, error) {
	var (
		m      sms.Message
		status string
	)
	err := r.Scan(rowid, &m.Carrier, &m.Region, &status, &m.Compliance, &m.Segments, &m.Cost, &m.Currency,
		instant{&m.FirstSeen}, instant{&m.Submitted}, instant{&m.StatusAt})
	if err != nil {
		return nil, err
	}
	m.Status, err = sms.ParseStatus(status)
	return &m, err
}
