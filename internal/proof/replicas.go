package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/cxbridge/cxbridge/internal/faultproxy"
)

// Link is a part of the network around one replica.
type Link string

// The links of a replica.
const (
	Intake   Link = "intake"     // from the senders of events
	Database Link = "PostgreSQL" // to PostgreSQL
	ToCRM    Link = "CRM"        // to the CRM
)

// Links are all links of a replica.
var Links = []Link{Intake, Database, ToCRM}

// Replica is one of several cxbridges on one PostgreSQL. Each of its links has its own fault proxy, so that
// it can be cut off alone.
type Replica struct {
	*Service // Address is that of the process itself
	Name     string

	proxies map[Link]*faultproxy.Proxy
}

// Proxy returns the proxy on a link.
func (r *Replica) Proxy(l Link) *faultproxy.Proxy { return r.proxies[l] }

// Heal ends all faults of the network at the replica.
func (r *Replica) Heal() {
	for _, p := range r.proxies {
		p.Set(faultproxy.Fault{})
	}
}

// NewReplicas returns replicas that are not started, each with its own folder under dir. PostgreSQL knows
// each by its name (application_name), and so does the recorded CRM.
func NewReplicas(n int, program, dir string, store *Store, crm *Recorder, rng *rand.Rand) (all []*Replica, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, CloseReplicas(all))
		}
	}()
	for i := range n {
		r := &Replica{Name: fmt.Sprintf("replica-%d", i+1), proxies: make(map[Link]*faultproxy.Proxy)}
		all = append(all, r)
		own := filepath.Join(dir, r.Name)
		if err := os.Mkdir(own, 0o755); err != nil {
			return all, err
		}
		settings, err := r.connect(store, crm, rng)
		if err != nil {
			return all, err
		}
		settings["SPOOL_DIR"] = filepath.Join(own, "spool")
		if settings["ADDR"], err = lastingAddress(i); err != nil {
			return all, err
		}
		if r.Service, err = NewService(program, own, store, settings); err != nil {
			return all, err
		}
		r.Address = settings["ADDR"]
		if err := r.proxy(Intake, r.Address, rng); err != nil {
			return all, err
		}
	}
	return all, nil
}

// proxy puts a proxy on a link.
func (r *Replica) proxy(l Link, target string, rng *rand.Rand) error {
	p, err := faultproxy.Start(target, child(rng))
	if err == nil {
		r.proxies[l] = p // none if it failed: they are closed in any case
	}
	return err
}

// connect puts proxies in front of PostgreSQL and the CRM, and returns the settings that lead through them.
func (r *Replica) connect(store *Store, crm *Recorder, rng *rand.Rand) (Settings, error) {
	database, err := url.Parse(store.Cluster.URL)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.proxy(Database, database.Host, rng), r.proxy(ToCRM, crm.Address(), rng)); err != nil {
		return nil, err
	}
	database.Host = r.proxies[Database].Addr()
	query := database.Query()
	query.Set("application_name", r.Name)
	database.RawQuery = query.Encode()
	return crm.Settings.With(Settings{
		"DATABASE_URL": database.String(), "CRM_API_URL": "http://" + r.proxies[ToCRM].Addr() + "/" + r.Name,
	}), nil
}

// lastingAddress returns an address that stays free while nobody listens there. It is not on 127.0.0.1:
// the connections of this machine come from there, and each takes a free port.
func lastingAddress(i int) (string, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", i+2))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// child returns a source of randomness that is drawn from another one.
func child(rng *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())) }

// StartReplicas starts all replicas, and waits until they are ready.
func StartReplicas(ctx context.Context, all []*Replica) error {
	starts, ctx := errgroup.WithContext(ctx)
	for _, r := range all {
		starts.Go(func() error { return r.Start(ctx) })
	}
	return starts.Wait()
}

// CloseReplicas shuts each replica down gracefully, and then its proxies.
func CloseReplicas(all []*Replica) (err error) {
	for _, r := range all {
		r.Heal()
		if r.Service != nil {
			err = errors.Join(err, r.Service.Close())
		}
		for _, p := range r.proxies {
			err = errors.Join(err, p.Close())
		}
	}
	return err
}
