package console

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/store"
)

func TestCarriers(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	b.report.Unpriced = 2
	b.store.alarms = []store.Alarm{slowAlarm("VODAFONE")}
	page := b.get(t, "/carriers", viewerToken).Body.String()
	want(t, page,
		`id="carriers-table"`, `id="carriers-charts"`, "31.00 %", "25.0 to 37.7 %", "0.0627 EUR", "8.40 EUR",
		`<span class="badge bad">Reroute</span> <strong>to <bdi>TELEFONICA</bdi></strong>`,
		"The failure rate of 31 % is above the limit of 15 %, with 99.99 % confidence. About 56 fewer messages would have failed with TELEFONICA. Rerouting saves 12.30 EUR a month.",
		"The failure rate of 3 % is not above the limit of 15 %.", "Only 2 messages have a final status; 50 are needed to judge.",
		`<span class="badge warn">Slow</span>`, "34 % of its messages within 1 h took longer than 5 min.",
		"2 messages have no price", "no price", "/carriers.csv?", "&lt;script&gt;alert(1)&lt;/script&gt;", `<option>GB</option>`,
	)
	wantNot(t, page, "<script>alert")
	if len(b.asked) == 0 || b.asked[0] != (answers.Question{Length: 24 * time.Hour}) {
		t.Errorf("asked %+v", b.asked)
	}
}

// The interval and the action are of all currencies of a route, where there are several.
func TestCarriersOfSeveralCurrencies(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	const shared = `25.0 to 37.7 %</span><span class="sub">all currencies</span>`
	if page := b.get(t, "/carriers", viewerToken).Body.String(); strings.Contains(page, ">all currencies<") {
		t.Error("one currency is said to be several")
	}
	first := slices.IndexFunc(b.report.Carriers, func(c analytics.Carrier) bool { return c.Carrier == "VODAFONE" })
	other := b.report.Carriers[first]
	other.Currency = "USD"
	b.report.Carriers = slices.Insert(b.report.Carriers, first+1, other)
	if page := b.get(t, "/carriers", viewerToken).Body.String(); strings.Count(page, shared) != 2 || strings.Count(page, ">all currencies<") != 2 {
		t.Errorf("not both rows say so:\n%s", page)
	}
}

// A delivery time of 0 is known, as that of receipts which tell only minutes. That of no message is not.
func TestCarriersDeliveryTime(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	b.report.Carriers[0].DeliveryTime = analytics.DeliveryTime{Messages: 3, P95: 60}
	page := b.get(t, "/carriers?sort=time", viewerToken).Body.String()
	want(t, page, `>1 min<span class="sub">p50 0 s</span>`, `data-label="Time, p95" class="num"><span>–</span>`)
	if n := strings.Count(page, `<span class="sub">p50`); n != 1 {
		t.Errorf("%d rows have a delivery time", n)
	}
	b.report.Carriers[0].DeliveryTime.P95 = 0
	page = b.get(t, "/carriers?sort=-time", viewerToken).Body.String()
	if names := rowName.FindStringSubmatch(page); names[1] != "TELEFONICA" {
		t.Errorf("%s, of which nothing is known, comes before 0 s", names[1])
	}
}

func TestCarriersFilter(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	page := b.get(t, "/carriers?window=7d&carrier=vodafone&region=fr", viewerToken).Body.String()
	if want := (answers.Question{Length: 7 * day, Filter: analytics.Filter{Carrier: "vodafone", Region: "FR"}}); b.asked[0] != want {
		t.Errorf("asked %+v", b.asked[0])
	}
	want(t, page, `value="vodafone"`, `<option selected>FR</option>`, `name="window" value="7d"`,
		`href="/carriers?carrier=vodafone&amp;region=fr&amp;window=1h"`, `href="/carriers.csv?carrier=vodafone&amp;region=fr&amp;window=7d"`)
	if w := b.get(t, "/carriers?region=nowhere", viewerToken); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a region that is none: %d", w.Code)
	}
}

var rowName = regexp.MustCompile(`<th scope="row" class="name"><bdi>([^<]*)</bdi>`)

func TestCarriersSort(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	const odd = "&lt;script&gt;alert(1)&lt;/script&gt;"
	for sort, want := range map[string][]string{
		"":         {"VODAFONE", odd, "TELEFONICA"},
		"carrier":  {odd, "TELEFONICA", "VODAFONE"},
		"-carrier": {"VODAFONE", "TELEFONICA", odd},
		"-failure": {odd, "VODAFONE", "TELEFONICA"},
		"failure":  {"TELEFONICA", "VODAFONE", odd},
		"-total":   {"TELEFONICA", "VODAFONE", odd},
		"-cost":    {"TELEFONICA", "VODAFONE", odd},
		"each":     {odd, "TELEFONICA", "VODAFONE"},
		"region":   {odd, "TELEFONICA", "VODAFONE"},
		"nothing":  {odd, "TELEFONICA", "VODAFONE"},
	} {
		page := b.get(t, "/carriers?sort="+sort, viewerToken).Body.String()
		var got []string
		for _, m := range rowName.FindAllStringSubmatch(page, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %q: %q, want %q", sort, got, want)
		}
	}
	page := b.get(t, "/carriers?sort=-failure", viewerToken).Body.String()
	want(t, page, `aria-sort="descending"><a href="/carriers?sort=failure">Failed`, `<a href="/carriers?sort=-total">Messages`, `<a href="/carriers?sort=carrier">Carrier`)
}

// Pages are looked at again soon, and share answers. Who takes a file along has all that was acknowledged.
func TestAgeOfAnswers(t *testing.T) {
	for path, isRecent := range map[string]bool{"/": true, "/carriers": true, "/carriers.csv": false} {
		b := newBench()
		b.get(t, path, viewerToken)
		if asked := len(b.questions()); asked == 0 || isRecent && b.recent != asked || !isRecent && b.recent != 0 {
			t.Errorf("%s: %d of %d questions may have an older answer", path, b.recent, asked)
		}
	}
}

func TestCarriersExport(t *testing.T) {
	b := newBench()
	b.report = reportWithReroute()
	b.report.Carriers[2].Carrier = "=HYPERLINK(1)"
	w := b.get(t, "/carriers.csv?window=7d", viewerToken)
	if got := w.Header(); w.Code != http.StatusOK || got.Get("Content-Type") != "text/csv; charset=utf-8" || got.Get("Content-Disposition") != `attachment; filename="carriers-7d.csv"` {
		t.Errorf("%d %v", w.Code, got)
	}
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 4 || rows[2][0] != "VODAFONE" || rows[3][0] != "'=HYPERLINK(1)" {
		t.Errorf("%v %q", err, rows)
	}
	if w := b.get(t, "/carriers.csv", ""); w.Code != http.StatusSeeOther {
		t.Errorf("a stranger gets %d", w.Code)
	}
	if w := b.get(t, "/carriers.csv?window=x", viewerToken); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a window that is none: %d", w.Code)
	}
	b.store.err = store.ErrUnavailable
	if w := b.get(t, "/carriers.csv", viewerToken); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a database: %d", w.Code)
	}
}

// A carrier that is paid in two currencies has two rows and one advice.
func TestAdvice(t *testing.T) {
	policy := analytics.DefaultPolicy()
	row := func(failed, total int64, rec analytics.Recommendation, currency string) *analytics.Carrier {
		return &analytics.Carrier{Carrier: "A", Region: "DE", Currency: currency, Recommendation: rec,
			Messages: analytics.Messages{Total: total, Failed: failed, Delivered: total - failed}}
	}
	reroute := func(to string, fewer int64, saving *float64) analytics.Recommendation {
		r := analytics.Recommendation{Action: analytics.Reroute, Confidence: of(97.5), RouteTo: to, SavingPerMonth: saving}
		if to != "" {
			r.FewerFailures = &fewer
		}
		return r
	}
	for _, test := range []struct {
		rows []*analytics.Carrier
		want string
	}{
		{[]*analytics.Carrier{row(40, 100, reroute("", 0, nil), "EUR")},
			"The failure rate of 40 % is above the limit of 15 %, with 97.5 % confidence. No other carrier in this region is clearly better."},
		{[]*analytics.Carrier{row(40, 100, reroute("B", 30, of(-3.2)), "EUR")},
			"The failure rate of 40 % is above the limit of 15 %, with 97.5 % confidence. About 30 fewer messages would have failed with B. Rerouting costs 3.20 EUR a month more."},
		{[]*analytics.Carrier{row(40, 100, reroute("B", 30, of(10)), "EUR"), row(20, 100, reroute("B", 11, of(2)), "USD")},
			"The failure rate of 30 % is above the limit of 15 %, with 97.5 % confidence. About 41 fewer messages would have failed with B. Rerouting saves 10.00 EUR a month and saves 2.00 USD a month."},
		{[]*analytics.Carrier{row(40, 100, reroute("B", 30, nil), "")},
			"The failure rate of 40 % is above the limit of 15 %, with 97.5 % confidence. About 30 fewer messages would have failed with B."},
		{[]*analytics.Carrier{row(12, 70, analytics.Recommendation{Action: analytics.InsufficientData, FailureRateLow: 10.08, FailureRateHigh: 27.6}, "")},
			"The failure rate of 17.1 % is above the limit of 15 %, but of so few messages that this may be chance: the interval is 10.1 to 27.6 %."},
	} {
		report := new(analytics.Report)
		for _, r := range test.rows {
			report.Carriers = append(report.Carriers, *r)
		}
		routes := routesOf(report)
		if len(routes) != 1 {
			t.Fatalf("%d routes", len(routes))
		}
		if got := advice(routes[0], policy); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// However large a sample must be, the advice says exactly how large it is.
func TestAdviceOnASmallSample(t *testing.T) {
	policy := analytics.DefaultPolicy()
	policy.MinSample = 5000
	r := &route{
		Action: analytics.InsufficientData, Messages: analytics.Messages{Total: 4321, Delivered: 4321},
		rows: []*analytics.Carrier{{Carrier: "A"}},
	}
	if got, want := advice(r, policy), "Only 4,321 messages have a final status; 5,000 are needed to judge."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Carrier = analytics.OtherCarriers
	if got, want := advice(r, policy), "These are many carriers together, and no judgement of one of them."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A carrier that is bad in several regions gets one text, whichever other carriers are better there.
func TestRerouteText(t *testing.T) {
	bad := func(region, to string) *route {
		rec := analytics.Recommendation{Action: analytics.Reroute, RouteTo: to}
		if fewer := int64(600); to != "" {
			rec.FewerFailures = &fewer
		}
		return &route{
			Carrier: "A", Region: region, Action: analytics.Reroute, Messages: analytics.Messages{Total: 1000, Failed: 300},
			rows: []*analytics.Carrier{{Carrier: "A", Region: region, Recommendation: rec}},
		}
	}
	for want, routes := range map[string][]*route{
		"A has a failure rate of 30 %, and no other carrier there is clearly better.":                              {bad("", "")},
		"A has a failure rate of 30 % in DE: route to B. About 600 fewer messages would have failed with B.":       {bad("DE", "B")},
		"A has a failure rate of 30 % in 2 regions. No other carrier is clearly better in unknown regions and DE.": {bad("", ""), bad("DE", "")},
		"A has a failure rate of 30 % in 4 regions: route to B in BR and US, to C in DE. About 1,800 fewer messages " +
			"would have failed there. No other carrier is clearly better in FR.": {bad("BR", "B"), bad("DE", "C"), bad("FR", ""), bad("US", "B")},
	} {
		if got := rerouteText(routes); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A chart shows no more bars than can be read.
func TestCarrierChartsAreBounded(t *testing.T) {
	report := new(analytics.Report)
	for i := range 200 {
		report.Carriers = append(report.Carriers, analytics.Carrier{
			Carrier: "C" + strings.Repeat("x", i), Messages: analytics.Messages{Total: int64(i + 1), Failed: 1},
		})
	}
	drawings, err := carrierCharts(report)
	if err != nil || len(drawings) != 2 || len(drawings[0].Names) != maxBars {
		t.Fatalf("%v %d", err, len(drawings))
	}
}
