package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/housekeeping"
	"github.com/cxbridge/cxbridge/internal/store"
)

// task is work in the background.
type task interface {
	Run(ctx context.Context)
}

// minSlowSample is how many messages it takes to say whether a carrier is slow.
const minSlowSample = 20

// housekeeping returns the work that is done from time to time.
func (s *service) housekeeping(registry prometheus.Registerer) []task {
	judge := s.config.Analytics
	host, err := os.Hostname()
	if err != nil {
		host = "" // an unknown name is not worth failing for
	}
	return []task{
		housekeeping.NewCompactor(s.store, registry, s.log),
		&housekeeping.SlowCarriers{
			Counts: s.store, Alarms: s.store, After: judge.SlowAfter, Share: judge.SlowShare, Window: judge.SlowWindow,
			MinSample: minSlowSample, Metrics: housekeeping.NewSlowMetrics(registry), Log: s.log,
		},
		housekeeping.NewRetention(s.store, s.config.Retention, registry, s.log),
		&housekeeping.Heartbeat{Store: s.store, Log: s.log, Replica: store.Replica{
			ID: rand.Text(), Host: cmp.Or(host, "unknown"), Version: release(),
			Started: s.started.UTC().Truncate(time.Microsecond),
		}},
	}
}
