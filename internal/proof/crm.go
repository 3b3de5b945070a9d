package proof

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cxbridge/cxbridge/internal/sim"
)

const crmToken = "e7c1a2b3-crm-5d4f6a7b"

// Trouble is how the CRM of most proofs behaves: a sixth of the requests fail, half of those after they were
// carried out.
var Trouble = sim.CRMTrouble{Throttled: 0.002, Failed: 0.1, Cut: 0.05, Stalled: 0.01, RetryAfter: time.Second}

// CRM is a simulated CRM that is served over HTTP, has trouble, and may have another writer.
type CRM struct {
	*sim.CRM
	Settings Settings // that point cxbridge to it

	server *http.Server
	other  sync.WaitGroup
	cancel context.CancelFunc
}

// StartCRM serves a CRM without conversations.
func StartCRM(seed uint64, trouble sim.CRMTrouble) (*CRM, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &CRM{CRM: sim.NewCRM(crmToken), Settings: Settings{
		"CRM_API_URL": "http://" + listener.Addr().String(), "CRM_API_TOKEN": crmToken, "CRM_TIMEOUT": "2s",
	}}
	c.SetETags(true)
	c.SetFaults(trouble.Faults(rand.New(rand.NewPCG(seed, 20))))
	c.server = &http.Server{Handler: c.CRM, ReadHeaderTimeout: time.Minute}
	go func() { _ = c.server.Serve(listener) }() // ends with ErrServerClosed
	return c, nil
}

// Meddle lets another writer work in the CRM, until Rest.
func (c *CRM) Meddle(rng *rand.Rand, every time.Duration) {
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.other.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.CRM.Meddle(rng)
			case <-ctx.Done():
				return
			}
		}
	})
}

// Rest ends Meddle.
func (c *CRM) Rest() {
	if c.cancel != nil {
		c.cancel()
		c.other.Wait()
		c.cancel = nil
	}
}

// Close ends the server.
func (c *CRM) Close() error {
	c.Rest()
	return c.server.Close()
}
