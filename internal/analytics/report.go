package analytics

import (
	"maps"
	"slices"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

// Report is the answer to a question. Rates are per cent with two decimals, of all messages, those
// that are still pending included; null where there is no message. Money is in units of its currency.
type Report struct {
	From   time.Time `json:"from" doc:"Begin of the window, in UTC: messages first seen at this time or later are in it"`
	To     time.Time `json:"to" doc:"When the question was asked"`
	Window string    `json:"window" doc:"Length of the window that was asked for"`

	Processing
	Throughput int64 `json:"throughput" doc:"Receipts that became durable in the last 60 seconds, of all carriers and regions"`

	Messages
	DeliveryTime DeliveryTime `json:"deliveryTime"`
	Unpriced     int64        `json:"unpricedMessages" doc:"Messages without a price: no receipt names one, and the rate card has none. They cost something, and are in no cost."`
	Costs        []Cost       `json:"costs" doc:"By currency"`

	Carriers []Carrier `json:"carrierAnalytics" doc:"By carrier, region and currency; OTHER is the carriers beyond the 2,000 rows with the most messages. Counts and rates are of the row; what is recommended is of the carrier in the region, whatever the currency."`
	Series   []Point   `json:"series,omitempty" doc:"By time, where a step is given"`
}

// Processing says how long receipts took from their arrival until they were durable.
type Processing struct {
	Receipts      int64    `json:"receipts" doc:"Receipts that became durable in the window, of all carriers, the known ones included"`
	AvgLatencyMs  float64  `json:"avgLatencyMs" doc:"Mean time from the arrival of a receipt until it was durable, in milliseconds; of all carriers and regions, as all latencies"`
	P50LatencyMs  float64  `json:"p50LatencyMs" doc:"Half of the receipts were as quick; within 2 %"`
	P95LatencyMs  float64  `json:"p95LatencyMs"`
	P99LatencyMs  float64  `json:"p99LatencyMs"`
	SLACompliance *float64 `json:"slaCompliance" doc:"Receipts of all carriers and regions that were durable within the SLA that was set at the time, in per cent; null without receipts"`
}

// Messages counts messages by what became of them.
type Messages struct {
	Total        int64    `json:"totalMessages"`
	Delivered    int64    `json:"delivered"`
	Failed       int64    `json:"failed" doc:"FAILED, REJECTED and EXPIRED"`
	Pending      int64    `json:"pending"`
	Unknown      int64    `json:"unknown" doc:"In a state that is not known: neither delivered nor failed"`
	Flagged      int64    `json:"flagged" doc:"Messages whose sender ID violates a rule"`
	Segments     int64    `json:"segments" doc:"One for a message of unknown length"`
	DeliveryRate *float64 `json:"deliveryRate" doc:"delivered / totalMessages, in per cent"`
	FailureRate  *float64 `json:"failureRate" doc:"failed / totalMessages, in per cent"`
}

// DeliveryTime says how long messages took from submission to their final event, in seconds.
type DeliveryTime struct {
	Messages int64   `json:"messages" doc:"Messages in a final state for which both times are known"`
	Avg      float64 `json:"avgSeconds"`
	P50      float64 `json:"p50Seconds" doc:"Half of the messages were as quick; within 2 %"`
	P95      float64 `json:"p95Seconds"`
	P99      float64 `json:"p99Seconds"`
}

// Cost is what messages cost in one currency.
type Cost struct {
	Currency         string   `json:"currency" doc:"ISO 4217; XXX for costs that receipts name without a currency"`
	Messages         int64    `json:"messages" doc:"Messages with a cost in this currency"`
	Total            float64  `json:"totalCost"`
	Average          float64  `json:"averageCost" doc:"For each message"`
	CostPerDelivered *float64 `json:"costPerDelivered" doc:"Total cost for each delivered message; null where none was delivered"`
}

// Carrier is a row of the report: a carrier in a region, and a currency.
type Carrier struct {
	Carrier  string `json:"carrier"`
	Region   string `json:"region"`
	Currency string `json:"currency" doc:"Empty for messages without a price"`

	Messages
	DeliveryTime DeliveryTime `json:"deliveryTime"`

	AverageCost      *float64 `json:"averageCost" doc:"For each message; null without a price"`
	TotalCost        *float64 `json:"totalCost"`
	CostPerDelivered *float64 `json:"costPerDelivered" doc:"Total cost for each delivered message; null where none was delivered"`

	Recommendation
}

// Point is a point of the series: what was first seen from its time until the next.
type Point struct {
	From time.Time `json:"from"`
	Processing
	Messages
	DeliveryTime DeliveryTime `json:"deliveryTime"`
	Costs        []PointCost  `json:"costs" doc:"By currency"`
}

// PointCost is the cost of the messages of a point in one currency.
type PointCost struct {
	Currency string  `json:"currency"`
	Total    float64 `json:"totalCost"`
}

// Report draws the answer from what was added up. The policy must be valid.
func (s *Sum) Report(policy Policy) *Report {
	r := &Report{
		From: s.window.From, To: s.window.Now.UTC(), Window: formatLength(s.window.Length),
		Processing: s.processing.report(), Throughput: s.throughput,
		Costs: []Cost{}, Carriers: []Carrier{},
	}
	shown, hidden := rows(&s.shown), rows(&s.hidden)
	recommend := newAdviser(policy, s.window, slices.Concat(shown, hidden))
	all, costs := new(Counts), make(map[string]*Counts)
	for _, e := range shown {
		all.merge(&e.Counts)
		if e.key.Currency == "" {
			r.Unpriced += e.Total()
		} else {
			if costs[e.key.Currency] == nil {
				costs[e.key.Currency] = new(Counts)
			}
			costs[e.key.Currency].mergeNumbers(&e.Counts)
		}
		row := carrierRow(e)
		row.Recommendation = recommend.about(e)
		r.Carriers = append(r.Carriers, row)
	}
	r.Messages, r.DeliveryTime = all.report(), all.deliveryTime()
	for _, currency := range slices.Sorted(maps.Keys(costs)) {
		r.Costs = append(r.Costs, costs[currency].cost(currency))
	}
	for i := range s.points {
		r.Series = append(r.Series, s.points[i].report(s.begins[i]))
	}
	return r
}

func carrierRow(e *entry) Carrier {
	row := Carrier{
		Carrier: e.key.Carrier, Region: e.key.Region, Currency: e.key.Currency,
		Messages: e.report(), DeliveryTime: e.deliveryTime(),
	}
	if row.Currency != "" {
		cost := e.cost(row.Currency)
		row.AverageCost, row.TotalCost, row.CostPerDelivered = &cost.Average, &cost.Total, cost.CostPerDelivered
	}
	return row
}

func (p *sumPoint) report(from int64) Point {
	point := Point{
		From: time.Unix(from, 0).UTC(), Processing: p.processing.report(),
		Messages: p.counts.report(), DeliveryTime: p.counts.deliveryTime(), Costs: []PointCost{},
	}
	for _, currency := range slices.Sorted(maps.Keys(p.costs)) {
		if c := p.costs[currency]; c.messages > 0 {
			point.Costs = append(point.Costs, PointCost{currency, c.total.Units()})
		}
	}
	return point
}

func (c *Counts) report() Messages {
	total := c.Total()
	return Messages{
		Total: total, Delivered: c.With(sms.Delivered), Failed: c.Failed(),
		Pending: c.With(sms.Pending), Unknown: c.With(sms.Unknown),
		Flagged: c.Flagged, Segments: c.Segments,
		DeliveryRate: percent(c.With(sms.Delivered), total), FailureRate: percent(c.Failed(), total),
	}
}

func (c *Counts) deliveryTime() DeliveryTime {
	n := c.Times.Count()
	if n == 0 {
		return DeliveryTime{}
	}
	quantile := func(q float64) float64 { return wholeMillis(c.Times.Quantile(q)) }
	return DeliveryTime{
		Messages: n, Avg: wholeMillis(time.Duration(c.TimeSum/n) * time.Microsecond),
		P50: quantile(0.50), P95: quantile(0.95), P99: quantile(0.99),
	}
}

// wholeMillis is a time in seconds with three decimals.
func wholeMillis(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

// cost returns the cost of messages that all have one. There is at least one message.
func (c *Counts) cost(currency string) Cost {
	total := c.Total()
	cost := Cost{Currency: currency, Messages: total, Total: c.Cost.Units(), Average: c.Cost.per(total).Units()}
	if delivered := c.With(sms.Delivered); delivered > 0 {
		each := c.Cost.per(delivered).Units()
		cost.CostPerDelivered = &each
	}
	return cost
}

func (l *Latency) report() Processing {
	if l.Receipts == 0 {
		return Processing{}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Processing{
		Receipts:      l.Receipts,
		AvgLatencyMs:  ms(l.Sum / time.Duration(l.Receipts)),
		P50LatencyMs:  ms(l.Times.Quantile(0.50)),
		P95LatencyMs:  ms(l.Times.Quantile(0.95)),
		P99LatencyMs:  ms(l.Times.Quantile(0.99)),
		SLACompliance: percent(l.Within, l.Receipts),
	}
}

// percent returns a share in per cent, rounded half up to two decimals, or nil of nothing.
func percent(part, whole int64) *float64 {
	if whole <= 0 {
		return nil
	}
	p := float64((part*10_000*2+whole)/(whole*2)) / 100
	return &p
}
