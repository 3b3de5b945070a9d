package analytics_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/sms"
)

var base = time.Date(2026, 11, 22, 1, 44, 21, 123456000, time.UTC)

func TestContributionOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*sms.Message)
		want   func(*analytics.Contribution)
	}{
		{"plain", func(*sms.Message) {}, func(*analytics.Contribution) {}},
		{"length", func(m *sms.Message) { m.Segments = 3 }, func(c *analytics.Contribution) { c.Segments = 3 }},
		{"flagged", func(m *sms.Message) { m.Compliance = sms.Violation }, func(c *analytics.Contribution) { c.Flagged = true }},
		{"unchecked", func(m *sms.Message) { m.Compliance = sms.Unchecked }, func(*analytics.Contribution) {}},
		{"carrier in another case", func(m *sms.Message) { m.Carrier = "Vodafone" }, func(c *analytics.Contribution) { c.Carrier = "VODAFONE" }},
		{"cost", func(m *sms.Message) { m.Cost, m.Currency = "0.0075", "EUR" },
			func(c *analytics.Contribution) { c.Cost, c.Currency = 7_500, "EUR" }},
		{"free", func(m *sms.Message) { m.Cost, m.Currency = "0", "EUR" },
			func(c *analytics.Contribution) { c.Cost, c.Currency = 0, "EUR" }},
		{"cost without currency", func(m *sms.Message) { m.Cost = "1" },
			func(c *analytics.Contribution) { c.Cost, c.Currency = 1_000_000, analytics.NoCurrency }},
		{"currency without cost", func(m *sms.Message) { m.Currency = "EUR" }, func(*analytics.Contribution) {}},
		{"cost that cannot be", func(m *sms.Message) { m.Cost, m.Currency = "9999999999999999", "EUR" }, func(*analytics.Contribution) {}},
		{"delivery time", func(m *sms.Message) { m.Submitted, m.StatusAt = base, base.Add(7*time.Second) },
			func(c *analytics.Contribution) { c.Timed, c.Took = true, 7*time.Second }},
		{"at once", func(m *sms.Message) { m.Submitted, m.StatusAt = base, base },
			func(c *analytics.Contribution) { c.Timed = true }},
		{"failed", func(m *sms.Message) { m.Status, m.Submitted, m.StatusAt = sms.Failed, base, base.Add(time.Second) },
			func(c *analytics.Contribution) { c.Status, c.Timed, c.Took = sms.Failed, true, time.Second }},
		{"not final", func(m *sms.Message) { m.Status, m.Submitted, m.StatusAt = sms.Pending, base, base.Add(time.Second) },
			func(c *analytics.Contribution) { c.Status = sms.Pending }},
		{"before submission", func(m *sms.Message) { m.Submitted, m.StatusAt = base, base.Add(-1) }, func(*analytics.Contribution) {}},
		{"31 days", func(m *sms.Message) { m.Submitted, m.StatusAt = base, base.AddDate(0, 0, 31) }, func(*analytics.Contribution) {}},
		{"no submission", func(m *sms.Message) { m.StatusAt = base }, func(*analytics.Contribution) {}},
		{"no event time", func(m *sms.Message) { m.Submitted = base }, func(*analytics.Contribution) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &sms.Message{ID: "m1", Status: sms.Delivered, Carrier: "X", Region: "US", Compliance: sms.Compliant, FirstSeen: base, Received: base.Add(time.Minute)}
			want := analytics.Contribution{
				Key:    analytics.Key{Second: base.Unix(), Carrier: "X", Region: "US"},
				Status: sms.Delivered, Segments: 1,
			}
			c.change(m)
			c.want(&want)
			if want.Timed {
				want.Came = base.Add(time.Minute).Unix()
			}
			if diff := cmp.Diff(want, analytics.ContributionOf(m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
