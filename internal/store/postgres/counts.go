package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

// compactionLock is the key of the advisory lock of those who write or delete rollups. It is any
// number that nobody else uses in this database.
const compactionLock = 7_204_511_903_284_406_113

// mergeStep is how many rollups are read and written at a time: full ones take a megabyte of memory each.
const mergeStep = 64

const (
	// lockCompaction takes the lock if nobody has it. No request waits for it, so whoever has it may take
	// longer between two statements: see idleTimeout.
	lockCompaction = "SELECT pg_try_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', '60s', true)"

	insertDelta = "INSERT INTO analytics_deltas (counts) VALUES ($1)"

	// oldestDeltas takes $1 deltas at most, and no more once they have $2 bytes.
	oldestDeltas = `SELECT id, counts FROM (
			SELECT id, counts, sum(octet_length(counts)) OVER (ORDER BY id) - octet_length(counts) AS before
			FROM analytics_deltas ORDER BY id LIMIT $1
		) AS oldest WHERE before < $2 ORDER BY id`

	// readRollups reads those of some buckets, each by the primary key.
	readRollups = `SELECT r.level, r.bucket, r.counts
		FROM (SELECT unnest($1::bigint[]) AS level, unnest($2::bigint[]) AS bucket) AS wanted
		JOIN analytics_rollups r ON r.level = wanted.level AND r.bucket = wanted.bucket`

	deleteRollups = `DELETE FROM analytics_rollups WHERE (level, bucket) IN (
		SELECT level, bucket FROM analytics_rollups WHERE level = $1 AND bucket < $2 ORDER BY bucket LIMIT $3)`

	// countsOf reads one snapshot, as it is one statement. OFFSET 0 keeps the planner from joining in
	// another way than range by range along the primary key.
	countsOf = `SELECT counts
		FROM (SELECT unnest($1::bigint[]) AS level, unnest($2::bigint[]) AS first, unnest($3::bigint[]) AS last) AS r
		CROSS JOIN LATERAL (SELECT counts FROM analytics_rollups
			WHERE level = r.level AND bucket >= r.first AND bucket < r.last OFFSET 0) AS rollups
		UNION ALL
		SELECT counts FROM analytics_deltas`
)

var writeRollups = `INSERT INTO analytics_rollups (` + rollupColumns.names() + `) ` + rollupColumns.unnest() + `
	ON CONFLICT (level, bucket) DO UPDATE SET counts = excluded.counts`

type rollup = *analytics.Rollup

// rollupColumns are the columns of analytics_rollups.
var rollupColumns = columns[rollup]{
	number("level", func(r rollup) int64 { return int64(r.Level) }),
	number("bucket", func(r rollup) int64 { return r.Bucket }),
	bytesOrNull("counts", func(r rollup) []byte { return r.Encode() }),
}

// Counts implements store.Counts.
func (s *Store) Counts(ctx context.Context, ranges []analytics.Range, add func(counts []byte) error) error {
	levels, firsts, lasts := make([]int64, len(ranges)), make([]int64, len(ranges)), make([]int64, len(ranges))
	for i, r := range ranges {
		levels[i], firsts[i], lasts[i] = int64(r.Level), r.From, r.To
	}
	rows, err := s.reads.Query(ctx, countsOf, levels, firsts, lasts)
	if err != nil {
		return failed("read counts", err)
	}
	defer rows.Close()
	for rows.Next() {
		var counts pgtype.DriverBytes
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
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	if err := s.queue.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, failed("read the clock", err)
	}
	return now.UTC(), nil
}

// Compact implements store.Counts. A commit that takes long may show its delta after later ones were
// moved, under a lower id: so what is deleted are the very rows that were taken.
func (s *Store) Compact(ctx context.Context, now time.Time, limit int) (moved int, err error) {
	err = pgx.BeginFunc(ctx, s.queue, func(tx pgx.Tx) error {
		var alone bool
		err := tx.QueryRow(ctx, lockCompaction, int64(compactionLock)).Scan(&alone, nil)
		if err != nil || !alone {
			return err
		}
		delta, ids, err := takeDeltas(ctx, tx, limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		for some := range slices.Chunk(delta.Rollups(now), mergeStep) {
			if err := mergeRollups(ctx, tx, some); err != nil {
				return err
			}
		}
		moved = len(ids)
		_, err = tx.Exec(ctx, "DELETE FROM analytics_deltas WHERE id = ANY($1)", numbers(ids, func(id int64) int64 { return id }))
		return err
	})
	if err != nil {
		return 0, failed("compact", err)
	}
	return moved, nil
}

// takeDeltas returns the sum of the oldest deltas, and their ids.
func takeDeltas(ctx context.Context, tx pgx.Tx, limit int) (*analytics.Delta, []int64, error) {
	rows, err := tx.Query(ctx, oldestDeltas, limit, store.CompactBytes)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var (
		delta  analytics.Delta
		ids    []int64
		id     int64
		counts pgtype.DriverBytes
	)
	for delta.Keys() < store.CompactKeys && rows.Next() {
		if err := rows.Scan(&id, &counts); err != nil {
			return nil, nil, err
		}
		if err := delta.MergeEncoded(counts); err != nil {
			return nil, nil, fmt.Errorf("delta %d: %w", id, err)
		}
		ids = append(ids, id)
	}
	rows.Close() // an error of the rest shows then
	return &delta, ids, rows.Err()
}

// mergeRollups adds changes to the rollups of their buckets. It clears them, so that they take no memory any
// more.
func mergeRollups(ctx context.Context, tx pgx.Tx, changes []analytics.Rollup) error {
	type bucket struct{ level, from int64 }
	rollups, byBucket := make([]rollup, len(changes)), make(map[bucket]rollup, len(changes))
	for i := range changes {
		r := &changes[i]
		rollups[i], byBucket[bucket{int64(r.Level), r.Bucket}] = r, r
	}
	wanted := rollupColumns[:2].arguments(rollups)
	rows, err := tx.Query(ctx, readRollups, wanted...)
	if err != nil {
		return err
	}
	var (
		b      bucket
		counts pgtype.DriverBytes
	)
	_, err = pgx.ForEachRow(rows, []any{&b.level, &b.from, &counts}, func() error {
		r := byBucket[b]
		if err := r.Delta.MergeEncoded(counts); err != nil {
			return fmt.Errorf("rollup of the %s %d: %w", r.Level, r.Bucket, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, writeRollups, rollupColumns.arguments(rollups)...)
	clear(changes)
	return err
}

// Prune implements store.Counts. It takes turns with Compact, which writes the same table.
func (s *Store) Prune(ctx context.Context, now time.Time, limit int) (deleted int, err error) {
	err = pgx.BeginFunc(ctx, s.queue, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(compactionLock)); err != nil {
			return err
		}
		for level := analytics.Second; level <= analytics.Day; level++ {
			tag, err := tx.Exec(ctx, deleteRollups, int64(level), level.Oldest(now), limit-deleted)
			if err != nil {
				return err
			}
			deleted += int(tag.RowsAffected())
		}
		return nil
	})
	if err != nil {
		return 0, failed("prune counts", err)
	}
	return deleted, nil
}
