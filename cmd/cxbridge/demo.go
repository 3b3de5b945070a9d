package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
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
	if c.Duration <= 0 || c.Rate <= 0 || c.Rate > 10_000 {
		return errors.New("--duration must be above 0, and --rate above 0 and at most 10000")
	}
	return nil
}

func (c demoCommand) Run(ctx context.Context, p *program) error { return p.demo(ctx, c, p.stdout) }

// demoAddress is where the demo listens, if nothing else does.
const demoAddress = "127.0.0.1:3000"

// demo runs the whole program on an embedded store, with a simulated CXone, CRM and traffic. It
// compares what the API says of every message with what was sent, and the CRM with CXone. On a
// terminal it then goes on serving, to be looked at, until ctx is done.
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

	secrets := demoSecrets{cxone: rand.Text(), crm: rand.Text()}
	platform := sim.NewCXone(demoClientID, secrets.cxone)
	cxoneServer, err := listenSim(platform)
	if err != nil {
		return err
	}
	defer cxoneServer.Close()
	crm := sim.NewCRM(secrets.crm)
	crmServer, err := listenSim(crm)
	if err != nil {
		return err
	}
	defer crmServer.Close()

	listener, err := listenDemo()
	if err != nil {
		return err
	}
	cfg, err := demoConfig(folder, listener.Addr(), cxoneServer.Addr, crmServer.Addr, secrets)
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
	return runDemo(ctx, c, s, platform, crm, out, logFile.Name())
}

// runDemo serves until the demonstration is over.
func runDemo(ctx context.Context, c demoCommand, s *service, platform *sim.CXone, crm *sim.CRM, out io.Writer, logPath string) error {
	serving, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var served error
	running.Go(func() { served = s.run(serving) })

	if c.Seed == 0 {
		c.Seed = mathrand.Uint64()
	}
	d := &demonstration{
		service: s, out: out, terminal: isTerminal(out), command: c, ledger: sim.NewLedger(),
		traffic: sim.NewTraffic(mathrand.New(mathrand.NewPCG(c.Seed, c.Seed))),
	}
	d.threads = newThreadsDemo(d, crm, c.Seed)
	platform.ServeThreads(d.threads.conversations.Thread)
	d.introduce(logPath)
	err := d.play(ctx)
	if err == nil && d.terminal && ctx.Err() == nil {
		fmt.Fprintln(out, "The service goes on, for you to look around. Ctrl-C ends it.")
		<-ctx.Done()
	}
	stop()
	running.Wait()
	return errors.Join(err, served)
}

// demoConfig is what `serve` would make of secrets that were drawn for the demo, of where its parts
// are, and of defaults for the rest.
func demoConfig(folder string, address net.Addr, cxoneAddress, crmAddress string, secrets demoSecrets) (Config, error) {
	settings := map[string]string{
		"ADDR":                address.String(),
		"SERVER_URL":          "http://" + address.String(),
		"WEBHOOK_SECRET":      rand.Text(),
		"ADMIN_TOKEN":         rand.Text(),
		"DATABASE_URL":        "sqlite:" + filepath.Join(folder, "cxbridge.db"),
		"CXONE_DOMAIN":        "http://" + cxoneAddress,
		"CXONE_CLIENT_ID":     demoClientID,
		"CXONE_CLIENT_SECRET": secrets.cxone,
		"CRM_API_URL":         "http://" + crmAddress,
		"CRM_API_TOKEN":       secrets.crm,
	}
	return serveConfig(nil, func(name string) (string, bool) {
		text, ok := settings[name]
		return text, ok
	})
}

const demoClientID = "demo"

// demoSecrets are what we prove ourselves with to the simulations.
type demoSecrets struct {
	cxone string // OAuth client secret
	crm   string // bearer token
}

// listenSim runs a simulation on a free port. The server's Addr is where it listens.
func listenSim(handler http.Handler) (*http.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Addr: listener.Addr().String(), Handler: handler, ReadHeaderTimeout: headerTimeout}
	// It ends with ErrServerClosed when the demo does.
	go func() { _ = server.Serve(listener) }()
	return server, nil
}

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
