package proof

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// What is promised of the replicas that push a thread:
//
//   - PostgreSQL gives a thread to no replica while the lease of another one runs;
//   - only its holder ends or extends a lease, and extends it only while it runs: a replica that is late
//     records nothing;
//   - a request to the CRM is sent within its lease. It may reach the CRM later only if the replica was frozen
//     or the network held it up, and no later than the end of that. The register checks its effect: it must be
//     refused, unless the CRM is still as it was when the request was made.

// watchLeases makes PostgreSQL record every change of a lease, with the name of the replica that made it.
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

// WatchLeases starts the recording of leases in a database that has its tables.
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

// lease is a time during which a thread was given to a replica.
type lease struct {
	replica  string
	from, to time.Time
}

// Harm is a time during which what a replica sends is held up. The harms of one replica do not overlap.
type Harm struct {
	Replica  string
	From, To time.Time
}

// Lateness is how long a request of a replica may be under way.
type Lateness struct {
	Usual   time.Duration // if nothing holds it up
	Healing time.Duration // from the end of what held it up
}

// Pushers is the result of the check that one replica at a time pushes a thread.
type Pushers struct {
	Leases   int
	Overlaps int // leases of one thread that ran at the same time
	Late     int // requests that reached the CRM after their lease
	Taken    int // of those: writes that the CRM accepted; the register checks whether that was right
	Wrong    []string
}

// CheckPushers compares the leases, and what reached the CRM, with what is promised. The harms of each replica
// must be in the order of time.
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

// place finds the lease under which a request was sent. A late request must have an excuse.
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

// latest returns until when a request that was sent within a lease may arrive. A harm holds it up if it began
// while the request could still be under way; so may the next one after that.
func (l *lease) latest(harms []Harm, allowed Lateness) time.Time {
	latest := l.to.Add(allowed.Usual)
	for _, h := range harms {
		if healed := h.To.Add(allowed.Healing); h.Replica == l.replica && !h.From.After(latest) && healed.After(latest) {
			latest = healed
		}
	}
	return latest
}

// moment returns when the CRM did what it was asked. That is when it answered, as it does so at once; without
// an answer only the time of the call is known.
func (o *Operation) moment() time.Time {
	if o.Status != 0 {
		return o.Return
	}
	return o.Call
}

func (p *Pushers) wrong(format string, args ...any) {
	p.Wrong = append(p.Wrong, fmt.Sprintf(format, args...))
}
