package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// loadResult is what came of a load of receipts.
type loadResult struct {
	load.Result
	faults []string
	ended  time.Time // when its last request was due; the last answers came later
}

// put puts a load on the service, and compares the rows that it left with what was acknowledged.
func (st *stage) put(ctx context.Context, cfg load.Config) (r loadResult, err error) {
	cfg.Addr, cfg.Path, cfg.Raw = st.service.Address, proof.ReceiptsPath, true
	cfg.Patience = proof.Patience
	cfg.Header = map[string]string{"X-Webhook-Secret": proof.WebhookSecret}
	cfg.Prefix = strings.ToLower(rand.Text()[:8])
	st.traffic.Promises.Beside(cfg.Prefix)
	if r.Result, err = load.Run(ctx, cfg); err != nil {
		return r, err
	}
	r.ended = time.Now().Add(cfg.Warmup + cfg.Duration - r.Elapsed)
	if r.Ledger.Spooled > 0 {
		if err := st.awaitDrained(ctx); err != nil {
			return r, err
		}
	}
	rows, err := st.store.Rows(ctx, cfg.Prefix)
	if err != nil {
		return r, err
	}
	if err := r.Ledger.Verify(rows); err != nil {
		r.faults = append(r.faults, err.Error())
	}
	for status, n := range r.Ledger.Refused {
		if status != http.StatusServiceUnavailable {
			r.faults = append(r.faults, fmt.Sprintf("%d answers of %d", n, status))
		}
	}
	return r, nil
}
