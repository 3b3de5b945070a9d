package analytics_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
)

// database is what a store keeps: the messages, deltas that no rollup has yet, and rollups.
type database struct {
	messages map[string]*sms.Message
	deltas   [][]byte
	rollups  map[analytics.Level]map[int64][]byte
}

func newDatabase() *database {
	return &database{messages: make(map[string]*sms.Message), rollups: make(map[analytics.Level]map[int64][]byte)}
}

// commit folds receipts as a commit does, and writes the difference.
func (db *database) commit(receipts []*sms.Receipt, observed *analytics.Delta) {
	judge := &sms.Judge{Rules: sms.DefaultRules(), DefaultRegion: "FR"}
	delta, before := new(analytics.Delta), make(map[string]analytics.Contribution)
	delta.Merge(observed)
	changed := make(map[string]bool)
	for _, r := range receipts {
		m := db.messages[r.MessageID]
		if m == nil {
			m = new(sms.Message)
			db.messages[r.MessageID] = m
		} else if _, noted := before[r.MessageID]; !noted && !changed[r.MessageID] {
			before[r.MessageID] = analytics.ContributionOf(m)
		}
		if m.Fold(r) {
			changed[r.MessageID] = true
		}
	}
	for id := range changed {
		judge.Settle(db.messages[id])
		if c, existed := before[id]; existed {
			delta.Remove(c)
		}
		delta.Add(analytics.ContributionOf(db.messages[id]))
	}
	if !delta.Empty() {
		db.deltas = append(db.deltas, delta.Encode())
	}
}

// compact moves some deltas into rollups.
func (db *database) compact(t *rapid.T, now time.Time) {
	db.deltas = rapid.Permutation(db.deltas).Draw(t, "deltas")
	n := rapid.IntRange(0, len(db.deltas)).Draw(t, "compacted")
	taken := new(analytics.Delta)
	for _, d := range db.deltas[:n] {
		must(t, taken.MergeEncoded(d))
	}
	db.deltas = db.deltas[n:]
	for _, r := range taken.Rollups(now) {
		if db.rollups[r.Level] == nil {
			db.rollups[r.Level] = make(map[int64][]byte)
		}
		if known := db.rollups[r.Level][r.Bucket]; known != nil {
			must(t, r.Delta.MergeEncoded(known))
		}
		db.rollups[r.Level][r.Bucket] = r.Encode()
	}
}

func (db *database) fill(t *rapid.T, sum *analytics.Sum) {
	for _, r := range sum.Ranges() {
		for bucket, counts := range db.rollups[r.Level] {
			if bucket >= r.From && bucket < r.To {
				must(t, sum.Add(counts))
			}
		}
	}
	for _, d := range db.deltas {
		must(t, sum.Add(d))
	}
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

const testCard = `
currency: USD
prices:
  - {carrier: A, price: 0.0075, from: 2026-11-01}
  - {carrier: A, price: 0.0080, from: 2026-11-22}
  - {carrier: B, region: US, price: 0.04, currency: EUR}
`

func drawReceipt(t *rapid.T, now time.Time) *sms.Receipt {
	statuses := []sms.Status{sms.Pending, sms.Unknown, sms.Expired, sms.Rejected, sms.Failed, sms.Delivered}
	submitted := now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "submitted")) * time.Hour)
	ago := rapid.SampledFrom([]int64{0, 1, 59, 60, 61, 3600, 7200, 7201, 86400, 86400 * 7, 86400 * 40, 86400 * 100}).Draw(t, "ago")
	r := &sms.Receipt{
		MessageID: rapid.SampledFrom([]string{"m1", "m2", "m3", "m4", "m5", "m6"}).Draw(t, "id"),
		Status:    rapid.SampledFrom(statuses).Draw(t, "status"),
		At:        submitted.Add(time.Duration(rapid.IntRange(-10, 1000).Draw(t, "took")) * time.Second),
		Carrier:   rapid.SampledFrom([]string{"", "A", "A", "B", "C"}).Draw(t, "carrier"),
		Region:    rapid.SampledFrom([]string{"", "US", "GB"}).Draw(t, "region"),
		SenderID:  rapid.SampledFrom([]string{"", "ACME", "+14155550123"}).Draw(t, "sender"),
		Segments:  rapid.IntRange(0, 3).Draw(t, "segments"),
		Cost:      rapid.SampledFrom([]string{"", "", "0.0123", "2"}).Draw(t, "cost"),
		Received:  now.Add(-time.Duration(ago)*time.Second - time.Duration(rapid.IntRange(0, 999_999).Draw(t, "micros"))*time.Microsecond),
		Raw:       []byte("{}"),
	}
	if rapid.Bool().Draw(t, "names submission") {
		r.Submitted = submitted
	}
	if r.Cost != "" {
		r.Currency = rapid.SampledFrom([]string{"", "EUR"}).Draw(t, "currency")
	}
	return r
}

// Whatever the receipts, their order, the commits and the compactions, the report is the one that is
// drawn from the messages themselves.
func TestReportEqualsCountOfAllMessages(t *testing.T) {
	card, err := analytics.ParseRateCard("card.yaml", []byte(testCard))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)
		db := newDatabase()
		var observed []time.Time
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			latency := new(analytics.Delta)
			for range rapid.IntRange(0, 2).Draw(t, "observed") {
				moment := now.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "durable")) * time.Second)
				latency.Observe(moment, 20*time.Millisecond, 500*time.Millisecond, 1)
				observed = append(observed, moment)
			}
			receipts := make([]*sms.Receipt, rapid.IntRange(0, 6).Draw(t, "receipts"))
			for i := range receipts {
				receipts[i] = drawReceipt(t, now)
			}
			db.commit(receipts, latency)
			db.compact(t, now)
		}
		length := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 2 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 90 * 24 * time.Hour}).Draw(t, "window")
		window, err := analytics.NewWindow(now, length, rapid.SampledFrom([]time.Duration{0, max(time.Hour, length/20).Truncate(time.Hour)}).Draw(t, "step"))
		if err != nil {
			window, err = analytics.NewWindow(now, length, 0)
		}
		must(t, err)
		filter, err := analytics.NewFilter(rapid.SampledFrom([]string{"", "a"}).Draw(t, "of carrier"), rapid.SampledFrom([]string{"", "us"}).Draw(t, "of region"))
		must(t, err)
		sum := analytics.NewSum(window, filter, card)
		db.fill(t, sum)
		got := sum.Report(analytics.DefaultPolicy())
		checkReport(t, got, db, window, filter, card)
		var inWindow, recent int64
		for _, o := range observed {
			if !o.Before(window.From) {
				inWindow++
			}
			if now.Unix()-o.Unix() < 60 {
				recent++
			}
		}
		if got.Receipts != inWindow || got.Throughput != recent {
			t.Fatalf("%d receipts and a throughput of %d, want %d and %d", got.Receipts, got.Throughput, inWindow, recent)
		}
	})
}

// row is a row of the report as plain counting has it.
type row struct {
	Total, Delivered, Failed, Pending, Unknown, Flagged, Segments, Timed int64
	Cost                                                                 string // exact, in units
	Took                                                                 time.Duration
}

func (r *row) count(m *sms.Message, cost *big.Rat) {
	r.Total++
	switch m.Status {
	case sms.Delivered:
		r.Delivered++
	case sms.Pending:
		r.Pending++
	case sms.Unknown:
		r.Unknown++
	default:
		r.Failed++
	}
	if m.Compliance == sms.Violation {
		r.Flagged++
	}
	r.Segments += int64(max(1, m.Segments))
	if took := m.StatusAt.Sub(m.Submitted); m.Status.Final() && !m.Submitted.IsZero() && took >= 0 {
		r.Timed++
		r.Took += took
	}
	before, _ := new(big.Rat).SetString("0" + r.Cost)
	r.Cost = before.Add(before, cost).FloatString(6)
}

func checkReport(t *rapid.T, got *analytics.Report, db *database, w analytics.Window, f analytics.Filter, card *analytics.RateCard) {
	want, points := make(map[string]*row), make(map[int64]int64)
	var total, unpriced int64
	for _, m := range db.messages {
		if m.FirstSeen.Before(w.From) || f.Carrier != "" && m.Carrier != "A" || f.Region != "" && m.Region != "US" {
			continue
		}
		cost, currency := new(big.Rat), m.Currency
		price, priceCurrency, priced := card.Price(m.Carrier, m.Region, m.FirstSeen.Unix())
		switch {
		case m.Cost != "":
			cost.SetString(m.Cost)
			if currency == "" {
				currency = "USD"
			}
		case priced:
			cost, currency = big.NewRat(int64(price)*int64(max(1, m.Segments)), 1_000_000), priceCurrency
		default:
			currency = ""
			unpriced++
		}
		key := fmt.Sprint(m.Carrier, " ", m.Region, " ", currency)
		if want[key] == nil {
			want[key] = new(row)
		}
		want[key].count(m, cost)
		total++
		for _, p := range slices.Backward(got.Series) {
			if !m.FirstSeen.Before(p.From) {
				points[p.From.Unix()]++
				break
			}
		}
	}
	rows := make(map[string]*row)
	for _, c := range got.Carriers {
		r := &row{
			Total: c.Total, Delivered: c.Delivered, Failed: c.Failed, Pending: c.Pending, Unknown: c.Unknown,
			Flagged: c.Flagged, Segments: c.Segments, Timed: c.DeliveryTime.Messages, Cost: "0.000000",
		}
		if c.TotalCost != nil {
			r.Cost = fmt.Sprintf("%.6f", *c.TotalCost)
		}
		r.Took = time.Duration(math.Round(c.DeliveryTime.Avg*float64(r.Timed))) * time.Second
		rows[fmt.Sprint(c.Carrier, " ", c.Region, " ", c.Currency)] = r
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	if got.Total != total || got.Unpriced != unpriced {
		t.Fatalf("%d messages, %d of them without a price; want %d and %d", got.Total, got.Unpriced, total, unpriced)
	}
	for _, p := range got.Series {
		if p.Total != points[p.From.Unix()] {
			t.Fatalf("%d messages from %v on, want %d", p.Total, p.From, points[p.From.Unix()])
		}
	}
}

func TestNewFilter(t *testing.T) {
	if f, err := analytics.NewFilter(" Verizon ", "uk"); err != nil || f != (analytics.Filter{Carrier: "Verizon", Region: "GB"}) {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err := analytics.NewFilter("", "England"); err == nil {
		t.Error("England is a region")
	}
}

// A report of nothing says so, and claims neither that all is well nor that all is lost.
func TestReportOfNothing(t *testing.T) {
	w, err := analytics.NewWindow(base, 24*time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := analytics.NewSum(w, analytics.Filter{}, nil).Report(analytics.DefaultPolicy())
	want := &analytics.Report{
		From: w.From, To: base, Window: "24h", Costs: []analytics.Cost{}, Carriers: []analytics.Carrier{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Deltas that cancel out leave no trace, whether a compaction has added them up or not.
func TestReportOfWhatCancelsOut(t *testing.T) {
	window, err := analytics.NewWindow(base, time.Hour, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	message := analytics.ContributionOf(&sms.Message{
		Carrier: "A", Status: sms.Delivered, FirstSeen: base, Submitted: base, StatusAt: base, Cost: "1", Currency: "EUR",
	})
	var added, removed analytics.Delta
	added.Add(message)
	removed.Remove(message)
	got, want := analytics.NewSum(window, analytics.Filter{}, nil), analytics.NewSum(window, analytics.Filter{}, nil)
	for _, d := range []*analytics.Delta{&added, &removed} {
		if err := got.Add(d.Encode()); err != nil {
			t.Fatal(err)
		}
	}
	policy := analytics.DefaultPolicy()
	if diff := cmp.Diff(want.Report(policy), got.Report(policy)); diff != "" {
		t.Errorf("(-nothing +got):\n%s", diff)
	}
	if shares := got.SlowShares(time.Second); shares != nil {
		t.Errorf("slow shares: %+v", shares)
	}
}

// Ten million messages, one in a hundred of which expires after two days, take longer together than
// nanoseconds can count.
func TestMeanOfManyLongTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 1, 44, 21, 0, time.UTC)
	d := new(analytics.Delta)
	at := analytics.Key{Second: now.Unix(), Carrier: "VODAFONE", Region: "GB"}
	for range 24 { // 2^24 messages by doubling
		if d.Empty() {
			d.Add(analytics.Contribution{Key: at, Status: sms.Expired, Segments: 1, Timed: true, Took: 48 * time.Hour})
		}
		same, err := analytics.Decode(d.Encode())
		if err != nil {
			t.Fatal(err)
		}
		d.Merge(same)
	}
	window, err := analytics.NewWindow(now, 24*time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := analytics.NewSum(window, analytics.Filter{}, nil)
	if err := sum.Add(d.Encode()); err != nil {
		t.Fatal(err)
	}
	if got := sum.Report(analytics.DefaultPolicy()).DeliveryTime.Avg; got != 48*3600 {
		t.Errorf("the mean of %d times of 48 h is %v s", 1<<24, got)
	}
}
