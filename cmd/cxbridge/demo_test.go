package main

import (
	"math"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestDemoConfig(t *testing.T) {
	t.Parallel()
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, demoCardName), demoCard, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := demoConfig(folder, address, &remotes{
		cxoneURL: "http://127.0.0.1:5000", cxoneSecret: "client secret", crmURL: "http://127.0.0.1:6000", crmToken: "crm-token-0123456789",
	})
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := resolve(t, nil, needed)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{cfg.Addr, cfg.ServerURL, cfg.Database, *cfg.CXone, cfg.CRM.BaseURL, cfg.CRM.Token.Reveal(), len(cfg.WebhookSecrets), cfg.MaxInFlightBytes, cfg.SenderIDPolicy}
	want := []any{
		"127.0.0.1:4000", "http://127.0.0.1:4000", Database{SQLite: filepath.Join(folder, "cxbridge.db")},
		CXone{
			BaseURL: "http://127.0.0.1:5000", ClientID: demoClientID, ClientSecret: "client secret",
			AuthStyle: cxone.AuthBasic, Scopes: cxone.DefaultScopes,
		},
		"http://127.0.0.1:6000", "crm-token-0123456789",
		1, defaults.MaxInFlightBytes, defaults.SenderIDPolicy,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDemoRefusesFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []demoCommand{
		{Duration: 0, Rate: 1}, {Duration: time.Second, Rate: 0}, {Duration: time.Second, Rate: 10_001}, {Duration: time.Second, Rate: math.NaN()},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v passes", c)
		}
	}
	if err := (demoCommand{Duration: time.Second, Rate: 10_000}).Validate(); err != nil {
		t.Error(err)
	}
}

// Two demos at once each find an address, whatever listens on the usual one.
func TestListenDemoTwice(t *testing.T) {
	t.Parallel()
	for range 2 {
		l, err := listenDemo()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}

// The demo shows the same failure rate of a carrier as its console.
func TestDemoFailureRate(t *testing.T) {
	t.Parallel()
	tally := func(status sms.Status, n int64) store.Tally {
		return store.Tally{Carrier: "X", Status: status, Messages: n}
	}
	rows := byCarrier([]store.Tally{
		tally(sms.Delivered, 10), tally(sms.Failed, 2), tally(sms.Rejected, 2), tally(sms.Expired, 1), tally(sms.Pending, 4), tally(sms.Unknown, 1),
	})
	if len(rows) != 1 || rows[0].failureRate() != "25.0 %" { // as analytics.Metrics: failed / totalMessages
		t.Errorf("%+v", rows)
	}
	if got := new(carrierRow).failureRate(); got != "-" {
		t.Errorf("of no messages %s", got)
	}
}
