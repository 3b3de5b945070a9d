package e2e_test

import (
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// distantCRM is a CRM at an address where, at first, nobody listens.
type distantCRM struct {
	*sim.CRM
	address string
	server  *http.Server // nil while nobody listens
}

// newDistantCRM takes an address that nothing else on the machine is given while nobody listens.
func newDistantCRM(t *testing.T) (*distantCRM, settings) {
	t.Helper()
	d := &distantCRM{CRM: sim.NewCRM(crmToken), address: "127.0.0.2:0"}
	d.open(t)
	d.close(t)
	t.Cleanup(func() { d.close(t) })
	return d, settings{"CRM_API_URL": "http://" + d.address, "CRM_API_TOKEN": crmToken, "CRM_TIMEOUT": "500ms"}
}

func (d *distantCRM) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	d.address = listener.Addr().String()
	d.server = &http.Server{Handler: d.CRM}
	go d.server.Serve(listener)
}

// close refuses connections, and cuts those that there are.
func (d *distantCRM) close(t *testing.T) {
	t.Helper()
	if d.server == nil {
		return
	}
	if err := d.server.Close(); err != nil {
		t.Error(err)
	}
	d.server = nil
}

// shortHistories draws some conversations, and what CXone posts of them.
func shortHistories(seed uint64) (*sim.Conversations, []sim.Post) {
	rng := rand.New(rand.NewPCG(seed, 6))
	conversations := sim.NewConversations(rng, sim.Social{Threads: 40, Messages: 40})
	return conversations, history(rng, conversations, 200)
}

// deliverAll posts a history, and wants all of it to be accepted.
func deliverAll(t *testing.T, p *process, posts []sim.Post) {
	t.Helper()
	if left := deliverPosts(t, p, posts); len(left) > 0 {
		t.Errorf("%d posts were not taken", len(left))
	}
}

// While the CRM cannot be reached all events are accepted, and it gets all of them when it is back.
func TestCRMIsAway(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newDistantCRM(t)
		conversations, posts := shortHistories(1)
		third := len(posts) / 3
		p := serve(t, s.settings.with(withCRM))
		deliverAll(t, p, posts[:third])
		eventually(t, "the CRM is said to fail", func() bool {
			status, parts := p.ready(t)
			if status != http.StatusOK {
				t.Fatalf("/readyz: %d", status)
			}
			return parts["crm"] == "failing"
		})
		crm.open(t)
		deliverAll(t, p, posts[third:2*third])
		p.awaitSynced(t)
		if _, parts := p.ready(t); parts["crm"] == "off" {
			t.Errorf("/readyz: %v", parts)
		}
		crm.close(t)
		deliverAll(t, p, posts[2*third:])
		eventually(t, "a thread is tried again", func() bool { return len(p.threadIDs(t, "state=retrying")) > 0 })
		crm.open(t)
		p.awaitSynced(t)
		wantEqual(t, crm.CRM, conversations.Expected())
	})
}

// A CRM that hangs delays only the threads that are being pushed.
func TestCRMHangs(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		answer := make(chan struct{})
		crm.SetFaults(func(*http.Request) sim.CRMFault { return sim.CRMFault{Until: answer} })
		conversations, posts := shortHistories(2)
		p := serve(t, s.settings.with(withCRM).with(settings{"CRM_TIMEOUT": "2m"}))
		deliverAll(t, p, posts)
		if answers := crm.Counts().Answers; len(answers) != 0 {
			t.Errorf("the CRM has answered: %v", answers)
		}
		eventually(t, "every place is taken", func() bool { return p.metric(t, "cxbridge_pushes_in_flight") == 16 })
		close(answer)
		p.awaitSynced(t)
		wantEqual(t, crm, conversations.Expected())
	})
}

// A CRM that wants to be left alone is left alone, for as long as it says, in seconds or by a date.
func TestCRMThrottles(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		crm, withCRM := newCRM(t)
		conversations, posts := shortHistories(3)
		// With one worker no other request is on its way when the CRM says so.
		p := serve(t, s.settings.with(withCRM).with(settings{"CRM_WORKERS": "1", "CRM_TIMEOUT": "30s"}))
		crm.Fail(sim.CRMFault{Status: http.StatusTooManyRequests, RetryAfter: "1"})
		date := time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat)
		crm.Fail(sim.CRMFault{Status: http.StatusServiceUnavailable, RetryAfter: date})
		deliverAll(t, p, posts)
		p.awaitSynced(t)
		wantEqual(t, crm, conversations.Expected())
		counts := crm.Counts()
		if counts.Answers[http.StatusTooManyRequests] != 1 || counts.Answers[http.StatusServiceUnavailable] != 1 {
			t.Errorf("the CRM has answered %v", counts.Answers)
		}
		if counts.Early != 0 {
			t.Errorf("%d requests came while it wanted to be left alone", counts.Early)
		}
	})
}

// With more workers than the CRM allows requests, all of it gets there.
func TestCRMLimitsTheRate(t *testing.T) {
	t.Parallel()
	crm, withCRM := newCRM(t)
	crm.SetRateLimit(20, 20)
	conversations := sim.NewConversations(rand.New(rand.NewPCG(7, 7)), sim.Social{Threads: 25, Messages: 20})
	posts := history(rand.New(rand.NewPCG(7, 8)), conversations, 60)
	p := serve(t, onSQLite(t).settings.with(withCRM))
	deliverAll(t, p, posts)
	p.awaitSynced(t)
	wantEqual(t, crm, conversations.Expected())
	if n := crm.Counts().Answers[http.StatusTooManyRequests]; n == 0 {
		t.Error("nothing was over the limit")
	}
}
