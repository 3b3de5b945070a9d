package access

import (
	"container/list"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many wrong secrets an address may present at once before it is limited. A person who signs in corrects
// the mistake after a few. A tool with a wrong token, such as a script that goes through all endpoints, makes
// more requests before anybody looks, and each answer is to tell what is wrong.
const (
	LoginBurst   = 10
	RequestBurst = 40
)

// failureEvery is the time from one more wrong secret to the next, after the burst.
const failureEvery = 2 * time.Second

// maxClients is how many addresses are remembered. The one whose last failure is longest ago is
// forgotten first; a table takes at most a few MB.
const maxClients = 10_000

// Failures limits how often each client address is told that its secret is wrong. Each door (the webhooks,
// the API, the sign-in) has one of its own, so that mistakes at one do not count at another. It is asked only
// after a secret was found to be wrong: CXone and an attacker may share one address, that of a proxy,
// and a caller with a right secret is never kept out. So it does not make guessing harder, which the
// length of the secrets makes hopeless anyway. It keeps a flood of guesses cheap, out of the log, and
// visible.
//
// A nil *Failures limits nothing. It is safe for concurrent use.
type Failures struct {
	mu      sync.Mutex
	clients map[netip.Prefix]*list.Element // of *failing
	recent  list.List                      // the latest failure in front
	most    int
	burst   int
}

type failing struct {
	client netip.Prefix
	bucket *rate.Limiter
}

// NewFailures returns a table without failures, which lets each client have burst of them at once.
func NewFailures(burst int) *Failures {
	return &Failures{clients: make(map[netip.Prefix]*list.Element), most: maxClients, burst: burst}
}

// Failed notes a failure. When there were too many, it returns how long to wait before the next; otherwise 0.
func (f *Failures) Failed(r *http.Request, now time.Time) (wait time.Duration) {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	bucket := f.bucketOf(network(AddressOf(r)))
	if bucket.AllowN(now, 1) {
		return 0
	}
	missing := 1 - bucket.TokensAt(now)
	return time.Duration(missing * float64(failureEvery))
}

// bucketOf returns the bucket of a client. The caller holds the lock.
func (f *Failures) bucketOf(client netip.Prefix) *rate.Limiter {
	if known, ok := f.clients[client]; ok {
		f.recent.MoveToFront(known)
		return known.Value.(*failing).bucket
	}
	if f.recent.Len() >= f.most {
		oldest := f.recent.Back()
		delete(f.clients, f.recent.Remove(oldest).(*failing).client)
	}
	bucket := rate.NewLimiter(rate.Every(failureEvery), f.burst)
	f.clients[client] = f.recent.PushFront(&failing{client, bucket})
	return bucket
}

// network returns the network that counts as one client: in IPv4 the address itself, in IPv6 its /64, all
// addresses of which one machine may have.
func network(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // there is no address
	}
	return prefix
}

// Seconds returns a time to wait as a Retry-After header has it: whole seconds, rounded up, at least 1.
func Seconds(wait time.Duration) int64 {
	return max(1, int64((wait+time.Second-1)/time.Second))
}
