package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/crm/rest"
	"github.com/cxbridge/cxbridge/internal/cxone"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/postgres"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
	"github.com/cxbridge/cxbridge/internal/telemetry"
)

// openStore opens the store on cfg.Database, which is all of the Config that it may read.
// PostgreSQL need not be up yet. With an error the interface itself is nil, not a typed nil in it.
func openStore(cfg Config) (store.Store, error) {
	if cfg.Database.Postgres != "" {
		st, err := postgres.Open(cfg.Database.Postgres.Reveal())
		if err != nil {
			return nil, err
		}
		return st, nil
	}
	st, err := sqlite.Open(cfg.Database.SQLite)
	if err != nil {
		return nil, err
	}
	return st, nil
}

// openOwnStore opens the store for a service. A SQLite file has one at a time.
func openOwnStore(cfg Config) (store.Store, error) {
	if cfg.Database.Postgres != "" {
		return openStore(cfg)
	}
	st, err := sqlite.OpenAsOwner(cfg.Database.SQLite)
	if errors.Is(err, sqlite.ErrOwned) {
		return nil, fmt.Errorf("DATABASE_URL %v is in use by another cxbridge: stop that one first, or give this one a file of its own; replicas need PostgreSQL", cfg.Database)
	}
	if err != nil {
		return nil, err
	}
	return st, nil
}

// newCXone returns the client of CXone, or nil when CXone is not called.
func newCXone(cfg Config) (*cxone.Client, error) {
	if cfg.CXone == nil {
		return nil, nil
	}
	c := cxone.Config{
		BaseURL: cfg.CXone.BaseURL, ClientID: cfg.CXone.ClientID, ClientSecret: cfg.CXone.ClientSecret.Reveal(),
		AuthStyle: cfg.CXone.AuthStyle, Scopes: cfg.CXone.Scopes, ServerURL: cfg.ServerURL,
	}
	if len(cfg.WebhookSecrets) > 0 {
		c.WebhookSecret = cfg.WebhookSecrets[0].Reveal()
	}
	return cxone.New(c)
}

// checkCXone fetches a token. It is called with a Config that has a CXone.
func checkCXone(ctx context.Context, cfg Config) error {
	client, err := newCXone(cfg)
	if err != nil {
		return err
	}
	return client.Check(ctx)
}

// newSink returns the sink of the CRM. It is called with a Config that has one.
func newSink(cfg Config, traces *telemetry.Traces) (crm.Sink, error) {
	return rest.New(rest.Config{
		BaseURL: cfg.CRM.BaseURL, Token: cfg.CRM.Token.Reveal(), Timeout: cfg.CRM.Timeout, Traces: traces.Provider(),
	})
}

// checkCRM asks the CRM for a thread that it does not have: when address and token are right, it says so.
// It is called with a Config that has a CRM.
func checkCRM(ctx context.Context, cfg Config) error {
	sink, err := newSink(cfg, nil)
	if err != nil {
		return err
	}
	_, err = sink.Get(ctx, "cxbridge-doctor")
	if err != nil && crm.AsError(err).Class == crm.ClassGone {
		return nil
	}
	return err
}

// checkCollector sends the collector of traces an empty batch. It is called with a Config that has one.
func checkCollector(ctx context.Context, cfg Config) error {
	return telemetry.CheckCollector(ctx, cfg.OTLPEndpoint)
}

// threadSource fetches threads from CXone.
type threadSource struct{ client *cxone.Client }

// Thread implements reconcile.Source.
func (s threadSource) Thread(ctx context.Context, id string) ([]byte, error) {
	data, err := s.client.Thread(ctx, id)
	if cxone.IsNotFound(err) {
		return nil, fmt.Errorf("%w: CXone has no such thread", store.ErrNotFound)
	}
	if left := cxone.RetryAfter(err); left > 0 {
		return nil, &reconcile.PauseError{Left: left, Err: err}
	}
	return data, err
}
