package proof

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// What is promised of those who push a thread:
//
//   - PostgreSQL gives a thread to nobody while the lease of another runs;
//   - who ends or extends a lease is who has it, and it is extended only while it runs: who comes late
//     records nothing;
//   - a request to the CRM sets out within its lease. It may come to the CRM after that only if the replica
//     was frozen or the network held it up, and no later than when that ended. What it may do there then is
//     for the register to say: it is refused, or the CRM has been left as it was when the request was made.

// watchLeases lets PostgreSQL take down every change of a lease, with the name of the replica that made it.
const watchLeases = `
CREATE TABLE proof_leases (
	n bigserial, at timestamptz, replica text, thread_id text, epoch bigint, was_epoch bigint,
	until timestamptz, was_until timestamptz);
CREATE FUNCTION proof_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO proof_leases (at, replica, thread_id, epoch, was_epoch, until, was_until)
	VALUES (clock_timestamp(), current_setting('application_name'), NEW.thread_id, NEW.epoch, OLD.epoch, NEW.lease_until, OLD.lease_until);
	RETURN NULL;
END $$;
CREATE TRIGGER proof_lease AFTER UPDATE ON threads FOR EACH ROW
	WHEN (OLD.epoch IS DISTINCT FROM NEW.epoch OR OLD.lease_until IS DISTINCT FROM NEW.lease_until)
	EXECUTE FUNCTION proof_lease();`

// WatchLeases begins to take down the leases in a database that has its tables.
func WatchLeases(ctx context.Context, s *Store) error { return s.exec(ctx, watchLeases) }

// exec runs statements.
func (s *Store) exec(ctx context.Context, statements string) error {
	db, err := s.open()
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statements)
	return err
}

// leaseChange is a change of the lease on a thread.
type leaseChange struct {
	at             time.Time
	replica        string
	thread         string
	epoch, before  int64
	until, running time.Time // when the lease ends now, and when it ended before; zero: there is none
}

// lease is the time for which a thread was a replica's.
type lease struct {
	replica  string
	from, to time.Time
}

// Harm is a time during which what a replica sends is held up. Those of one replica follow one another.
type Harm struct {
	Replica  string
	From, To time.Time
}

// Lateness is how long what a replica sends may be under way.
type Lateness struct {
	Usual   time.Duration // where nothing holds it up
	Healing time.Duration // from the end of what held it up
}

// Pushers is what came of the check that one replica at a time pushes a thread.
type Pushers struct {
	Leases   int
	Overlaps int // leases of one thread that ran at the same time
	Late     int // requests that the CRM came to after their lease
	Taken    int // of those: writes that it took, which the register says whether it was right
	Wrong    []string
}

// CheckPushers holds the leases, and what came to the CRM, against what is promised. The harms of each replica
// are in their order.
func CheckPushers(ctx context.Context, s *Store, history []*Operation, harms []Harm, allowed Lateness) (Pushers, error) {
	const query = `SELECT at, replica, thread_id, epoch, was_epoch, until, was_until FROM proof_leases ORDER BY n`
	var changes []leaseChange
	err := s.Query(ctx, query, func(rows *sql.Rows) error {
		var c leaseChange
		var until, running sql.NullTime
		err := rows.Scan(&c.at, &c.replica, &c.thread, &c.epoch, &c.before, &until, &running)
		c.until, c.running = until.Time, running.Time
		changes = append(changes, c)
		return err
	})
	if err != nil {
		return Pushers{}, err
	}
	return checkPushers(changes, history, harms, allowed), nil
}

func checkPushers(changes []leaseChange, history []*Operation, harms []Harm, allowed Lateness) (p Pushers) {
	leases := p.follow(changes)
	for _, o := range history {
		if o.Replica != "" {
			p.place(o, leases[o.Thread], harms, allowed)
		}
	}
	return p
}

// follow reads the changes in their order, and returns the leases by thread.
func (p *Pushers) follow(changes []leaseChange) map[string][]*lease {
	leases := make(map[string][]*lease)
	for _, c := range changes {
		all := leases[c.thread]
		switch {
		case c.epoch != c.before:
			if c.running.After(c.at) {
				p.Overlaps++
				p.wrong("thread %q was given to %s while %s had it", c.thread, c.replica, holder(all))
			}
			p.Leases++
			leases[c.thread] = append(all, &lease{c.replica, c.at, c.until})
		case holder(all) != c.replica:
			p.wrong("%s changed the lease on thread %q, which is that of %s", c.replica, c.thread, holder(all))
		case c.until.IsZero():
			last := all[len(all)-1]
			last.to = earlier(last.to, c.at)
		case c.running.Before(c.at):
			p.wrong("%s extended its lease on thread %q, which had ended", c.replica, c.thread)
		default:
			all[len(all)-1].to = c.until
		}
	}
	return leases
}

func holder(all []*lease) string {
	if len(all) == 0 {
		return "nobody"
	}
	return all[len(all)-1].replica
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// place finds the lease under which a request came. One that is late must have an excuse.
func (p *Pushers) place(o *Operation, leases []*lease, harms []Harm, allowed Lateness) {
	var last *lease // of the replica, before the request
	for _, l := range leases {
		if l.replica == o.Replica && !o.Call.Before(l.from) {
			last = l
		}
	}
	switch {
	case last == nil:
		p.wrong("%s asked the CRM about thread %q, which it never had", o.Replica, o.Thread)
		return
	case !o.moment().After(last.to.Add(allowed.Usual)):
		return
	}
	p.Late++
	if o.isWrite() && o.Carried && o.Status < 300 {
		p.Taken++
	}
	if !o.moment().After(last.latest(harms, allowed)) {
		return
	}
	p.wrong("%s asked the CRM about thread %q %s after its lease, and nothing had held it up", o.Replica, o.Thread, o.moment().Sub(last.to).Round(time.Millisecond))
}

// latest is until when what set out within a lease may come. A harm holds it up that began while it could
// still be under way, and after that one the next.
func (l *lease) latest(harms []Harm, allowed Lateness) time.Time {
	latest := l.to.Add(allowed.Usual)
	for _, h := range harms {
		if healed := h.To.Add(allowed.Healing); h.Replica == l.replica && !h.From.After(latest) && healed.After(latest) {
			latest = healed
		}
	}
	return latest
}

// moment is when the CRM did what it was asked, as far as that is known: it answers at once then.
func (o *Operation) moment() time.Time {
	if o.Status != 0 {
		return o.Return
	}
	return o.Call
}

func (p *Pushers) wrong(format string, args ...any) {
	p.Wrong = append(p.Wrong, fmt.Sprintf(format, args...))
}
