package storetest

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// observation is a receipt whose latency was given along with a commit.
type observation struct {
	at   time.Time
	took time.Duration
}

// question is what a report is asked for.
type question struct {
	window          analytics.Window
	carrier, region string
}

// countsCard prices carrier A everywhere, dearer from a day on, and carrier B in one region. It has no
// price for carrier C.
const countsCard = `
currency: USD
prices:
  - {carrier: A, price: 0.0075}
  - {carrier: A, price: 0.0081, from: 2026-11-01}
  - {carrier: B, region: GB, price: 0.04, currency: EUR}
`

// priceByHand is countsCard once more: the price of a segment in millionths, and its currency.
func priceByHand(m *sms.Message) (segment int64, currency string) {
	switch {
	case strings.EqualFold(m.Carrier, "A") && m.FirstSeen.Before(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)):
		return 7_500, "USD"
	case strings.EqualFold(m.Carrier, "A"):
		return 8_100, "USD"
	case strings.EqualFold(m.Carrier, "B") && m.Region == "GB":
		return 40_000, "EUR"
	}
	return 0, ""
}

// costByHand is what a message costs, in millionths; the currency is "" when that is not known.
func costByHand(m *sms.Message) (cost int64, currency string) {
	if m.Cost != "" {
		exact, _ := new(big.Rat).SetString(m.Cost)
		millionths, _ := exact.Mul(exact, big.NewRat(1_000_000, 1)).Float64()
		return int64(math.Round(millionths)), cmp.Or(m.Currency, "USD")
	}
	segment, currency := priceByHand(m)
	return segment * int64(max(m.Segments, 1)), currency
}

// reportByHand answers a question from all messages and observations, one by one. It leaves the
// recommendations out.
func reportByHand(q question, messages []*sms.Message, observed []observation, sla time.Duration) *analytics.Report {
	from := q.window.From
	r := &analytics.Report{From: from, To: q.window.Now}
	var inWindow, shown []*sms.Message
	for _, m := range messages {
		if !m.FirstSeen.Before(from) {
			inWindow = append(inWindow, m)
		}
	}
	for _, m := range inWindow {
		if (q.carrier == "" || strings.EqualFold(q.carrier, m.Carrier)) && (q.region == "" || q.region == m.Region) {
			shown = append(shown, m)
		}
	}
	r.Processing = latencyByHand(observed, from, time.Time{}, sla)
	r.Throughput = latencyByHand(observed, q.window.Now.Add(-time.Minute).Truncate(time.Second).Add(time.Second), time.Time{}, sla).Receipts
	r.Messages, r.DeliveryTime = countByHand(shown), deliveryByHand(shown)
	r.Costs, r.Unpriced = costsByHand(shown)
	r.Carriers = carriersByHand(shown)
	if q.window.Step == 0 {
		return r
	}
	step := int64(q.window.Step / time.Second)
	for begin := from; !begin.After(q.window.Now); {
		end := time.Unix((begin.Unix()/step+1)*step, 0).UTC()
		last := end
		if end.After(q.window.Now) {
			last = time.Time{}
		}
		r.Series = append(r.Series, pointByHand(shown, observed, begin, last, sla))
		begin = end
	}
	return r
}

// pointByHand is a point of a series: from a time until before another, or with no end.
func pointByHand(shown []*sms.Message, observed []observation, from, to time.Time, sla time.Duration) analytics.Point {
	var in []*sms.Message
	for _, m := range shown {
		if !m.FirstSeen.Before(from) && (to.IsZero() || m.FirstSeen.Before(to)) {
			in = append(in, m)
		}
	}
	p := analytics.Point{
		From: from, Processing: latencyByHand(observed, from, to, sla),
		Messages: countByHand(in), DeliveryTime: deliveryByHand(in),
	}
	costs, _ := costsByHand(in)
	for _, c := range costs {
		p.Costs = append(p.Costs, analytics.PointCost{Currency: c.Currency, Total: c.Total})
	}
	return p
}

func latencyByHand(observed []observation, from, to time.Time, sla time.Duration) analytics.Processing {
	var (
		took   []time.Duration
		sum    time.Duration
		within int
	)
	for _, o := range observed {
		if o.at.Before(from) || !to.IsZero() && !o.at.Before(to) {
			continue
		}
		took = append(took, o.took)
		sum += o.took
		if o.took <= sla {
			within++
		}
	}
	if len(took) == 0 {
		return analytics.Processing{}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return analytics.Processing{
		Receipts: int64(len(took)), AvgLatencyMs: ms(sum / time.Duration(len(took))),
		P50LatencyMs: ms(quantileByHand(took, 50)), P95LatencyMs: ms(quantileByHand(took, 95)), P99LatencyMs: ms(quantileByHand(took, 99)),
		SLACompliance: percentByHand(within, len(took)),
	}
}

func countByHand(messages []*sms.Message) (n analytics.Messages) {
	for _, m := range messages {
		n.Total++
		n.Segments += int64(max(m.Segments, 1))
		if m.Compliance == sms.Violation {
			n.Flagged++
		}
		switch m.Status {
		case sms.Delivered:
			n.Delivered++
		case sms.Failed, sms.Rejected, sms.Expired:
			n.Failed++
		case sms.Pending:
			n.Pending++
		case sms.Unknown:
			n.Unknown++
		}
	}
	n.DeliveryRate = percentByHand(int(n.Delivered), int(n.Total))
	n.FailureRate = percentByHand(int(n.Failed), int(n.Total))
	return n
}

func deliveryByHand(messages []*sms.Message) analytics.DeliveryTime {
	var (
		took []time.Duration
		sum  time.Duration
	)
	for _, m := range messages {
		d := m.StatusAt.Sub(m.Submitted)
		if !m.Status.Final() || m.StatusAt.IsZero() || m.Submitted.IsZero() || d < 0 || d > 30*24*time.Hour {
			continue
		}
		took = append(took, d)
		sum += d
	}
	if len(took) == 0 {
		return analytics.DeliveryTime{}
	}
	return analytics.DeliveryTime{
		Messages: int64(len(took)), Avg: (sum / time.Duration(len(took))).Seconds(),
		P50: quantileByHand(took, 50).Seconds(), P95: quantileByHand(took, 95).Seconds(), P99: quantileByHand(took, 99).Seconds(),
	}
}

// costsByHand returns the costs by currency, and how many messages have none.
func costsByHand(messages []*sms.Message) (costs []analytics.Cost, unpriced int64) {
	type sum struct{ messages, delivered, total int64 }
	sums := make(map[string]*sum)
	for _, m := range messages {
		cost, currency := costByHand(m)
		if currency == "" {
			unpriced++
			continue
		}
		if sums[currency] == nil {
			sums[currency] = new(sum)
		}
		sums[currency].messages++
		sums[currency].total += cost
		if m.Status == sms.Delivered {
			sums[currency].delivered++
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		s := sums[currency]
		c := analytics.Cost{Currency: currency, Messages: s.messages, Total: float64(s.total) / 1e6, Average: eachByHand(s.total, s.messages)}
		if s.delivered > 0 {
			each := eachByHand(s.total, s.delivered)
			c.CostPerDelivered = &each
		}
		costs = append(costs, c)
	}
	return costs, unpriced
}

// eachByHand divides millionths, to the nearest one.
func eachByHand(total, n int64) float64 { return math.Round(float64(total)/float64(n)) / 1e6 }

func carriersByHand(messages []*sms.Message) (rows []analytics.Carrier) {
	type lane struct{ carrier, region, currency string }
	lanes := make(map[lane][]*sms.Message)
	for _, m := range messages {
		_, currency := costByHand(m)
		l := lane{strings.ToUpper(m.Carrier), m.Region, currency}
		lanes[l] = append(lanes[l], m)
	}
	for l, in := range lanes {
		row := analytics.Carrier{
			Carrier: l.carrier, Region: l.region, Currency: l.currency,
			Messages: countByHand(in), DeliveryTime: deliveryByHand(in),
		}
		if costs, _ := costsByHand(in); len(costs) == 1 {
			row.AverageCost, row.TotalCost, row.CostPerDelivered = &costs[0].Average, &costs[0].Total, costs[0].CostPerDelivered
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b analytics.Carrier) int {
		return cmp.Or(cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Currency, b.Currency))
	})
	return rows
}

// quantileByHand returns the smallest of some durations that at least so many per cent of them do not
// exceed.
func quantileByHand(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[(len(all)*percent+99)/100-1]
}

// percentByHand rounds half up to two decimals.
func percentByHand(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	p := math.Floor(float64(part)*10_000/float64(whole)+0.5) / 100
	return &p
}
