package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/cxbridge/cxbridge/internal/faultproxy"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// slowLink is what a replica has to PostgreSQL when that is to be what limits it: some 600 kB/s for each
// connection, and 2 ms each way.
var slowLink = faultproxy.Fault{Latency: 2 * time.Millisecond, BytesPerSecond: 600 << 10}

// measureSlow plays the part of too much where PostgreSQL is the bottleneck and the processors, which the
// load and the proof share, are not: only there the time that a refusal takes is cxbridge's own.
func (s *overloadSettings) measureSlow(ctx context.Context) (r *overloadResult, err error) {
	var proxy *faultproxy.Proxy
	prepare := func(st *stage, settings proof.Settings) error {
		database, err := url.Parse(st.store.Cluster.URL)
		if err != nil {
			return err
		}
		if proxy, err = faultproxy.Start(database.Host, rand.New(rand.NewPCG(s.seed, 30))); err != nil {
			return err
		}
		st.cleanup = append(st.cleanup, proxy.Close)
		database.Host = proxy.Addr()
		settings["DATABASE_URL"] = database.String()
		return nil
	}
	st, err := newStage(ctx, s.stage(), &scenario{prepare: prepare}, "postgres", s.seed)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	proxy.Set(slowLink)
	r = s.result()
	r.enough = 512 // a commit over this link takes long, and takes many receipts
	return r, r.tooMuch(ctx, st)
}
