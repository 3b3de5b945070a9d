package e2e_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cxbridge/cxbridge/internal/pgtest"
	"github.com/cxbridge/cxbridge/internal/sim"
)

// Two replicas start at once on an empty database and both get all of the same traffic, each in an
// order of its own. What they make of it together is exact.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	first, second := serveTwo(t, s)
	posts := stream(4, 1500)
	events := deliverToBoth(t, first, second, posts)
	ledger := ledgerOf(posts)
	checkTraffic(t, s, ledger)
	if n, want := events[0].Accepted+events[1].Accepted, ledger.Totals().Receipts; n != want {
		t.Errorf("%d receipts were new to one of the two, want %d", n, want)
	}
	for _, p := range []*process{first, second} {
		if n := p.metric(t, "cxbridge_commit_failures_total"); n != 0 {
			t.Errorf("%v commits failed", n)
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	// The counts of a connection are complete once it is closed.
	if n := s.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// The same while PostgreSQL crashes: each replica brings in what it has in its spool, and the other
// has most of it too.
func TestTwoReplicasThroughACrash(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	first, second := serveTwo(t, o.storage)
	posts := stream(5, 800)
	deliverToBoth(t, first, second, posts[:200])
	var crash sync.WaitGroup
	crash.Go(func() {
		if err := o.cluster.Kill(); err != nil {
			t.Error(err)
		}
	})
	deliverToBoth(t, first, second, posts[200:500])
	crash.Wait()
	events := deliverToBoth(t, first, second, posts[500:])
	if events[0].Spooled == 0 || events[1].Spooled == 0 {
		t.Errorf("%d and %d events went to the spools", events[0].Spooled, events[1].Spooled)
	}
	o.resume(t)
	awaitDrained(t, first)
	awaitDrained(t, second)
	checkTraffic(t, o.storage, ledgerOf(posts))
}

// The spool has one owner: a replica that is given the folder of another does not start.
func TestTwoReplicasWithOneSpool(t *testing.T) {
	t.Parallel()
	s := onPostgres(t, pgtest.Database(t))
	first := serve(t, s.settings)
	second := start(t, s.settings)
	second.await(t)
	if code, log := second.code(), second.log.String(); code != 1 || !strings.Contains(log, "SPOOL_DIR "+s.settings["SPOOL_DIR"]+" is in use by another cxbridge") {
		t.Errorf("exit code %d\n%s", code, log)
	}
	wantDirect(t, first, `{"messageId":"alone","status":"SENT"}`)
}

// deliverToBoth sends all posts to both replicas at the same time, in two orders.
func deliverToBoth(t *testing.T, first, second *process, posts []sim.Post) (events [2]sim.Events) {
	t.Helper()
	var sending sync.WaitGroup
	for i, p := range []*process{first, second} {
		sending.Go(func() { events[i] = deliver(t, p, shuffled(posts, uint64(i))) })
	}
	sending.Wait()
	return events
}

// serveTwo starts two replicas at the same time, each with a folder of its own for the spool.
func serveTwo(t *testing.T, s *storage) (first, second *process) {
	t.Helper()
	first = start(t, s.settings)
	second = start(t, s.settings.with(settings{"SPOOL_DIR": t.TempDir()}))
	for _, p := range []*process{first, second} {
		p.awaitReady(t)
		p.awaitDatabase(t)
	}
	return first, second
}

func shuffled(posts []sim.Post, seed uint64) []sim.Post {
	posts = slices.Clone(posts)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
	return posts
}
