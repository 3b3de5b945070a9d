package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/alecthomas/kong"
)

type healthcheckCommand struct {
	FileSettings
	ListenSettings `group:"HTTP"`
}

// healthTimeout is how long the service may take to answer. A process that is alive answers /healthz
// at once, whatever its database does.
const healthTimeout = 2 * time.Second

// Run needs only the address, so that it can run next to a service whose secrets it may not read.
func (c *healthcheckCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	r := &resolver{problems: load(k, p.env)}
	addr, speaksTLS := r.addr(c.Addr, c.Port), !c.TLSCertFile.isMissing()
	if err := r.err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return askHealth(ctx, addr, speaksTLS)
}

// askHealth returns an error unless the service that listens on addr answers that it is alive. Dialling
// an address without a host, or an unspecified one, reaches this machine: no name is resolved, which a
// container may not be able to do, and no proxy of the environment is used. The certificate is not
// checked: it names the service as others know it, and the request holds no secret.
func askHealth(ctx context.Context, addr string, speaksTLS bool) error {
	scheme := "http"
	if speaksTLS {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost/healthz", nil)
	if err != nil {
		return err
	}
	direct := &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	response, err := direct.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("/healthz does not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz at %s answers %s", addr, response.Status)
	}
	return nil
}
