package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/reconcile"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Reconciler brings a thread up to date. See reconcile.Reconciler for its errors.
type Reconciler interface {
	Reconcile(ctx context.Context, id string) (reconcile.Outcome, error)
}

// reconcileTimeout is how long a reconciliation may wait for CXone and the CRM.
const reconcileTimeout = 30 * time.Second

type reconcileOutput struct {
	Body struct {
		Status  string `json:"status" enum:"UP_TO_DATE,RECONCILED,SET_ASIDE,STORED"`
		Version *int64 `json:"version,omitempty" doc:"Of the thread, if something was missing"`
	}
}

const notInCXone = "CXone has no thread by this id"

func (c *Handler) reconcileRoutes() {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		id := "reconcile-thread"
		if method == http.MethodGet {
			id += "-by-get"
		}
		registerWithin(c, access.Operator, reconcileTimeout, huma.Operation{
			OperationID: id, Method: method, Path: "/api/reconcile/{id}",
			Summary: "Fetch a thread from CXone, apply it, and bring it to the CRM", Tags: []string{"threads"},
			Description: "UP_TO_DATE: nothing was missing. RECONCILED: something was, and the CRM has it now. SET_ASIDE: the CRM has " +
				"it now, except for messages or participants that it would not take: the dead letters of the kind thread-item " +
				"say which and why; version is there if something was missing. STORED: it is stored, but no CRM is set or the " +
				"database is away. 404: CXone has no such thread. 502: CXone or the CRM failed; what was fetched is kept and goes " +
				"to the CRM later, or is a dead letter if it is not a thread. An answer about another thread is not kept. If CXone " +
				"asks for a pause (429 or 503 with Retry-After) of up to 5 seconds, cxbridge waits it out; for a longer " +
				"one, the answer is 502 with Retry-After.",
		}, c.reconcile)
	}
}

func (c *Handler) reconcile(ctx context.Context, in *struct {
	ID string `path:"id" doc:"Thread id, percent-encoded"`
}) (*reconcileOutput, error) {
	if c.Reconciler == nil {
		return nil, huma.Error502BadGateway("no CXone to fetch threads from: CXONE_DOMAIN, CXONE_CLIENT_ID and CXONE_CLIENT_SECRET are not set")
	}
	if !store.IsAskable(in.ID) {
		return nil, huma.Error404NotFound(notInCXone)
	}
	outcome, err := c.Reconciler.Reconcile(ctx, in.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, huma.Error404NotFound(notInCXone)
	case err != nil:
		return nil, err
	}
	out := &reconcileOutput{}
	out.Body.Status = string(outcome.Status)
	if s := outcome.Status; s == reconcile.Reconciled || s == reconcile.SetAside && outcome.Version != 0 {
		out.Body.Version = &outcome.Version
	}
	return out, nil
}
