package housekeeping

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

const (
	lookEvery   = 15 * time.Second
	maxAlarms   = 1000 // that are looked at: far more than there are carriers
	maxCarriers = 50   // that the metrics show
)

// Counts is what SlowCarriers need of a store.Counts.
type Counts interface {
	Counts(ctx context.Context, ranges []analytics.Range, add func(counts []byte) error) error
}

// Alarms is what SlowCarriers need of a store.Overseer.
type Alarms interface {
	Raise(ctx context.Context, a store.Alarm) (raised bool, err error)
	Clear(ctx context.Context, a store.Alarm) (cleared bool, err error)
	Alarms(ctx context.Context, limit int) ([]store.Alarm, error)
}

// SlowCarriers raises the alarm store.SlowCarrier about carriers whose messages take long. Every replica
// looks; the store sees to it that an alarm is raised once and cleared once, and the replica that did
// it logs that.
//
// An alarm is raised when there are at least MinSample messages and more than Share of them are slow.
// It is cleared when there are as many and less than half of Share are slow, so that a carrier at the
// limit does not raise it again and again. Fewer messages prove nothing, neither that a carrier is
// slow nor that it is well again: then the alarm stays as it is, until the window has no message of
// the carrier whose delivery time is known.
//
// Every field is required.
type SlowCarriers struct {
	Counts Counts
	Alarms Alarms

	After     time.Duration // a message that takes longer is slow
	Share     float64       // of slow messages, 0 to 1
	Window    time.Duration // only final receipts that came in it count; see analytics.Window for its bounds
	MinSample int64         // of messages in a final state whose delivery time is known

	Metrics *SlowMetrics
	Log     *slog.Logger
}

// Run looks until the context ends.
func (s *SlowCarriers) Run(ctx context.Context) {
	repeat(ctx, lookEvery, s.Log, "search for slow carriers", s.look)
}

func (s *SlowCarriers) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	// The alarms are read first: what is measured is then newer than what another replica has seen.
	alarms, err := s.Alarms.Alarms(ctx, maxAlarms)
	if err != nil {
		return err
	}
	now := wholeMicroseconds(time.Now())
	shares, err := s.shares(ctx, now)
	if err != nil {
		return err
	}
	slow := make(map[string]bool) // carriers whose alarm is raised
	for _, a := range alarms {
		if a.Name == store.SlowCarrier && a.Cleared.IsZero() {
			slow[a.Subject] = true
			if !slices.ContainsFunc(shares, func(c analytics.SlowShare) bool { return c.Carrier == a.Subject }) {
				shares = append(shares, analytics.SlowShare{Carrier: a.Subject})
			}
		}
	}
	for _, c := range shares {
		switch {
		case !slow[c.Carrier] && s.isSlow(c):
			err = s.raise(ctx, c, now)
			slow[c.Carrier] = true
		case slow[c.Carrier] && s.isWell(c):
			err = s.clear(ctx, c, now)
			delete(slow, c.Carrier)
		}
		if err != nil {
			return err
		}
	}
	s.Metrics.show(shares, len(slow))
	return nil
}

func (s *SlowCarriers) shares(ctx context.Context, now time.Time) ([]analytics.SlowShare, error) {
	window, err := analytics.NewWindow(now, s.Window, 0)
	if err != nil {
		return nil, err
	}
	sum := analytics.NewSum(window, analytics.Filter{}, nil)
	if err := s.Counts.Counts(ctx, sum.Ranges(), sum.Add); err != nil {
		return nil, err
	}
	return sum.SlowShares(s.After), nil
}

func (s *SlowCarriers) isSlow(c analytics.SlowShare) bool {
	return c.Timed >= s.MinSample && shareOf(c) > s.Share
}

func (s *SlowCarriers) isWell(c analytics.SlowShare) bool {
	return c.Timed == 0 || c.Timed >= s.MinSample && shareOf(c) < s.Share/2
}

func shareOf(c analytics.SlowShare) float64 { return float64(c.Slow) / float64(max(c.Timed, 1)) }

func (s *SlowCarriers) raise(ctx context.Context, c analytics.SlowShare, now time.Time) error {
	raised, err := s.Alarms.Raise(ctx, store.Alarm{Name: store.SlowCarrier, Subject: c.Carrier, Raised: now, Detail: s.detail(c)})
	if raised {
		s.Log.Warn("the messages of a carrier take long", s.figures(c)...)
	}
	return err
}

func (s *SlowCarriers) clear(ctx context.Context, c analytics.SlowShare, now time.Time) error {
	cleared, err := s.Alarms.Clear(ctx, store.Alarm{Name: store.SlowCarrier, Subject: c.Carrier, Cleared: now, Detail: s.detail(c)})
	if cleared {
		s.Log.Info("the messages of a carrier no longer take long", s.figures(c)...)
	}
	return err
}

// detail returns what raised or cleared an alarm.
func (s *SlowCarriers) detail(c analytics.SlowShare) audit.Detail {
	return audit.Detail{
		"timed": c.Timed, "slow": c.Slow, "share": math.Round(shareOf(c)*1e4) / 1e4,
		"limit": s.Share, "after": s.After.String(), "window": s.Window.String(),
	}
}

func (s *SlowCarriers) figures(c analytics.SlowShare) []any {
	return []any{
		"carrier", c.Carrier, "slow", c.Slow, "of", c.Timed, "limit", s.Share,
		"slow_after", s.After.String(), "window", s.Window.String(),
	}
}

// SlowMetrics are the metrics of SlowCarriers.
type SlowMetrics struct {
	carriers prometheus.Gauge
	share    *prometheus.GaugeVec
	shown    map[string]bool // carriers that share has
}

// NewSlowMetrics registers the metrics of SlowCarriers.
func NewSlowMetrics(registry prometheus.Registerer) *SlowMetrics {
	m := &SlowMetrics{
		carriers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cxbridge_slow_carriers", Help: "Carriers about which the slow-carrier alarm is raised.",
		}),
		share: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cxbridge_carrier_slow_share",
			Help: "Share of the final messages of a carrier that took longer than SLOW_CARRIER_AFTER, of 1. Of the 50 carriers with most messages.",
		}, []string{"carrier"}),
		shown: make(map[string]bool),
	}
	registry.MustRegister(m.carriers, m.share)
	return m
}

// show replaces what the metrics show: carriers that have gone are removed.
func (m *SlowMetrics) show(shares []analytics.SlowShare, slow int) {
	m.carriers.Set(float64(slow))
	shares = slices.DeleteFunc(slices.Clone(shares), func(c analytics.SlowShare) bool { return c.Timed == 0 })
	slices.SortFunc(shares, func(a, b analytics.SlowShare) int {
		return cmp.Or(cmp.Compare(b.Timed, a.Timed), cmp.Compare(a.Carrier, b.Carrier))
	})
	gone := m.shown
	m.shown = make(map[string]bool)
	for _, c := range shares[:min(maxCarriers, len(shares))] {
		label := strings.ToValidUTF8(c.Carrier, "\uFFFD") // Prometheus takes no other
		m.share.WithLabelValues(label).Set(shareOf(c))
		m.shown[label] = true
		delete(gone, label)
	}
	for label := range gone {
		m.share.DeleteLabelValues(label)
	}
}
