package analytics

import (
	"errors"
	"math"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// Action is what to do about a carrier in a region.
type Action string

// The actions.
const (
	Reroute          Action = "REROUTE"
	Keep             Action = "KEEP"
	InsufficientData Action = "INSUFFICIENT_DATA"
)

// Policy decides when a carrier is to be left.
type Policy struct {
	FailureThreshold float64 // failure rate above which a carrier is bad; a share, 0 to 1
	Confidence       float64 // how sure to be that it is above; 0.5 to less than 1
	MinSample        int64   // messages in a final state below which nothing is said; at least 1
}

// DefaultPolicy leaves carriers that fail in more than 15 % of the messages, at a confidence of 95 %.
func DefaultPolicy() Policy {
	return Policy{FailureThreshold: 0.15, Confidence: 0.95, MinSample: 50}
}

// Validate returns everything that is wrong with a policy.
func (p Policy) Validate() error {
	var problems []error
	if !(p.FailureThreshold > 0 && p.FailureThreshold < 1) {
		problems = append(problems, errors.New("the failure threshold must be between 0 and 1"))
	}
	if !(p.Confidence >= 0.5 && p.Confidence <= 0.9999) {
		problems = append(problems, errors.New("the confidence must be from 0.5 to 0.9999"))
	}
	if p.MinSample < 1 {
		problems = append(problems, errors.New("the smallest sample must be at least 1"))
	}
	return errors.Join(problems...)
}

// Recommendation says what to do about a carrier in a region. It is drawn from the carrier's messages
// of all currencies in the region, whereas the rates beside it are of the currency of its row. Only
// FewerFailures and the savings are of the row.
//
// FailureRateLow and FailureRateHigh are the limits of the Wilson score interval (Wilson 1927) around
// the failure rate, two-sided, at the confidence of the policy. The action is
//
//   - INSUFFICIENT_DATA where too few messages are in a final state, or where the rate is above the
//     threshold and its lower limit is not, and for OtherCarriers;
//   - REROUTE where the lower limit is above the threshold;
//   - KEEP elsewhere.
//
// Messages that are still pending count as not failed, so a carrier is never left for what it may
// yet deliver.
type Recommendation struct {
	Action          Action  `json:"recommendedAction" enum:"REROUTE,KEEP,INSUFFICIENT_DATA" doc:"For the carrier in this region, of its messages of all currencies: the same in all its rows there"`
	FailureRateLow  float64 `json:"failureRateLow" doc:"Lower limit of the Wilson interval around the failure rate of the carrier in this region, in per cent: of its messages of all currencies, where failureRate is of this row alone"`
	FailureRateHigh float64 `json:"failureRateHigh" doc:"Upper limit of the same interval, in per cent"`

	Confidence *float64 `json:"confidence,omitempty" doc:"For REROUTE: how sure it is that the failure rate of all currencies is above the threshold, in per cent"`
	RouteTo    string   `json:"routeTo,omitempty" doc:"For REROUTE: the carrier of this region that surely fails less; empty where there is none"`

	FewerFailures  *int64   `json:"fewerFailures,omitempty" doc:"Messages of this row that would not have failed at the other carrier's failure rate, in the window"`
	Saving         *float64 `json:"saving,omitempty" doc:"What the row cost in the window, less what its delivered messages would have cost at the other carrier's cost per delivered message, in this currency. Negative: the other one is dearer."`
	SavingPerMonth *float64 `json:"savingPerMonth,omitempty" doc:"The saving at the pace of the window, in 30 days"`
}

// month is the time for which savings are projected.
const month = 30 * day

// adviser knows every carrier in every region.
type adviser struct {
	policy   Policy
	z        float64 // how many standard deviations the confidence is wide
	window   time.Duration
	rows     map[Key]*Counts
	routes   map[route]*Counts // of all currencies
	byRegion map[string][]route
}

func newAdviser(policy Policy, window Window, rows []*entry) *adviser {
	a := &adviser{
		policy: policy, z: math.Sqrt2 * math.Erfinv(policy.Confidence), window: window.Now.Sub(window.From),
		rows: make(map[Key]*Counts), routes: make(map[route]*Counts), byRegion: make(map[string][]route),
	}
	for _, e := range rows {
		of := e.key.route()
		if a.routes[of] == nil {
			a.routes[of] = new(Counts)
			a.byRegion[of.region] = append(a.byRegion[of.region], of)
		}
		a.routes[of].mergeNumbers(&e.Counts)
		a.rows[e.key] = &e.Counts
	}
	return a
}

// about says what to do about the carrier of a row.
func (a *adviser) about(row *entry) Recommendation {
	of := row.key.route()
	c := a.routes[of]
	low, high := wilson(c.Failed(), c.Total(), a.z)
	r := Recommendation{Action: Keep, FailureRateLow: hundredths(low), FailureRateHigh: hundredths(high)}
	rate := float64(c.Failed()) / float64(c.Total())
	switch {
	case of.carrier == OtherCarriers || c.Decided() < a.policy.MinSample || rate > a.policy.FailureThreshold && low <= a.policy.FailureThreshold:
		r.Action = InsufficientData
		return r
	case rate <= a.policy.FailureThreshold:
		return r
	}
	r.Action = Reroute
	sure := min(confidence(c.Failed(), c.Total(), a.policy.FailureThreshold), 0.9999)
	sure = hundredths(sure)
	r.Confidence = &sure
	if to, ok := a.better(of, low); ok {
		r.RouteTo = to.carrier
		a.savings(&r, row, to)
	}
	return r
}

// better returns the carrier of the region that is best beyond doubt: of those with enough messages
// in a final state, whose upper limit is below the lower limit of this one and which deliver no
// smaller share, the one with the lowest upper limit. Of the others it is the failure rate of messages
// in a final state that counts, so that a carrier that reports nothing is not mistaken for one that
// never fails.
func (a *adviser) better(than route, low float64) (best route, found bool) {
	c := a.routes[than]
	for _, other := range a.byRegion[than.region] {
		o := a.routes[other]
		if other == than || isNobody(other.carrier) || o.Decided() < a.policy.MinSample {
			continue
		}
		_, high := wilson(o.Failed(), o.Decided(), a.z)
		delivers := o.With(sms.Delivered)*c.Total() >= c.With(sms.Delivered)*o.Total()
		if high < low && delivers {
			best, found, low = other, true, high
		}
	}
	return best, found
}

func (a *adviser) savings(r *Recommendation, row *entry, to route) {
	c, other := &row.Counts, a.routes[to]
	failures := float64(c.Total()) * float64(other.Failed()) / float64(other.Decided())
	fewer := max(0, c.Failed()-int64(math.Round(failures)))
	r.FewerFailures = &fewer
	priced := a.rows[Key{Carrier: to.carrier, Region: to.region, Currency: row.key.Currency}]
	if row.key.Currency == "" || priced == nil || priced.With(sms.Delivered) == 0 {
		return
	}
	elsewhere := float64(priced.Cost) / float64(priced.With(sms.Delivered)) * float64(c.With(sms.Delivered))
	saving := float64(c.Cost) - elsewhere
	total, monthly := Money(math.Round(saving)).Units(), Money(math.Round(saving*float64(month)/float64(a.window))).Units()
	r.Saving, r.SavingPerMonth = &total, &monthly
}

// wilson returns the limits of the Wilson score interval around a share.
func wilson(part, whole int64, z float64) (low, high float64) {
	if whole <= 0 {
		return 0, 1
	}
	n, p := float64(whole), min(max(0, float64(part)/float64(whole)), 1) // a name that lost messages may be out of bounds
	z2 := z * z
	middle := (p + z2/(2*n)) / (1 + z2/n)
	half := z / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

// confidence returns the highest confidence at which the lower limit of the Wilson interval is above a
// threshold that the share itself is above: the interval is the score test, inverted.
func confidence(part, whole int64, threshold float64) float64 {
	n, p := float64(whole), float64(part)/float64(whole)
	z := (p - threshold) / math.Sqrt(threshold*(1-threshold)/n)
	return math.Erf(z / math.Sqrt2)
}

// hundredths returns a share in per cent, with two decimals.
func hundredths(share float64) float64 { return math.Round(share*10_000) / 100 }
