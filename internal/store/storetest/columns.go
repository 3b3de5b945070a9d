package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/cxbridge/cxbridge/internal/sms"
)

func testColumns(t *testing.T, create func(t *testing.T) Open) {
	s := migrated(t, create)
	full := func(id string) *sms.Receipt {
		return &sms.Receipt{
			MessageID: id, Status: sms.Rejected, RawStatus: "REJECTD", At: at(5), Carrier: "TWILIO",
			ErrorCode: "0x0000000B", SenderID: "ACME", Recipient: "+4915112345678", RecipientRegion: "DE",
			Segments: 3, Submitted: at(-60), Cost: "0.0075", Currency: "EUR", Received: at(6),
			Raw: []byte(`{"b": 1,  "a": [true, null, "é\u0000\ud83d\ude00"], "b2":1e400, "a": 2}`),
		}
	}

	for name, change := range map[string]func(r *sms.Receipt){
		"AllNamed":     func(*sms.Receipt) {},
		"RegionNamed":  func(r *sms.Receipt) { r.Region = "GB" },
		"NothingNamed": func(r *sms.Receipt) { *r = *receipt(r.MessageID, sms.Unknown, time.Time{}, at(6)) },
		"Unicode": func(r *sms.Receipt) {
			r.SenderID, r.ErrorCode, r.RawStatus = "Größe 短信 🙂", "e\u0301", "'); --\\\"%_"
		},
		"LongText":       func(r *sms.Receipt) { r.SenderID, r.Carrier = strings.Repeat("é", 4000), strings.Repeat("C", 10_000) },
		"LongBody":       func(r *sms.Receipt) { r.Raw = []byte(`{"pad":"` + strings.Repeat("x", 100_000) + `"}`) },
		"Whitespace":     func(r *sms.Receipt) { r.SenderID, r.Raw = "  two  spaces\t\r\n", []byte(" {\r\n\t\"a\" : 1 } ") },
		"TrailingZeros":  func(r *sms.Receipt) { r.Cost = "1.500" },
		"LongCost":       func(r *sms.Receipt) { r.Cost = "12345678901234567890.123456789012345678901" },
		"CostOfNothing":  func(r *sms.Receipt) { r.Cost = "0" },
		"FirstYear":      func(r *sms.Receipt) { r.At = time.Date(0, 1, 1, 0, 0, 0, 1000, time.UTC) },
		"BeforeTheEpoch": func(r *sms.Receipt) { r.At = time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC) },
		"LastYear":       func(r *sms.Receipt) { r.At = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC) },
		"WholeSecond":    func(r *sms.Receipt) { r.At = at(5).Truncate(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			r := full(name)
			change(r)
			commit(t, s, receipts(r)...)
			m, history := read(t, s, name)
			requireEqual(t, "message", m, folded(r))
			requireEqual(t, "history", history, []sms.PastReceipt{r.Past()})
			if m.StatusAt.Location() != time.UTC || m.Received.Location() != time.UTC {
				t.Errorf("times in %v and %v, want UTC", m.StatusAt.Location(), m.Received.Location())
			}

			above := receipt(name, sms.Delivered, time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), at(7))
			commit(t, s, receipts(above)...)
			m, history = read(t, s, name)
			requireEqual(t, "message after another receipt", m, folded(r, above))
			requireEqual(t, "history after another receipt", history, []sms.PastReceipt{r.Past(), above.Past()})
		})
	}

	// The ranks decide which receipt a column comes from, also when they are read from the database.
	t.Run("RanksAreRemembered", func(t *testing.T) {
		high, middle, low := full("ranks"), full("ranks"), full("ranks")
		middle.At, low.At = at(4), at(3)
		high.Carrier, high.Segments, high.Cost, high.Currency = "", 0, "", ""
		middle.Carrier, middle.Cost, middle.SenderID = "MIDDLE", "2", ""
		low.Carrier, low.Segments, low.Cost, low.SenderID, low.Region = "LOW", 1, "1", "LOW", "US"
		for _, r := range []*sms.Receipt{low, high, middle, low} {
			commit(t, s, receipts(r)...)
		}
		m, _ := read(t, s, "ranks")
		requireEqual(t, "message", m, folded(high, middle, low))
		requireEqual(t, "ranks", m.Ranks, sms.Ranks{
			"carrier_code": middle.Rank(), "segments": middle.Rank(), "cost": middle.Rank(), "region": low.Rank(),
		})
	})
}
