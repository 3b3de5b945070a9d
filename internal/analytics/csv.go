package analytics

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// WriteCSV writes the rows of the carriers, with a header. A figure that is not known is empty.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	rows := [][]string{{
		"carrier", "region", "currency", "totalMessages", "delivered", "failed", "pending", "unknown", "flagged",
		"segments", "deliveryRate", "failureRate", "failureRateLow", "failureRateHigh",
		"averageCost", "totalCost", "costPerDelivered",
		"timedMessages", "avgSeconds", "p50Seconds", "p95Seconds", "p99Seconds",
		"recommendedAction", "confidence", "routeTo", "fewerFailures", "saving", "savingPerMonth",
	}}
	for i := range r.Carriers {
		row := &r.Carriers[i]
		record := []string{cell(row.Carrier), cell(row.Region), cell(row.Currency)}
		record = append(record, row.Messages.cells()...)
		record = append(record, number(&row.FailureRateLow), number(&row.FailureRateHigh),
			number(row.AverageCost), number(row.TotalCost), number(row.CostPerDelivered))
		record = append(record, row.DeliveryTime.cells()...)
		record = append(record, string(row.Action), number(row.Confidence), cell(row.RouteTo),
			count(row.FewerFailures), number(row.Saving), number(row.SavingPerMonth))
		rows = append(rows, record)
	}
	return c.WriteAll(rows)
}

// WriteSeriesCSV writes the points of the series, with a header, and a column of costs for each
// currency.
func (r *Report) WriteSeriesCSV(w io.Writer) error {
	header := []string{
		"from", "totalMessages", "delivered", "failed", "pending", "unknown", "flagged", "segments",
		"deliveryRate", "failureRate", "timedMessages", "avgSeconds", "p50Seconds", "p95Seconds", "p99Seconds",
		"receipts", "avgLatencyMs", "p50LatencyMs", "p95LatencyMs", "p99LatencyMs", "slaCompliance",
	}
	for _, c := range r.Costs {
		header = append(header, cell("totalCost "+c.Currency))
	}
	rows := [][]string{header}
	for i := range r.Series {
		p := &r.Series[i]
		record := append([]string{p.From.Format(time.RFC3339)}, p.Messages.cells()...)
		record = append(record, p.DeliveryTime.cells()...)
		record = append(record, count(&p.Receipts), number(&p.AvgLatencyMs), number(&p.P50LatencyMs),
			number(&p.P95LatencyMs), number(&p.P99LatencyMs), number(p.SLACompliance))
		for _, c := range r.Costs {
			record = append(record, number(p.costIn(c.Currency)))
		}
		rows = append(rows, record)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

func (p *Point) costIn(currency string) *float64 {
	for _, c := range p.Costs {
		if c.Currency == currency {
			return &c.Total
		}
	}
	return nil
}

func (m *Messages) cells() []string {
	return []string{
		count(&m.Total), count(&m.Delivered), count(&m.Failed), count(&m.Pending), count(&m.Unknown),
		count(&m.Flagged), count(&m.Segments), number(m.DeliveryRate), number(m.FailureRate),
	}
}

func (d *DeliveryTime) cells() []string {
	if d.Messages == 0 {
		return []string{"0", "", "", "", ""}
	}
	return []string{count(&d.Messages), number(&d.Avg), number(&d.P50), number(&d.P95), number(&d.P99)}
}

// cell returns a text that no spreadsheet reads as a formula: an apostrophe goes before each sign that
// begins one, at the start of the text and after whatever a spreadsheet may read as a separator. The
// signs are those of OWASP's page on CSV injection.
func cell(text string) string {
	var safe strings.Builder
	start := true
	for _, r := range text {
		if start && strings.ContainsRune("=+-@＝＋－＠", r) {
			safe.WriteByte('\'')
		}
		safe.WriteRune(r)
		start = strings.ContainsRune(",;|\t\r\n\"", r) || start && unicode.IsSpace(r)
	}
	return safe.String()
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func count(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}
