package sim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 23, 59, 30, 0, time.UTC) // the stream crosses a month

// stream returns n posts, 20 ms apart, and then the rest of what they began.
func stream(seed uint64, n int) []sim.Post {
	traffic := sim.NewTraffic(rand.New(rand.NewPCG(seed, 0)))
	var posts []sim.Post
	for i := range n {
		posts = append(posts, traffic.Next(start.Add(time.Duration(i)*20*time.Millisecond)))
	}
	for p, more := traffic.Rest(); more; p, more = traffic.Rest() {
		posts = append(posts, p)
	}
	return posts
}
