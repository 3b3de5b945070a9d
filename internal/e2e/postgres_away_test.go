package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/pgtest"
)

// outage is a PostgreSQL of a test's own, with an empty database on it, to be taken away.
type outage struct {
	*storage
	cluster *pgtest.Cluster
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	// Without fsync PostgreSQL keeps what it has committed as long as the machine runs.
	cluster := pgtest.New(t, "fsync=off")
	url, err := cluster.CreateDatabase(context.Background(), "cxbridge")
	if err != nil {
		t.Fatal(err)
	}
	return &outage{storage: onPostgres(t, url), cluster: cluster}
}

func (o *outage) stop(t *testing.T) {
	t.Helper()
	if err := o.cluster.Stop(); err != nil {
		t.Fatal(err)
	}
}

func (o *outage) resume(t *testing.T) {
	t.Helper()
	if err := o.cluster.Resume(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// awaitDrained waits until the spool is empty and the database in use. It asks for the metrics, because
// /readyz may be a second late.
func awaitDrained(t *testing.T, p *process) {
	t.Helper()
	eventually(t, "the spool is drained", func() bool {
		return p.metric(t, "cxbridge_database_up") == 1 && p.metric(t, "cxbridge_spool_events") == 0
	})
}

// wantSpooled posts a receipt that must go to the spool.
func wantSpooled(t *testing.T, p *process, body string) {
	t.Helper()
	if a := p.post(t, 200, body); !a.Acknowledged || !a.QueuedForRetry {
		t.Errorf("answer %s, want it queued for retry", a.Text)
	}
}

// wantDirect posts a receipt that must go to the database.
func wantDirect(t *testing.T, p *process, body string) {
	t.Helper()
	if a := p.post(t, 200, body); !a.Acknowledged || a.QueuedForRetry {
		t.Errorf("answer %s, want it stored", a.Text)
	}
}

// wantReady waits until /readyz, which may be a second late, has the readiness and the states of database
// and spool.
func wantReady(t *testing.T, p *process, status int, database, spool string) {
	t.Helper()
	eventually(t, fmt.Sprintf("/readyz is %d, database %s, spool %s", status, database, spool), func() bool {
		got, parts := p.ready(t)
		return got == status && parts["database"] == database && parts["spool"] == spool
	})
}

// Traffic ends in the right state although a part of it comes while PostgreSQL is away.
func TestPostgresGoesAndComesBack(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	p := serve(t, o.settings)
	wantReady(t, p, 200, "up", "empty")
	posts := stream(3, 600)
	third := len(posts) / 3
	deliver(t, p, posts[:third])

	o.stop(t)
	if events := deliver(t, p, posts[third:2*third]); events.Spooled == 0 {
		t.Error("nothing was queued for retry")
	}
	wantReady(t, p, 200, "down", "holding")
	if n := p.metric(t, "cxbridge_spool_events"); n < float64(third) {
		t.Errorf("%v events in the spool, want %d or more", n, third)
	}
	if status := p.call(t, "GET", "/api/messages/any", viewerToken, nil); status != 503 {
		t.Errorf("the API answers %d while it cannot read, want 503", status)
	}

	o.resume(t)
	awaitDrained(t, p)
	for name, want := range map[string]float64{"cxbridge_spool_events": 0, "cxbridge_spool_bytes": 0, "cxbridge_database_up": 1} {
		if n := p.metric(t, name); n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
	if events := deliver(t, p, posts[2*third:]); events.Spooled != 0 {
		t.Errorf("%d events were queued for retry after the outage", events.Spooled)
	}
	checkTraffic(t, o.storage, ledgerOf(posts))
}

// PostgreSQL crashes under load. What it had committed it still has, and everything else is in the spool.
func TestPostgresCrashes(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	var b barrage
	p := serve(t, o.settings)
	for range 2 {
		b.fire(p, 150, func() {
			if err := o.cluster.Kill(); err != nil {
				t.Error(err)
			}
			b.cease()
		})
		b.fire(p, 50, b.cease)
		o.resume(t)
		awaitDrained(t, p)
		b.check(t, o.storage)
	}
	if len(b.unacked) != 0 {
		t.Errorf("%d posts were not acknowledged", len(b.unacked))
	}
	b.checkAll(t, o.storage)
}

// What is in the spool when the process is killed is in the database in the end.
func TestKillWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	var b barrage
	p := serve(t, o.settings)
	o.stop(t)
	for range 2 {
		b.fire(p, 150, func() { p.kill(t) })
		p = serveWithout(t, o.settings)
		if n := p.metric(t, "cxbridge_spool_events"); n < float64(len(b.acked)) {
			t.Errorf("%v events in the spool after the kill, and %d posts were acknowledged", n, len(b.acked))
		}
	}
	wantReady(t, p, 200, "down", "holding")
	o.resume(t)
	awaitDrained(t, p)
	b.check(t, o.storage)
	b.repeat(t, p)
	b.checkAll(t, o.storage)
}

// A process that has never seen its database accepts receipts, and makes the schema when it comes.
func TestServeStartsWithoutPostgres(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.stop(t)
	p := serveWithout(t, o.settings)
	wantReady(t, p, 200, "down", "empty")
	wantSpooled(t, p, `{"messageId":"early","status":"DELIVERED","timestamp":"2026-03-02T10:00:00Z"}`)
	wantSpooled(t, p, `{"messageId":"early","status":"SENT","timestamp":"2026-03-02T09:00:00Z"}`)
	p.post(t, 422, `{"messageId":"early"}`)
	p.post(t, 400, `{"messageId":`)

	// An orderly stop keeps the spool as well.
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p = serveWithout(t, o.settings)
	wantReady(t, p, 200, "down", "holding")

	o.resume(t)
	awaitDrained(t, p)
	if r := o.messages(t)["early"]; r.status != "DELIVERED" || r.receipts != 2 {
		t.Errorf("the message is %+v", r)
	}
	if n := o.deadLetterCount(t); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}

	// What an earlier run has left in the spool is brought in also when the database is there from
	// the start.
	o.stop(t)
	wantSpooled(t, p, `{"messageId":"left","status":"DELIVERED"}`)
	p.kill(t)
	o.resume(t)
	p = serve(t, o.settings)
	awaitDrained(t, p)
	if r := o.messages(t)["left"]; r.status != "DELIVERED" || r.receipts != 1 {
		t.Errorf("the message is %+v", r)
	}
}

// gracePeriod is how long Kubernetes waits by default before it kills a process that it has asked to stop.
const gracePeriod = 30 * time.Second

// A PostgreSQL that hangs delays neither requests nor the end of the process.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	p := serve(t, o.settings)
	wantDirect(t, p, `{"messageId":"hang-0","status":"SENT"}`)
	if err := o.cluster.Pause(); err != nil {
		t.Fatal(err)
	}
	continued := false
	defer func() {
		if !continued {
			o.cluster.Continue()
		}
	}()
	for i := range 3 {
		wantSpooled(t, p, fmt.Sprintf(`{"messageId":"hang-%d","status":"DELIVERED"}`, i))
	}
	wantReady(t, p, 200, "down", "holding")
	asked := time.Now()
	if code := p.terminate(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(asked); took > gracePeriod {
		t.Errorf("it took %v to stop", took)
	}
	p = serveWithout(t, o.settings)
	wantSpooled(t, p, `{"messageId":"hang-3","status":"DELIVERED"}`)

	continued = true
	if err := o.cluster.Continue(); err != nil {
		t.Fatal(err)
	}
	awaitDrained(t, p)
	rows := o.messages(t)
	for i, receipts := range []int{2, 1, 1, 1} {
		if r := rows[fmt.Sprintf("hang-%d", i)]; r.status != "DELIVERED" || r.receipts != receipts {
			t.Errorf("message %d is %+v, want it delivered by %d receipts", i, r, receipts)
		}
	}
}

// A full spool refuses what it cannot keep, and says when to try again.
func TestSpoolIsFull(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	p := serve(t, o.settings.with(settings{"SPOOL_MAX_BYTES": "1MiB"}))
	o.stop(t)
	padded := func(id string, size int) string {
		head, tail := `{"messageId":"`+id+`","status":"SENT","note":"`, `"}`
		return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
	}
	const size = 60_000
	var kept []string
	for i := range 100 {
		id := fmt.Sprintf("full-%d", i)
		a, err := p.send(padded(id, size), byDefault)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status == 503 {
			if a.Header.Get("Retry-After") == "" || !strings.Contains(a.Error, "spool is full") {
				t.Errorf("answer %v %s", a.Header, a.Text)
			}
			break
		}
		if a.Status != 200 || !a.QueuedForRetry {
			t.Fatalf("answer %d %s", a.Status, a.Text)
		}
		kept = append(kept, id)
	}
	if n := (1 << 20) / size; len(kept) < n-1 || len(kept) > n {
		t.Fatalf("%d bodies of %d bytes fit into 1 MiB", len(kept), size)
	}

	// One small enough fits still, and fills the spool to the brim: each event is reckoned at its
	// length and 64 bytes.
	wantReady(t, p, 200, "down", "holding")
	room := int(p.metric(t, "cxbridge_spool_limit_bytes")-p.metric(t, "cxbridge_spool_bytes")) - 64
	wantSpooled(t, p, padded("last", room))
	wantReady(t, p, 503, "down", "full")
	p.post(t, 503, `{"messageId":"none","status":"SENT"}`)

	o.resume(t)
	awaitDrained(t, p)
	wantReady(t, p, 200, "up", "empty")
	rows := o.messages(t)
	for _, id := range append(kept, "last") {
		if rows[id].receipts != 1 {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	if len(rows) != len(kept)+1 {
		t.Errorf("%d messages, want %d", len(rows), len(kept)+1)
	}
	wantDirect(t, p, padded(fmt.Sprintf("full-%d", len(kept)), size))
}
