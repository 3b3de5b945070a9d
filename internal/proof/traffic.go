package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

// Traffic posts receipts and events of threads to a service, at a rate, whether or not the service answers.
// It goes on through crashes, and repeats what was not acknowledged, as CXone does.
type Traffic struct {
	Promises      *Promises
	Conversations *sim.Conversations

	receipts, threads *feed
}

// Load says how much Traffic there is.
type Load struct {
	Receipts float64 // posts of receipts in a second
	Threads  float64 // posts of events of threads in a second
	Social   sim.Social
}

// NewTraffic returns traffic to a service that is drawn from a seed.
func NewTraffic(seed uint64, url string, load Load) *Traffic {
	sms := sim.NewTraffic(rand.New(rand.NewPCG(seed, 10)))
	t := &Traffic{
		Promises:      NewPromises(),
		Conversations: sim.NewConversations(rand.New(rand.NewPCG(seed, 11)), load.Social),
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: feedWorkers}}
	t.receipts = &feed{url: url + ReceiptsPath, client: client, rate: load.Receipts, promises: t.Promises, next: sms.Next, rest: sms.Rest}
	t.threads = &feed{
		url: url + ThreadsPath, client: client, rate: load.Threads, promises: t.Promises,
		next: t.Conversations.Next, rest: t.Conversations.Rest,
	}
	return t
}

// Run posts until ctx is done, and waits for the answers that are then on their way.
func (t *Traffic) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { t.receipts.run(ctx) })
	both.Go(func() { t.threads.run(ctx) })
	both.Wait()
}

// Burst posts receipts as fast as they are answered, until enough reports true. It may be called while Run
// runs.
func (t *Traffic) Burst(ctx context.Context, enough func() bool) {
	t.receipts.sender().Run(ctx, func() (sim.Post, bool) {
		if enough() {
			return sim.Post{}, false
		}
		return t.receipts.fresh(), true
	})
}

// Finish posts the rest of the stories, and everything that was not acknowledged, until the service has taken
// it. Run may be called again afterwards.
func (t *Traffic) Finish(ctx context.Context) error {
	for _, f := range []*feed{t.receipts, t.threads} {
		if err := f.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Open returns how many posts were made up and have no final answer. It is 0 after Finish. If it is not, an
// event was never posted, and it is no fault of the service that something is missing.
func (t *Traffic) Open() (n int) {
	for _, f := range []*feed{t.receipts, t.threads} {
		f.mu.Lock()
		n += f.open
		f.mu.Unlock()
	}
	return n
}

// Close closes the idle connections.
func (t *Traffic) Close() { t.receipts.client.CloseIdleConnections() }

// feedWorkers is how many posts of a feed are under way at once, at the most.
const feedWorkers = 32

// feed posts to one webhook.
type feed struct {
	url      string
	client   *http.Client
	rate     float64
	promises *Promises

	mu     sync.Mutex
	next   func(time.Time) sim.Post // called with the lock held
	rest   func() (sim.Post, bool)  // called with the lock held
	again  []sim.Post               // that were not acknowledged
	taking bool                     // the last answer was final
	open   int                      // posts that were made up and have no final answer
}

func (f *feed) run(ctx context.Context) {
	if f.rate == 0 {
		return
	}
	sender := f.sender()
	sender.Rate = f.rate
	sender.Run(ctx, func() (sim.Post, bool) {
		if post, ok := f.repeat(true); ok {
			return post, true
		}
		return f.fresh(), true
	})
}

// fresh makes up the next post.
func (f *feed) fresh() sim.Post {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
	return f.next(time.Now())
}

// left makes up a post of the rest of the stories, if there is any.
func (f *feed) left() (sim.Post, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	post, ok := f.rest()
	if ok {
		f.open++
	}
	return post, ok
}

// finish gives up when nothing is acknowledged for as long as Patience.
func (f *feed) finish(ctx context.Context) error {
	for began := time.Now(); ; {
		before := f.promises.Events()
		f.sender().Run(ctx, func() (sim.Post, bool) {
			if post, ok := f.left(); ok {
				return post, true
			}
			return f.repeat(false)
		})
		f.mu.Lock()
		failed := len(f.again)
		f.mu.Unlock()
		switch {
		case failed == 0:
			return ctx.Err()
		case ctx.Err() != nil:
			return ctx.Err()
		case f.promises.Events() > before:
			began = time.Now()
		case time.Since(began) > Patience:
			return fmt.Errorf("%d posts to %s are not taken", failed, f.url)
		}
		time.Sleep(pollEvery)
	}
}

func (f *feed) sender() *sim.Sender {
	return &sim.Sender{
		URL: f.url, Sign: sim.BySecret(WebhookSecret), Client: f.client, Workers: feedWorkers,
		Answered: func(post sim.Post, a sim.Answer) {
			settled := f.promises.Note(post, a)
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.taking = settled; settled {
				f.open--
			} else {
				f.again = append(f.again, post)
			}
		},
	}
}

// repeat returns a post that was not acknowledged, if there is one. With onlyTaking it returns none while the
// service acknowledges nothing.
func (f *feed) repeat(onlyTaking bool) (sim.Post, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.again) == 0 || onlyTaking && !f.taking {
		return sim.Post{}, false
	}
	post := f.again[0]
	f.again = f.again[1:]
	return post, true
}
