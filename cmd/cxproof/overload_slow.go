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

// slowLink is the link to PostgreSQL when that must be the bottleneck: some 600 kB/s for each connection, and
// 2 ms each way.
var slowLink = faultproxy.Fault{Latency: 2 * time.Millisecond, BytesPerSecond: 600 << 10}

// measureSlow plays the part of too much load where PostgreSQL is the bottleneck, and the processors, which
// cxbridge shares with the load and the proof, are not: only there is the time of a refusal cxbridge's own.
func (s *overloadSettings) measureSlow(ctx context.Context) (r *overloadResult, err error) {
	var proxy *faultproxy.Proxy
	set := s.stage(onPostgres)
	set.prepare = func(st *stage, settings proof.Settings) error {
		database, err := url.Parse(st.store.Cluster.URL)
		if err != nil {
			return err
		}
		if proxy, err = faultproxy.Start(database.Host, rand.New(rand.NewPCG(s.seed, 30))); err != nil {
			return err
		}
		st.cleanup.add(proxy.Close)
		database.Host = proxy.Addr()
		settings["DATABASE_URL"] = database.String()
		return nil
	}
	st, err := newStage(ctx, set)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.cleanup.run()) }()
	proxy.Set(slowLink)
	r = s.result()
	r.enough = 512 // a commit over this link takes long, and takes many receipts
	return r, r.tooMuch(ctx, st)
}
