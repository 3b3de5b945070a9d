package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/thread"
)

const (
	// isQueued is the condition of the index threads_queue.
	isQueued = "own AND want_rev > done_rev AND NOT parked"

	// A thread that another transaction has locked is passed over: see shortWait. $4 is store.MaxWait.
	claimDue = `WITH due AS (
			SELECT thread_id FROM threads
			WHERE ` + isQueued + ` AND (due_at IS NULL OR due_at <= now() OR due_at > now() + $4)
				AND (lease_until IS NULL OR lease_until <= now())
				AND (attempts = 0 OR NOT $3)
				AND NOT EXISTS (SELECT FROM sinks WHERE name = 'crm' AND paused_until > now() AND paused_until <= now() + $4)
			ORDER BY since_at LIMIT $1 FOR UPDATE SKIP LOCKED
		)
		UPDATE threads t SET epoch = t.epoch + 1, uncertain = t.uncertain OR t.lease_until IS NOT NULL, lease_until = now() + $2
		FROM due WHERE t.thread_id = due.thread_id
		RETURNING ` + selectedThread

	readDirty = `SELECT ` + selectedItem + ` FROM unnest($1::text[]) AS claimed (thread_id)
		CROSS JOIN LATERAL (
			SELECT * FROM thread_items d WHERE d.thread_id = claimed.thread_id AND d.dirty
			ORDER BY d.rev, d.kind, d.item_id LIMIT $2
		) AS i
		ORDER BY i.thread_id, i.rev, i.kind, i.item_id`

	readAside = `SELECT thread_id, max(rev) FROM thread_items
		WHERE thread_id = ANY($1) AND set_aside IS NOT NULL AND NOT dirty AND NOT theirs GROUP BY thread_id`

	readUnsure = `SELECT ` + selectedItem + `
		FROM (SELECT unnest($1::text[]) AS thread_id, unnest($2::bigint[]) AS done_rev) AS claimed
		JOIN thread_items i USING (thread_id)
		WHERE i.rev > claimed.done_rev AND NOT i.dirty AND NOT i.theirs
		ORDER BY i.thread_id, i.rev, i.kind, i.item_id`

	// untilDue is in microseconds, and says whether it is the end of a pause. $2 is store.MaxWait.
	untilDue = `SELECT (extract(epoch FROM coalesce(pause.until,
			(SELECT min(coalesce(greatest(due_at, lease_until), now())) FROM threads
				WHERE ` + isQueued + ` AND (attempts = 0 OR NOT $1))
		) - now()) * 1000000)::bigint, pause.until IS NOT NULL
		FROM (SELECT
			(SELECT paused_until FROM sinks WHERE name = 'crm' AND paused_until > now() AND paused_until <= now() + $2) AS until
		) AS pause`

	// The leases are locked in the order of their threads, as all locks of several threads are.
	extendLeases = `WITH held AS (
			SELECT t.thread_id FROM threads t
			JOIN (SELECT unnest($1::text[]) AS thread_id, unnest($2::bigint[]) AS epoch) AS claim
				ON t.thread_id = claim.thread_id AND t.epoch = claim.epoch
			WHERE t.lease_until > clock_timestamp()
			ORDER BY t.thread_id FOR UPDATE OF t
		)
		UPDATE threads t SET lease_until = clock_timestamp() + $3 FROM held WHERE t.thread_id = held.thread_id
		RETURNING t.thread_id, t.epoch`

	// A stored pause that ends more than $2, store.MaxWait, from now was written before the clock was set back.
	// It is over, so a shorter one may replace it.
	writePause = `UPDATE sinks SET paused_until = now() + $1
		WHERE name = 'crm' AND (paused_until IS NULL OR paused_until < now() + $1 OR paused_until > now() + $2)`
)

// shortWait is for a thread that is due and was passed over, because another transaction had its lock.
const shortWait = 5 * time.Millisecond

// ReleaseLeases implements store.Queue: any lease may be another replica's.
func (s *Store) ReleaseLeases(context.Context) error { return nil }

// Claim implements store.Queue. It waits for no lock, so it has no part in a deadlock. It commits
// before it reads the items: a push may hold more than the thread's row tells, and never less.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) (store.Claimed, error) {
	conn, err := s.queue.Acquire(ctx)
	if err != nil {
		return store.Claimed{}, failed("claim", err)
	}
	defer conn.Release()

	rows, err := conn.Query(ctx, claimDue, r.Limit, r.Lease, r.Fresh, store.MaxWait)
	if err != nil {
		return store.Claimed{}, failed("claim", err)
	}
	threads, err := pgx.CollectRows(rows, scanThread)
	if err != nil {
		return store.Claimed{}, failed("claim", err)
	}
	slices.SortFunc(threads, func(a, b threadRow) int { return a.Sync.Since.Compare(b.Sync.Since) })
	claimed := store.Claimed{Work: make([]store.Work, len(threads))}
	work := make(map[string]*store.Work, len(threads))
	for i, row := range threads {
		claimed.Work[i] = store.Work{Claim: store.Claim{ThreadID: row.ID, Epoch: row.Sync.Epoch}, Row: *row}
		work[row.ID] = &claimed.Work[i]
	}
	var b pgx.Batch
	if len(work) > 0 {
		queueDirty(&b, work, r.Items)
		queueAside(&b, work)
		queueUnsure(&b, work)
		queueLinks(&b, work)
	}
	if len(work) < r.Limit {
		queueWait(&b, r.Fresh, &claimed)
	}
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return store.Claimed{}, failed("claim", err)
	}
	return claimed, nil
}

// queueDirty queues the read of what the CRM lacks.
func queueDirty(b *pgx.Batch, work map[string]*store.Work, limit int) {
	b.Queue(readDirty, slices.Collect(maps.Keys(work)), limit+1).Query(func(rows pgx.Rows) error {
		items, err := pgx.CollectRows(rows, scanItem)
		for _, item := range items {
			w := work[item.ThreadID]
			if len(w.Items) == limit {
				w.More = true
				continue
			}
			w.Items = append(w.Items, item)
		}
		return err
	})
}

// queueAside queues the read of what is set aside.
func queueAside(b *pgx.Batch, work map[string]*store.Work) {
	b.Queue(readAside, slices.Collect(maps.Keys(work))).Query(func(rows pgx.Rows) error {
		var id string
		var rev int64
		_, err := pgx.ForEachRow(rows, []any{&id, &rev}, func() error {
			work[id].Aside = rev
			return nil
		})
		return err
	})
}

// queueUnsure queues the read of what else the CRM may not have as it acknowledged it. It comes after
// queueDirty, which finds out whether there are more dirty items.
func queueUnsure(b *pgx.Batch, work map[string]*store.Work) {
	var uncertain []*store.Work
	for _, w := range work {
		if w.Row.Sync.Uncertain {
			uncertain = append(uncertain, w)
		}
	}
	if len(uncertain) == 0 {
		return
	}
	b.Queue(readUnsure,
		someTexts(uncertain, func(w *store.Work) string { return w.ThreadID }),
		numbers(uncertain, func(w *store.Work) int64 { return w.Row.Sync.Done }),
	).Query(func(rows pgx.Rows) error {
		items, err := pgx.CollectRows(rows, scanItem)
		for _, item := range items {
			if w := work[item.ThreadID]; !w.More {
				w.Unsure = append(w.Unsure, item)
			}
		}
		return err
	})
}

// queueLinks queues the read of the links above the threads that have any.
func queueLinks(b *pgx.Batch, work map[string]*store.Work) {
	var from []string
	for _, w := range work {
		from = append(from, w.Row.LinkRoots()...)
	}
	if len(from) == 0 {
		return
	}
	b.Queue(linksAbove, from).Query(func(rows pgx.Rows) error {
		links := make(map[string]thread.Link)
		if err := scanLinks(rows, links); err != nil {
			return err
		}
		for _, w := range work {
			w.Links = store.LinksAbove(w.Row.LinkRoots(), links)
		}
		return nil
	})
}

// queueWait queues the read of when to claim again.
func queueWait(b *pgx.Batch, fresh bool, claimed *store.Claimed) {
	b.Queue(untilDue, fresh, store.MaxWait).QueryRow(func(row pgx.Row) error {
		var micros pgtype.Int8
		if err := row.Scan(&micros, &claimed.Paused); err != nil || !micros.Valid {
			return err
		}
		claimed.Wait = max(time.Duration(micros.Int64)*time.Microsecond, shortWait)
		return nil
	})
}

// Extend implements store.Queue.
func (s *Store) Extend(ctx context.Context, claims []store.Claim, lease time.Duration) ([]store.Claim, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	ids := someTexts(claims, func(c store.Claim) string { return c.ThreadID })
	epochs := numbers(claims, func(c store.Claim) int64 { return c.Epoch })
	rows, err := s.queue.Query(ctx, extendLeases, ids, epochs, lease)
	if err != nil {
		return nil, failed("extend leases", err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowToStructByPos[store.Claim])
	if err != nil {
		return nil, failed("extend leases", err)
	}
	var lost []store.Claim
	for _, c := range claims {
		if !slices.Contains(held, c) {
			lost = append(lost, c)
		}
	}
	return lost, nil
}

// Pause implements store.Queue.
func (s *Store) Pause(ctx context.Context, d time.Duration) error {
	_, err := s.queue.Exec(ctx, writePause, d, store.MaxWait)
	if err != nil {
		return failed("pause", err)
	}
	return nil
}
