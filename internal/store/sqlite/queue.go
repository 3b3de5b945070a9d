package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	selectPause = "SELECT paused_until FROM sinks WHERE name = 'crm'"

	// writePause takes store.MaxWait from now as ?2. A stored pause that ends later was written before the
	// clock was set back: it is over, so a shorter one may replace it.
	writePause = `UPDATE sinks SET paused_until = ?1
		WHERE name = 'crm' AND (paused_until IS NULL OR paused_until < ?1 OR paused_until > ?2)`

	// inQueue is the condition of the index threads_queue.
	inQueue = "own AND want_rev > done_rev AND NOT parked"

	// selectDue takes store.MaxWait from now as ?4.
	selectDue = "SELECT " + readThread + " FROM threads WHERE " + inQueue + `
		AND (due_at IS NULL OR due_at <= ?1 OR due_at > ?4) AND (lease_until IS NULL OR lease_until <= ?1)
		AND (attempts = 0 OR NOT ?3) ORDER BY since_at LIMIT ?2`

	// selectNextDue finds when the next thread that waits becomes due.
	selectNextDue = `SELECT min(max(coalesce(due_at, ''), coalesce(lease_until, ''))) FROM threads
		WHERE ` + inQueue + " AND (attempts = 0 OR NOT ?1)"

	leaseThread = "UPDATE threads SET lease_until = ?, epoch = ?, uncertain = ? WHERE thread_id = ?"

	extendLease = "UPDATE threads SET lease_until = ?1 WHERE thread_id = ?2 AND epoch = ?3 AND lease_until > ?4"
)

// queueTime is the time by which leases, pauses and times to wait run. It starts as the wall clock, and
// goes on as the monotonic one does: when somebody sets the clock, no lease ends early and no thread
// waits for longer. What an earlier process has left is judged by store.MaxWait.
func (s *Store) queueTime() time.Time { return s.opened.Add(time.Since(s.opened)) }

// ReleaseLeases implements store.Queue. What the workers had sent may have been applied.
func (s *Store) ReleaseLeases(ctx context.Context) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE threads SET lease_until = NULL, uncertain = TRUE WHERE lease_until IS NOT NULL")
		return err
	})
	if err != nil {
		return failed("release leases", err)
	}
	return nil
}

// Claim implements store.Queue. All is read in the transaction that leases, so that a claim whose
// reading fails leases nothing.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) (store.Claimed, error) {
	var claimed store.Claimed
	err := s.change(ctx, "claim", func(tx *sql.Tx, p *statements) (err error) {
		now := s.queueTime()
		var pausedUntil time.Time
		if err := tx.Stmt(p.selectPause).QueryRow().Scan(instant{&pausedUntil}); err != nil {
			return err
		}
		if wait := pausedUntil.Sub(now); wait > 0 && wait <= store.MaxWait {
			claimed.Wait, claimed.Paused = wait, true
			return nil
		}
		if claimed.Work, err = p.leaseDue(tx, r, now); err != nil {
			return err
		}
		if err := p.readWork(tx, claimed.Work, r.Items); err != nil {
			return err
		}
		if len(claimed.Work) == r.Limit {
			return nil
		}
		claimed.Wait, err = p.untilNextDue(tx, r.Fresh, now)
		return err
	})
	if err != nil {
		return store.Claimed{}, err
	}
	return claimed, nil
}

// leaseDue leases the threads that are due.
func (p *statements) leaseDue(tx *sql.Tx, r store.ClaimRequest, now time.Time) ([]store.Work, error) {
	found, err := tx.Stmt(p.selectDue).Query(timeText(now), r.Limit, r.Fresh, timeText(now.Add(store.MaxWait)))
	if err != nil {
		return nil, err
	}
	due, err := scanAll(found, scanThread)
	if err != nil {
		return nil, err
	}
	lease := tx.Stmt(p.leaseThread)
	work := make([]store.Work, len(due))
	for i, row := range due {
		sync := &row.Sync
		sync.Uncertain = sync.Uncertain || !sync.LeaseUntil.IsZero()
		sync.LeaseUntil = now.Add(r.Lease).UTC().Truncate(time.Microsecond)
		sync.Epoch++
		if _, err := lease.Exec(timeText(sync.LeaseUntil), sync.Epoch, sync.Uncertain, row.ID); err != nil {
			return nil, err
		}
		work[i] = store.Work{Claim: store.Claim{ThreadID: row.ID, Epoch: sync.Epoch}, Row: *row}
	}
	return work, nil
}

// readWork reads what the CRM lacks of threads.
func (p *statements) readWork(tx *sql.Tx, work []store.Work, limit int) error {
	if err := p.readAside(tx, work); err != nil {
		return err
	}
	dirty := tx.Stmt(p.selectDirty)
	linked := make(map[string]bool)
	for i := range work {
		w := &work[i]
		rows, err := dirty.Query(w.ThreadID, limit+1)
		if err != nil {
			return err
		}
		if w.Items, err = scanAll(rows, scanItem); err != nil {
			return err
		}
		if w.More = len(w.Items) > limit; w.More {
			w.Items = w.Items[:limit]
		} else if w.Row.Sync.Uncertain {
			if rows, err = tx.Stmt(p.selectUnsure).Query(w.ThreadID, w.Row.Sync.Done); err != nil {
				return err
			}
			if w.Unsure, err = scanAll(rows, scanItem); err != nil {
				return err
			}
		}
		for _, id := range w.Row.LinkRoots() {
			linked[id] = true
		}
	}
	found, err := selectAll(tx.Stmt(p.linksAbove), scanLink, slices.Collect(maps.Keys(linked)))
	if err != nil {
		return err
	}
	links := linksByID(found)
	for i := range work {
		work[i].Links = store.LinksAbove(work[i].Row.LinkRoots(), links)
	}
	return nil
}

// readAside reads which items of threads are set aside.
func (p *statements) readAside(tx *sql.Tx, work []store.Work) error {
	ids := make([]string, len(work))
	for i := range work {
		ids[i] = work[i].ThreadID
	}
	type revision struct {
		threadID string
		rev      int64
	}
	found, err := selectAll(tx.Stmt(p.selectAside), func(r row) (v revision, err error) {
		err = r.Scan(&v.threadID, &v.rev)
		return v, err
	}, ids)
	if err != nil {
		return err
	}
	for _, v := range found {
		work[slices.Index(ids, v.threadID)].Aside = v.rev
	}
	return nil
}

// untilNextDue returns how long it is until a thread becomes due: 0 when none will.
func (p *statements) untilNextDue(tx *sql.Tx, fresh bool, now time.Time) (time.Duration, error) {
	var next time.Time
	if err := tx.Stmt(p.selectNextDue).QueryRow(fresh).Scan(instant{&next}); err != nil || next.IsZero() {
		return 0, err
	}
	return max(next.Sub(now), time.Microsecond), nil
}

// Extend implements store.Queue.
func (s *Store) Extend(ctx context.Context, claims []store.Claim, lease time.Duration) (lost []store.Claim, err error) {
	err = s.change(ctx, "extend leases", func(tx *sql.Tx, p *statements) error {
		now, extend := s.queueTime(), tx.Stmt(p.extendLease)
		for _, c := range claims {
			held, err := affects(extend.Exec(timeText(now.Add(lease)), c.ThreadID, c.Epoch, timeText(now)))
			if err != nil {
				return err
			}
			if !held {
				lost = append(lost, c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lost, nil
}

// Pause implements store.Queue.
func (s *Store) Pause(ctx context.Context, d time.Duration) error {
	return s.change(ctx, "pause", func(tx *sql.Tx, p *statements) error {
		now := s.queueTime()
		_, err := tx.Stmt(p.writePause).Exec(timeText(now.Add(d)), timeText(now.Add(store.MaxWait)))
		return err
	})
}

const selectDoneRev = `SELECT done_rev, (
		SELECT coalesce(max(rev), 0) FROM thread_items INDEXED BY thread_items_set_aside
		WHERE thread_id = ?1 AND set_aside IS NOT NULL AND NOT theirs)
	FROM threads WHERE thread_id = ?1 AND own`

// DoneRev implements store.Queue.
func (s *Store) DoneRev(ctx context.Context, threadID string) (done, aside int64, err error) {
	if err := s.readers.QueryRowContext(ctx, selectDoneRev, threadID).Scan(&done, &aside); err != nil {
		return 0, 0, failed("read done revision", err)
	}
	return done, aside, nil
}
