package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// backfillMessages is how many messages one delta of the backfill counts.
const backfillMessages = 5000

// messagesToCount reads what messages add to the counts, in the order of time: so those of one delta
// have few keys.
const messagesToCount = `DECLARE messages_to_count NO SCROLL CURSOR FOR
	SELECT carrier_code, coalesce(region, ''), status, compliance, coalesce(segments, 0),
		coalesce(cost::text, ''), coalesce(currency, ''), first_seen_at, submitted_at, status_at
	FROM sms_messages WHERE first_seen_at >= to_timestamp(%d) ORDER BY first_seen_at`

// backfill counts all messages from nothing, in the transaction of a migration. The lock keeps those
// who change messages waiting: the counts are of one state of all, and later changes add to them.
func backfill(ctx context.Context, tx *sql.Tx) error {
	now := time.Now()
	for _, statement := range []string{
		"LOCK TABLE sms_messages IN SHARE MODE",
		"DELETE FROM analytics_deltas",
		"DELETE FROM analytics_rollups",
		"SET LOCAL cursor_tuple_fraction = 1", // every row of the cursor is read
		fmt.Sprintf(messagesToCount, analytics.Day.Oldest(now)),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	for {
		delta, n, err := countNext(ctx, tx, now)
		if err != nil {
			return err
		}
		if !delta.Empty() {
			if _, err := tx.ExecContext(ctx, insertDelta, delta.Encode()); err != nil {
				return err
			}
		}
		if n < backfillMessages {
			return nil
		}
	}
}

// countNext counts the next messages of the cursor, and returns how many there were.
func countNext(ctx context.Context, tx *sql.Tx, now time.Time) (*analytics.Delta, int, error) {
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("FETCH %d FROM messages_to_count", backfillMessages))
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	delta, n := new(analytics.Delta), 0
	for ; rows.Next(); n++ {
		m, err := scanToCount(rows)
		if err != nil {
			return nil, 0, err
		}
		if c := analytics.ContributionOf(m); c.Coarsen(now) {
			delta.Add(c)
		}
	}
	return delta, n, rows.Err()
}

// scanToCount reads those columns of a message that are counted.
func scanToCount(rows *sql.Rows) (*sms.Message, error) {
	var (
		m                   sms.Message
		status              string
		submitted, statusAt *time.Time
	)
	err := rows.Scan(&m.Carrier, &m.Region, &status, &m.Compliance, &m.Segments, &m.Cost, &m.Currency,
		&m.FirstSeen, &submitted, &statusAt)
	if err != nil {
		return nil, err
	}
	m.Submitted, m.StatusAt = timeOf(submitted), timeOf(statusAt)
	m.Status, err = sms.ParseStatus(status)
	return &m, err
}
