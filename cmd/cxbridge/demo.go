package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/cxbridge/cxbridge/internal/sim"
)

type demoCommand struct {
	Duration time.Duration `default:"30s" placeholder:"TIME" help:"How long to simulate traffic, such as 30s or 5m."`
	Rate     float64       `default:"200" placeholder:"N" help:"Posts per second."`
	Seed     uint64        `default:"0" placeholder:"N" help:"Repeats the traffic of an earlier demo; 0 draws a new one."`
}

// Validate is called by kong.
func (c demoCommand) Validate() error {
	if c.Duration <= 0 || !(c.Rate > 0 && c.Rate <= 10_000) { // NaN is no rate either
		return errors.New("--duration must be above 0, and --rate above 0 and at most 10000")
	}
	return nil
}

func (c demoCommand) Run(ctx context.Context, p *program) error { return p.demo(ctx, c, p.stdout) }

// demoAddress is where the demo listens, if nothing else does.
const demoAddress = "127.0.0.1:3000"

// demo runs the whole program on an embedded store, with a simulated CXone, CRM and traffic. It
// compares what the API says about every message with what was sent, and the CRM with CXone. On a
// terminal it then goes on with some traffic, to look at, until ctx is done.
func demo(ctx context.Context, c demoCommand, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "cxbridge-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	logFile, err := os.Create(filepath.Join(folder, "cxbridge.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()

	remote, err := startRemotes()
	if err != nil {
		return err
	}
	defer remote.close()
	listener, err := listenDemo()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, demoCardName), demoCard, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	cfg, err := demoConfig(folder, listener.Addr(), remote)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log, closeLog := newLogger(cfg, logFile)
	defer closeLog()
	s, err := newService(ctx, cfg, log, listener)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := newDemonstration(c, s, remote, out)
	d.introduce(logFile.Name())
	return d.run(ctx)
}

// remotes are the simulated systems around the service.
type remotes struct {
	cxone       *sim.CXone
	cxoneURL    string
	cxoneSecret string // OAuth client secret
	crm         *sim.CRM
	crmURL      string
	crmToken    string
	servers     []*http.Server
}

func startRemotes() (_ *remotes, err error) {
	r := &remotes{cxoneSecret: rand.Text(), crmToken: rand.Text()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	r.cxone, r.crm = sim.NewCXone(demoClientID, r.cxoneSecret), sim.NewCRM(r.crmToken)
	if r.cxoneURL, err = r.serve(r.cxone); err != nil {
		return nil, err
	}
	if r.crmURL, err = r.serve(r.crm); err != nil {
		return nil, err
	}
	return r, nil
}

// serve runs a simulation on a free port.
func (r *remotes) serve(handler http.Handler) (address string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	r.servers = append(r.servers, server)
	// It ends with ErrServerClosed when the demo does.
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

func (r *remotes) close() {
	for _, server := range r.servers {
		server.Close()
	}
}

// demoConfig returns what `serve` would make of secrets drawn for the demo, the addresses of its parts,
// and defaults for the rest.
func demoConfig(folder string, address net.Addr, remote *remotes) (Config, error) {
	settings := map[string]string{
		"ADDR":                address.String(),
		"SERVER_URL":          "http://" + address.String(),
		"WEBHOOK_SECRET":      rand.Text(),
		"ADMIN_TOKEN":         rand.Text(),
		"DATABASE_URL":        "sqlite:" + filepath.Join(folder, "cxbridge.db"),
		"CXONE_DOMAIN":        remote.cxoneURL,
		"CXONE_CLIENT_ID":     demoClientID,
		"CXONE_CLIENT_SECRET": remote.cxoneSecret,
		"CRM_API_URL":         remote.crmURL,
		"CRM_API_TOKEN":       remote.crmToken,
		"RATE_CARD":           filepath.Join(folder, demoCardName),
		"SIMULATOR":           "true",

		// Nobody watches a demo for long enough to see an alarm with the default.
		"SLOW_CARRIER_AFTER": "12s",
	}
	return serveConfig(nil, func(name string) (string, bool) {
		text, ok := settings[name]
		return text, ok
	})
}

const demoClientID = "demo"

// demoCard is what the simulated carriers charge for a segment.
//
//go:embed demo_rate_card.yaml
var demoCard []byte

const demoCardName = "rate-card.yaml"

// listenDemo listens at the address of the demo, or at a free port when it is in use.
func listenDemo() (net.Listener, error) {
	listener, err := net.Listen("tcp", demoAddress)
	if err != nil {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return listener, nil
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}
