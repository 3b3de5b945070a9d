package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	insertDelta = "INSERT INTO analytics_deltas (counts) VALUES (?)"

	// oldestDeltas takes a number of deltas at most, and no more once they have a number of bytes.
	oldestDeltas = `SELECT id, counts FROM (
			SELECT id, counts, sum(length(counts)) OVER (ORDER BY id) - length(counts) AS before
			FROM analytics_deltas ORDER BY id LIMIT ?
		) WHERE before < ? ORDER BY id`

	// deleteDeltas deletes those that were taken: ids ascend, and nobody else writes meanwhile.
	deleteDeltas = "DELETE FROM analytics_deltas WHERE id <= ?"

	selectRollup = "SELECT counts FROM analytics_rollups WHERE level = ? AND bucket = ?"

	writeRollup = `INSERT INTO analytics_rollups (level, bucket, counts) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET counts = excluded.counts`

	deleteRollups = `DELETE FROM analytics_rollups WHERE (level, bucket) IN (
		SELECT level, bucket FROM analytics_rollups WHERE level = ? AND bucket < ? ORDER BY bucket LIMIT ?)`

	// countsOf takes the ranges as a list of [level, from, to]. One statement reads one snapshot.
	countsOf = `SELECT counts FROM json_each(?) AS r CROSS JOIN analytics_rollups
			ON level = r.value ->> 0 AND bucket >= r.value ->> 1 AND bucket < r.value ->> 2
		UNION ALL
		SELECT counts FROM analytics_deltas`
)

// Counts implements store.Counts.
func (s *Store) Counts(ctx context.Context, ranges []analytics.Range, add func(counts []byte) error) error {
	list := make([][3]int64, len(ranges))
	for i, r := range ranges {
		list[i] = [...]int64{int64(r.Level), r.From, r.To}
	}
	rows, err := s.readers.QueryContext(ctx, countsOf, jsonList(list))
	if err != nil {
		return failed("read counts", err)
	}
	defer rows.Close()
	for rows.Next() {
		var counts sql.RawBytes
		if err := rows.Scan(&counts); err != nil {
			return failed("read counts", err)
		}
		if err := add(counts); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return failed("read counts", err)
	}
	return nil
}

// Now implements store.Clock.
func (s *Store) Now(context.Context) (time.Time, error) { return time.Now().UTC(), nil }

// Compact implements store.Counts. One transaction writes at a time, so two compactors take turns.
func (s *Store) Compact(ctx context.Context, now time.Time, limit int) (moved int, err error) {
	err = s.change(ctx, "compact", func(tx *sql.Tx, p *statements) error {
		delta, n, last, err := p.takeDeltas(tx, limit)
		if err != nil || n == 0 {
			return err
		}
		for _, r := range delta.Rollups(now) {
			if err := p.mergeRollup(tx, &r); err != nil {
				return err
			}
		}
		moved = n
		_, err = tx.Stmt(p.deleteDeltas).Exec(last)
		return err
	})
	if err != nil {
		return 0, err
	}
	return moved, nil
}

// takeDeltas returns the sum of the oldest deltas, how many they are, and the id of the last one.
func (p *statements) takeDeltas(tx *sql.Tx, limit int) (delta *analytics.Delta, n int, last int64, err error) {
	rows, err := tx.Stmt(p.oldestDeltas).Query(limit, store.CompactBytes)
	if err != nil {
		return nil, 0, 0, err
	}
	defer rows.Close()
	delta = new(analytics.Delta)
	for delta.Keys() < store.CompactKeys && rows.Next() {
		var counts sql.RawBytes
		if err := rows.Scan(&last, &counts); err != nil {
			return nil, 0, 0, err
		}
		if err := delta.MergeEncoded(counts); err != nil {
			return nil, 0, 0, fmt.Errorf("delta %d: %w", last, err)
		}
		n++
	}
	return delta, n, last, rows.Err()
}

// mergeRollup adds a change to the rollup of its bucket.
func (p *statements) mergeRollup(tx *sql.Tx, r *analytics.Rollup) error {
	var stored []byte
	err := tx.Stmt(p.selectRollup).QueryRow(r.Level, r.Bucket).Scan(&stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		if err := r.Delta.MergeEncoded(stored); err != nil {
			return fmt.Errorf("rollup of the %s %d: %w", r.Level, r.Bucket, err)
		}
	}
	_, err = tx.Stmt(p.writeRollup).Exec(r.Level, r.Bucket, r.Encode())
	return err
}

// Prune implements store.Counts.
func (s *Store) Prune(ctx context.Context, now time.Time, limit int) (deleted int, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		for level := analytics.Second; level <= analytics.Day; level++ {
			result, err := tx.ExecContext(ctx, deleteRollups, level, level.Oldest(now), limit-deleted)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			deleted += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, failed("prune counts", err)
	}
	return deleted, nil
}
