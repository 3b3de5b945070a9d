package analytics

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// traffic is what a carrier did in a region.
type traffic struct {
	carrier, region            string
	delivered, failed, pending int64
	cost                       Money // of each message, in USD; 0: not named
}

func sumOfTraffic(list ...traffic) *Sum {
	now := time.Date(2026, 11, 22, 1, 44, 21, 0, time.UTC)
	w, err := NewWindow(now, day, 0)
	if err != nil {
		panic(err)
	}
	s := NewSum(w, Filter{}, nil)
	for _, tr := range list {
		c := Contribution{Key: Key{Second: now.Unix(), Carrier: tr.carrier, Region: tr.region}, Segments: 1, Cost: tr.cost}
		if tr.cost > 0 {
			c.Currency = "USD"
		}
		for status, n := range map[sms.Status]int64{sms.Delivered: tr.delivered, sms.Failed: tr.failed, sms.Pending: tr.pending} {
			c.Status = status
			counts := new(Counts)
			counts.count(&c, n)
			s.add(&c.Key, counts)
		}
	}
	return s
}

func TestRecommendations(t *testing.T) {
	good := traffic{"GOOD", "US", 970, 30, 0, 8000}
	for _, c := range []struct {
		name   string
		of     traffic
		others []traffic
		want   Action
		to     string
	}{
		{"surely bad", traffic{"X", "US", 600, 400, 0, 0}, []traffic{good}, Reroute, "GOOD"},
		{"the best of two", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{"FAIR", "US", 900, 100, 0, 0}, good}, Reroute, "GOOD"},
		{"bad, nobody else", traffic{"X", "US", 600, 400, 0, 0}, nil, Reroute, ""},
		{"the other one is in another region", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{"GOOD", "GB", 1000, 0, 0, 0}}, Reroute, ""},
		{"the other one is as bad", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{"Y", "US", 620, 380, 0, 0}}, Reroute, ""},
		{"the other one has too few", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{"Y", "US", 49, 0, 0, 0}}, Reroute, ""},
		{"the other one tells nothing", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{"Y", "US", 0, 0, 5000, 0}}, Reroute, ""},
		{"the other one tells little", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{"Y", "US", 100, 0, 5000, 0}}, Reroute, ""},
		{"the other one has no name", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{sms.UnknownCarrier, "US", 1000, 0, 0, 0}}, Reroute, ""},
		{"the other one is many", traffic{"X", "US", 600, 400, 0, 0}, []traffic{{OtherCarriers, "US", 1000, 0, 0, 0}}, Reroute, ""},
		{"many, surely bad", traffic{OtherCarriers, "US", 600, 400, 0, 0}, []traffic{good}, InsufficientData, ""},
		{"over the threshold, not surely", traffic{"X", "US", 84, 16, 0, 0}, []traffic{good}, InsufficientData, ""},
		{"on the threshold", traffic{"X", "US", 8500, 1500, 0, 0}, []traffic{good}, Keep, ""},
		{"under it", traffic{"X", "US", 95, 5, 0, 0}, []traffic{good}, Keep, ""},
		{"too few", traffic{"X", "US", 9, 40, 0, 0}, []traffic{good}, InsufficientData, ""},
		{"just enough", traffic{"X", "US", 10, 40, 0, 0}, []traffic{good}, Reroute, "GOOD"},
		{"all pending", traffic{"X", "US", 0, 0, 5000, 0}, []traffic{good}, InsufficientData, ""},
		{"most pending", traffic{"X", "US", 300, 200, 4500, 0}, []traffic{good}, Keep, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := sumOfTraffic(append(c.others, c.of)...).Report(DefaultPolicy())
			for _, row := range report.Carriers {
				if row.Carrier == c.of.carrier && (row.Action != c.want || row.RouteTo != c.to) {
					t.Errorf("%s to %q, want %s to %q: %+v", row.Action, row.RouteTo, c.want, c.to, row)
				}
			}
		})
	}
}

func TestSavings(t *testing.T) {
	s := sumOfTraffic(traffic{"BAD", "US", 600, 400, 0, 7500}, traffic{"GOOD", "US", 970, 30, 0, 8000}, traffic{"BAD", "US", 50, 50, 0, 0})
	report := s.Report(DefaultPolicy())
	number := func(v float64) *float64 { return &v }
	count := func(n int64) *int64 { return &n }
	want := []Recommendation{
		// without a price: only failures can be told
		{Action: Reroute, FailureRateLow: 38.04, FailureRateHigh: 43.84, Confidence: number(99.99), RouteTo: "GOOD", FewerFailures: count(47)},
		// 1000 messages cost 7.50; 600 delivered ones cost 600 × 8 / 970 at the other carrier
		{Action: Reroute, FailureRateLow: 38.04, FailureRateHigh: 43.84, Confidence: number(99.99), RouteTo: "GOOD", FewerFailures: count(370),
			Saving: number(2.551546), SavingPerMonth: number(76.544)},
		{Action: Keep, FailureRateLow: 2.11, FailureRateHigh: 4.25},
	}
	var got []Recommendation
	for _, row := range report.Carriers {
		got = append(got, row.Recommendation)
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 0.03 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	costs := []Cost{{Currency: "USD", Messages: 2000, Total: 15.5, Average: 0.00775, CostPerDelivered: number(0.009873)}}
	if diff := cmp.Diff(costs, report.Costs); diff != "" || report.Unpriced != 100 {
		t.Errorf("%d without a price, costs (-want +got):\n%s", report.Unpriced, diff)
	}
}

// A carrier that delivers nothing saves all that it costs.
func TestSavingsOfACarrierThatDeliversNothing(t *testing.T) {
	s := sumOfTraffic(traffic{"BAD", "US", 0, 1000, 0, 7500}, traffic{"GOOD", "US", 970, 30, 0, 8000})
	got := s.Report(DefaultPolicy()).Carriers[0].Recommendation
	if got.RouteTo != "GOOD" || got.Saving == nil || *got.Saving != 7.5 {
		t.Errorf("got %+v", got)
	}
}

// The limits of 10 in 50 at 95 % are those of the textbooks.
func TestWilson(t *testing.T) {
	z := math.Sqrt2 * math.Erfinv(0.95)
	for _, c := range []struct {
		part, whole int64
		low, high   float64
	}{
		{10, 50, 0.1124, 0.3304}, {0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {0, 0, 0, 1},
		{12, 10, 0.7225, 1}, {-2, 10, 0, 0.2775}, // of names that lost messages
	} {
		low, high := wilson(c.part, c.whole, z)
		if math.IsNaN(low+high) || math.Abs(low-c.low) > 0.0001 || math.Abs(high-c.high) > 0.0001 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.part, c.whole, low, high, c.low, c.high)
		}
	}
}

// Confidence is where the lower limit comes to lie on the threshold.
func TestConfidenceIsTheWilsonIntervalTurnedRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(20, 5000).Draw(t, "messages")
		part := rapid.Int64Range(whole/4, whole).Draw(t, "failed")
		threshold := rapid.Float64Range(0.05, 0.2).Draw(t, "threshold")
		sure := confidence(part, whole, threshold)
		if sure > 0.999999 {
			return // the inverse is not exact there
		}
		low, _ := wilson(part, whole, math.Sqrt2*math.Erfinv(sure))
		if math.Abs(low-threshold) > 1e-6 {
			t.Fatalf("at %v the limit is %v, not %v", sure, low, threshold)
		}
	})
}

func TestPolicyValidate(t *testing.T) {
	if err := DefaultPolicy().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	err := Policy{FailureThreshold: 15, Confidence: math.NaN()}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

// What counts is when the final receipt came: the slowest messages were first seen before the window.
func TestSlowShares(t *testing.T) {
	s := sumOfTraffic(traffic{"NEVER", "US", 5, 0, 0, 0})
	began := s.window.From.Unix()
	var d Delta
	for i, took := range []time.Duration{time.Second, 4 * time.Minute, 6 * time.Minute, time.Hour} {
		for range 10 {
			c := Contribution{Key: Key{Second: began - 3600, Carrier: []string{"A", "B"}[i%2], Region: []string{"US", "GB"}[i/2]},
				Status: sms.Delivered, Segments: 1, Timed: true, Took: took, Came: began}
			d.Add(c)
			c.Came = began - 1
			d.Add(c)
			for _, nobody := range []string{sms.UnknownCarrier, OtherCarriers} {
				c.Came, c.Carrier = began, nobody
				d.Add(c)
			}
		}
	}
	if err := s.Add(d.Encode()); err != nil {
		t.Fatal(err)
	}
	want := []SlowShare{{"A", 20, 10}, {"B", 20, 10}}
	if diff := cmp.Diff(want, s.SlowShares(5*time.Minute)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
