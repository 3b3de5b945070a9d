package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/store"
)

// Analytics says how carriers are judged.
type Analytics struct {
	RateCard *analytics.RateCard // nil: only costs named in receipts are counted
	SLA      time.Duration
	Policy   analytics.Policy

	SlowAfter  time.Duration // a message that takes longer is slow
	SlowShare  float64       // of slow messages, above which an alarm is raised
	SlowWindow time.Duration
}

func (p *resolver) analytics(s *AnalyticsSettings) Analytics {
	return Analytics{
		RateCard: p.rateCard(s.RateCard),
		SLA:      time.Duration(p.count(s.SLAMs, 1, 600_000, 500)) * time.Millisecond,
		Policy: analytics.Policy{
			FailureThreshold: p.share(s.RerouteFailureRate, 0.0001, 0.9999),
			Confidence:       p.share(s.RerouteConfidence, 0.5, 0.9999),
			MinSample:        int64(p.count(s.RerouteMinSample, 1, 1_000_000_000, 50)),
		},
		SlowAfter:  p.length(s.SlowCarrierAfter, time.Second, 7*24*time.Hour),
		SlowShare:  p.share(s.SlowCarrierShare, 0.0001, 0.9999),
		SlowWindow: p.length(s.SlowCarrierWindow, time.Minute, 7*24*time.Hour),
	}
}

// rateCard returns nil when no card is set.
func (p *resolver) rateCard(v Value) *analytics.RateCard {
	if v.text == "" {
		return nil
	}
	text, err := os.ReadFile(v.text)
	if err != nil {
		p.wrong(v, fmt.Sprintf("is %q, which cannot be read, %s", v.text, reason(err)), "give the path of a YAML or CSV file")
		return nil
	}
	card, err := analytics.ParseRateCard(v.text, text)
	if err != nil {
		p.wrong(v, fmt.Sprintf("is %q, which is no rate card, %s", v.text, oneLine(err)), "mend the file; docs/analytics.md describes its format")
		return nil
	}
	return card
}

// retention reads a list of KIND=TIME.
func (p *resolver) retention(v Value) map[store.Expirable]time.Duration {
	kinds := []store.Expirable{store.ExpireMessages, store.ExpireThreads, store.ExpireJournal, store.ExpireDeadLetters}
	keep := make(map[store.Expirable]time.Duration)
	if v.text == "" {
		return keep
	}
	for item := range strings.SplitSeq(v.text, ",") {
		kind, text, _ := strings.Cut(item, "=")
		k := store.Expirable(strings.ToLower(strings.TrimSpace(kind)))
		d, isLength := lengthOf(text)
		switch _, twice := keep[k]; {
		case !slices.Contains(kinds, k):
			p.wrong(v, fmt.Sprintf("names no kind of data in %q", strings.TrimSpace(item)), "write KIND=TIME, with messages, threads, journal or dead-letters as KIND")
			continue
		case twice:
			p.wrong(v, fmt.Sprintf("names %s twice", k), "keep one")
		}
		if !isLength || d < time.Hour || d > 100*365*24*time.Hour {
			p.wrong(v, fmt.Sprintf("has no time from 1h to 36500d in %q", strings.TrimSpace(item)), "write a number with its unit, such as 90d or 12h")
		}
		keep[k] = d
	}
	return keep
}

// length reads a duration that may be in days.
func (p *resolver) length(v Value, least, most time.Duration) time.Duration {
	d, ok := lengthOf(v.text)
	if v.broken {
		return 0
	}
	if !ok || d < least || d > most {
		p.reject(v, fmt.Sprintf("a time from %v to %v", least, most), "give a number with its unit, such as 5m, 2h or 1d")
		return 0
	}
	return d
}

// lengthOf reads a Go duration, or a whole number of days as in 90d.
func lengthOf(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// share reads a number as in 0.15, or per cent as in 15%.
func (p *resolver) share(v Value, least, most float64) float64 {
	text, isPercent := strings.CutSuffix(strings.TrimSpace(v.text), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if isPercent {
		n /= 100
	}
	if v.broken {
		return 0
	}
	if err != nil || !(n >= least && n <= most) {
		p.reject(v, fmt.Sprintf("a share from %v to %v", least, most), "give a number such as 0.15, or per cent as in 15%")
		return 0
	}
	return n
}
