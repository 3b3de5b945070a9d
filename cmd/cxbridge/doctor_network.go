package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/cxone"
)

// checkAddr tries to listen.
func (d *doctor) checkAddr(ctx context.Context) finding {
	if d.cfg.Addr == "" {
		return skipped("ADDR or PORT is wrong or unreadable")
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", d.cfg.Addr)
	var op *net.OpError
	switch {
	case err == nil:
		l.Close()
		return fine("%s is free", d.cfg.Addr)
	case errors.Is(err, syscall.EADDRINUSE):
		return finding{gradeWarn, d.cfg.Addr + " is in use; the doctor cannot see by which program",
			[]string{"if cxbridge is running, all is well; if not, stop the other program, or choose another port by ADDR or PORT"}}
	case errors.Is(err, syscall.EACCES):
		return finding{gradeFail, "this user may not listen on " + d.cfg.Addr, []string{"choose a port from 1024 up by ADDR or PORT, or grant CAP_NET_BIND_SERVICE"}}
	case errors.As(err, &op):
		err = op.Err
	}
	return finding{gradeFail, fmt.Sprintf("cannot listen on %s: %v", d.cfg.Addr, err), []string{"give an address of this machine as ADDR"}}
}

// checkToken asks CXone for a token.
func (d *doctor) checkToken(ctx context.Context) finding {
	switch {
	case d.cfg.CXone == nil:
		return skipped("no CXONE_ settings: CXone is not called")
	case d.settings != nil:
		return skipped("not checked while any setting is wrong")
	}
	if err := d.checkCXone(ctx, d.cfg); err != nil {
		advice := []string{"compare CXONE_DOMAIN, CXONE_CLIENT_ID, CXONE_CLIENT_SECRET and CXONE_SCOPES with the OAuth client in CXone"}
		if cxone.StatusOf(err) == 0 {
			advice = slices.Insert(advice, 0, "see that it can be reached from here; until then webhooks cannot be subscribed, nor threads reconciled")
		}
		return finding{gradeFail, err.Error(), advice}
	}
	return fine("%s grants a token and the scopes", d.cfg.CXone.BaseURL)
}

// checkSink asks the CRM for a thread.
func (d *doctor) checkSink(ctx context.Context) finding {
	switch {
	case d.cfg.CRM == nil:
		return skipped("no CRM_API_URL: threads are kept and wait")
	case d.settings != nil:
		return skipped("not checked while any setting is wrong")
	}
	if err := d.checkCRM(ctx, d.cfg); err != nil {
		advice := []string{"compare CRM_API_URL and CRM_API_TOKEN with what the CRM expects; docs/crm.md says what it must offer"}
		if crm.AsError(err).Status == 0 {
			advice = slices.Insert(advice, 0, "see that the CRM runs and can be reached from here; until then events are accepted, and threads wait")
		}
		return finding{gradeFail, plainly(err), advice}
	}
	return fine("%s answers, and does not refuse the token", d.cfg.CRM.BaseURL)
}

// checkTraces sends the collector an empty batch.
func (d *doctor) checkTraces(ctx context.Context) finding {
	switch {
	case d.cfg.OTLPEndpoint == "" && d.settings != nil:
		return skipped("OTEL_EXPORTER_OTLP_ENDPOINT is not set or wrong")
	case d.cfg.OTLPEndpoint == "":
		return skipped("no OTEL_EXPORTER_OTLP_ENDPOINT: there are no traces")
	}
	if err := d.checkCollector(ctx, d.cfg); err != nil {
		return finding{gradeFail, fmt.Sprintf("the collector at %s does not take traces: %s", d.cfg.OTLPEndpoint, plainly(err)),
			[]string{"set OTEL_EXPORTER_OTLP_ENDPOINT to the base URL at which it takes OTLP over HTTP, usually at port 4318; until then only traces are lost"}}
	}
	return fine("%s takes them", d.cfg.OTLPEndpoint)
}

// checkServerURL asks the service for its health at the address that CXone posts to.
func (d *doctor) checkServerURL(ctx context.Context) finding {
	switch {
	case d.cfg.ServerURL == "" && d.settings != nil:
		return skipped("SERVER_URL is not set or wrong")
	case d.cfg.ServerURL == "" && d.cfg.CXone != nil:
		return finding{gradeWarn, "SERVER_URL is not set, so the webhooks are not subscribed in CXone",
			[]string{"set it to the address at which CXone reaches this service, or subscribe by hand"}}
	case d.cfg.ServerURL == "":
		return skipped("SERVER_URL is not set")
	}
	u, err := url.Parse(d.cfg.ServerURL)
	if err != nil {
		return skipped("SERVER_URL is wrong")
	}
	var advice []string
	if u.Scheme != "https" {
		advice = append(advice, "use https: the webhook secret travels to this address")
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate()) {
		advice = append(advice, "use an address on the internet: CXone cannot reach "+u.Hostname())
	}
	text := d.cfg.ServerURL + " answers"
	if err := d.getHealth(ctx); err != nil {
		text = fmt.Sprintf("%s cannot be reached from here: %s", d.cfg.ServerURL, plainly(err))
		advice = append(advice, "if serve runs, check DNS, firewall and proxy; if it does not, run the doctor again when it does")
	}
	if advice != nil {
		return finding{gradeWarn, text, advice}
	}
	return fine("%s", text)
}

// plainly returns the text of an error. An error of our own deadline says nothing to an operator.
func plainly(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}

func (d *doctor) getHealth(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.cfg.ServerURL+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := d.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz answers %s", resp.Status)
	}
	return nil
}
