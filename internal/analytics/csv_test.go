package analytics

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func TestWriteCSV(t *testing.T) {
	s := sumOfTraffic(traffic{"=HYPERLINK(\"http://x\",\"a\")", "US", 600, 400, 0, 7500}, traffic{"GOOD", "US", 970, 30, 5, 8000}, traffic{"GOOD", "GB", 1, 0, 0, 0})
	var b strings.Builder
	if err := s.Report(DefaultPolicy()).WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	want := `carrier,region,currency,totalMessages,delivered,failed,pending,unknown,flagged,segments,deliveryRate,failureRate,failureRateLow,failureRateHigh,averageCost,totalCost,costPerDelivered,timedMessages,avgSeconds,p50Seconds,p95Seconds,p99Seconds,recommendedAction,confidence,routeTo,fewerFailures,saving,savingPerMonth
"'=HYPERLINK(""http://x"",""a"")",US,USD,1000,600,400,0,0,0,1000,60,40,37.01,43.07,0.0075,7.5,0.0125,0,,,,,REROUTE,99.99,GOOD,370,2.526804,75.785704
GOOD,GB,,1,1,0,0,0,0,1,100,0,0,79.35,,,,0,,,,,INSUFFICIENT_DATA,,,,,
GOOD,US,USD,1005,970,30,5,0,0,1005,96.52,2.99,2.1,4.23,0.008,8.04,0.008289,0,,,,,KEEP,,,,,
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteSeriesCSV(t *testing.T) {
	now := time.Date(2026, 11, 22, 1, 44, 21, 0, time.UTC)
	w, err := NewWindow(now, time.Minute, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	d := new(Delta)
	d.Add(Contribution{Key: Key{Second: now.Unix(), Carrier: "X", Region: "US", Currency: "USD"}, Status: sms.Delivered,
		Segments: 2, Cost: 15_000, Timed: true, Took: 8 * time.Second})
	d.Observe(now, 3*time.Millisecond, time.Second, 1)
	s := NewSum(w, Filter{}, nil)
	if err := s.Add(d.Encode()); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := s.Report(DefaultPolicy()).WriteSeriesCSV(&b); err != nil {
		t.Fatal(err)
	}
	want := `from,totalMessages,delivered,failed,pending,unknown,flagged,segments,deliveryRate,failureRate,timedMessages,avgSeconds,p50Seconds,p95Seconds,p99Seconds,receipts,avgLatencyMs,p50LatencyMs,p95LatencyMs,p99LatencyMs,slaCompliance,totalCost USD
2026-11-22T01:43:21Z,0,0,0,0,0,0,0,,,0,,,,,0,0,0,0,0,,
2026-11-22T01:43:30Z,0,0,0,0,0,0,0,,,0,,,,,0,0,0,0,0,,
2026-11-22T01:44:00Z,1,1,0,0,0,0,2,100,0,1,8,8.061,8.061,8.061,1,3,2.975,2.975,2.975,100,0.015
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whichever of the usual signs a spreadsheet takes for a separator, no cell begins a formula, and
// without the apostrophes the text is what it was.
func TestCellIsNeverAFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("=+-@＝;,|\t\n\" aX1 \u00a0"))).Draw(t, "text")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll([][]string{{"first", cell(text)}}); err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.FieldsFunc(b.String(), func(r rune) bool { return strings.ContainsRune(",;|\t\n\"", r) }) {
			part = strings.TrimLeftFunc(part, unicode.IsSpace)
			if part != "" && strings.ContainsAny(part[:1], "=+-@") || strings.HasPrefix(part, "＝") {
				t.Fatalf("%q is written %q", text, b.String())
			}
		}
		if strings.ReplaceAll(cell(text), "'", "") != text {
			t.Fatalf("%q became %q", text, cell(text))
		}
	})
	for _, text := range []string{"", "VERIZON", "T-Mobile", "AT&T", "a=b", "UNKNOWN"} {
		if cell(text) != text {
			t.Errorf("%q became %q", text, cell(text))
		}
	}
}
