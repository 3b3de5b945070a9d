package e2e_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// unanswered collects the posts that got no 2xx or 4xx.
type unanswered struct {
	mu    sync.Mutex
	posts []sim.Post
}

func (u *unanswered) note(post sim.Post, a sim.Answer) {
	if a.Status == 0 || a.Status >= 500 {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.posts = append(u.posts, post)
	}
}

// histories is how many conversations the test wants at least, each with a history of its own.
const histories = 200

// Conversations that are updated, merged and split, with events in any order and more than once, end equal
// in the CRM, although it fails a fifth of the time, another user works in it, and the service is killed.
func TestHistoriesEndEqual(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		crm, withCRM := newCRM(t)
		withCRM["CRM_TIMEOUT"] = "500ms" // some requests stall
		crm.SetFaults(sim.CRMTrouble{
			Throttled: 0.002, Failed: 0.118, Cut: 0.06, Stalled: 0.02, RetryAfter: time.Second,
		}.Faults(rand.New(rand.NewPCG(seed, 2))))
		crm.SetETags(true)
		conversations := sim.NewConversations(rand.New(rand.NewPCG(seed, 3)), sim.Social{Threads: histories + 20})
		var posts []sim.Post
		for len(conversations.Expected()) < histories {
			posts = append(posts, history(rng, conversations, 100)...)
		}
		rng.Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })

		p := serve(t, s.settings.with(withCRM))
		meddling, stopMeddling := context.WithCancel(t.Context())
		var other sync.WaitGroup
		other.Go(func() { meddle(meddling, crm, rand.New(rand.NewPCG(seed, 4))) })

		half := len(posts) / 2
		pushed := crm.Counts().Requests["PATCH"]
		again := deliverPosts(t, p, posts[:half])
		eventually(t, "the CRM is being written to", func() bool { return crm.Counts().Requests["PATCH"] > pushed })
		p.kill(t)
		p = serve(t, s.settings.with(withCRM))
		rest, deadline := append(again, posts[half:]...), time.Now().Add(5*patience)
		for len(rest) > 0 {
			if rest = deliverPosts(t, p, rest); time.Now().After(deadline) {
				t.Fatalf("%d posts are not taken", len(rest))
			}
		}
		stopMeddling()
		other.Wait()

		p.awaitSynced(t)
		wantEqual(t, crm, conversations.Expected())
		if n := len(crm.Foreign()); n == 0 {
			t.Error("nobody else worked in the CRM")
		}
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		wantAuditVerified(t, s.settings)
	})
}

// meddle is another user of the CRM.
func meddle(ctx context.Context, crm *sim.CRM, rng *rand.Rand) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			crm.Meddle(rng)
		case <-ctx.Done():
			return
		}
	}
}
