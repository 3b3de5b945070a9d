package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// Proxy forwards every connection to its address to a target. All methods are safe for concurrent use.
type Proxy struct {
	target   string // host:port
	listener *net.TCPListener
	weather  *weather
	rng      *rand.Rand // used by accept alone
	stop     context.CancelFunc
	running  sync.WaitGroup // accept and the links

	toTarget, toClient atomic.Int64 // bytes passed on

	mu     sync.Mutex
	links  map[*link]struct{}
	taken  int64 // connections of clients, those that were refused too
	reset  int64 // of them that ended by RST: by a fault, by Reset, because a side did, or because the target could not be reached
	failed error // of accept
}

// Start listens on a free port of 127.0.0.1, and forwards to the target, a host:port.
//
// The random draws of each connection depend on rng and on how many connections came before. Start takes a seed
// from rng and does not keep it.
func Start(target string, rng *rand.Rand) (*Proxy, error) {
	ctx, stop := context.WithCancel(context.Background())
	var config net.ListenConfig
	config.SetMultipathTCP(false) // whose resets are not those of TCP
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		stop()
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{
		target: target, listener: listener.(*net.TCPListener), weather: newWeather(), stop: stop,
		rng:   rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())),
		links: make(map[*link]struct{}),
	}
	p.running.Go(func() { p.accept(ctx) })
	return p, nil
}

// Addr is the host:port to connect to. It is the same as long as the proxy lives.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set puts a fault in force, for existing connections, what is under way on them, and new ones. It replaces the
// previous one, so Set(Fault{}) heals.
func (p *Proxy) Set(f Fault) { p.weather.set(f) }

// Reset ends every connection by RST, on both sides, and loses what is under way. They are gone when it
// returns.
func (p *Proxy) Reset() {
	open := p.open()
	for _, l := range open {
		l.reset()
	}
	for _, l := range open {
		<-l.gone
	}
}

// HalfClose passes a FIN to the target of every connection, after what was taken from the client, and keeps the
// way back open. What the client sends later is thrown away without notice; the connection lasts until the
// client closes its side too. A connection that has not reached its target is left alone.
func (p *Proxy) HalfClose() {
	for _, l := range p.open() {
		if l.isConnected() {
			l.up.fin()
		}
	}
}

// HalfCloseClients is HalfClose in the other direction: clients see the end of what their targets send, and what
// they send themselves is passed on.
func (p *Proxy) HalfCloseClients() {
	for _, l := range p.open() {
		if l.isConnected() {
			l.down.fin()
		}
	}
}

// Close ends all connections by RST, and the proxy with them. Nothing of it is left when it returns. The error
// says why the proxy had already stopped taking connections.
func (p *Proxy) Close() error {
	p.stop()
	// It fails if accept has closed it, and then p.failed says why.
	_ = p.listener.Close()
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.links))
}

// accept takes connections until the listener is closed, or fails. Then it is closed, so that clients
// are turned away instead of left waiting.
func (p *Proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.AcceptTCP()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				p.mu.Lock()
				p.failed = errors.Join(fmt.Errorf("fault proxy: %w", err), p.listener.Close())
				p.mu.Unlock()
			}
			return
		}
		p.take(ctx, client)
	}
}

func (p *Proxy) take(ctx context.Context, client *net.TCPConn) {
	ctx, reset := context.WithCancel(ctx)
	l := &link{
		client: client, reset: reset, connected: make(chan struct{}), gone: make(chan struct{}),
		up: p.pipe(&p.toTarget), down: p.pipe(&p.toClient),
	}
	l.up.src, l.up.cuts, l.down.dst = client, true, client

	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken++
	if p.weather.current.Load().Refuse {
		p.reset++
		reset()
		abort(client)
		return
	}
	p.links[l] = struct{}{}
	p.running.Go(func() { p.carry(ctx, l) })
}

func (p *Proxy) pipe(total *atomic.Int64) *pipe {
	return &pipe{
		weather: p.weather, total: total, chunks: make(chan chunk, underWay),
		rng: rand.New(rand.NewPCG(p.rng.Uint64(), p.rng.Uint64())),
	}
}

func (p *Proxy) carry(ctx context.Context, l *link) {
	isReset := l.run(ctx, p.weather, p.target)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	if isReset {
		p.reset++
	}
	close(l.gone)
}
