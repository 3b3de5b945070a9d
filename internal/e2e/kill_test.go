package e2e_test

import (
	"math/rand/v2"
	"testing"
)

// A receipt that was acknowledged before a kill -9 is there after it, once. One that was not can be sent
// again.
func TestKillLosesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *storage) {
		var b barrage
		p := serve(t, s.settings)
		for range 4 {
			// The moment is drawn in posts, not in time, so that there is load on every machine.
			posts := 50 + rand.IntN(200)
			b.fire(p, posts, func() { p.kill(t) })
			p = serve(t, s.settings)
			b.check(t, s)
			if t.Failed() {
				t.Fatalf("killed after %d posts", posts)
			}
		}
		if len(b.unacked) == 0 {
			t.Error("no kill came while a post was under way")
		}
		b.repeat(t, p)
		b.checkAll(t, s)
		if code := p.terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		b.checkAll(t, s)
	})
}
