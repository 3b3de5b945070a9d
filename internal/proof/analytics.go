package proof

import (
	"context"
	"database/sql"
	"maps"
)

// lane is a carrier in a region: analytics counts messages by lane.
type lane struct{ carrier, region string }

// tally counts messages by what became of them.
type tally struct{ Delivered, Failed, Pending, Unknown int64 }

func (t *tally) add(status string, n int64) {
	switch status {
	case "DELIVERED":
		t.Delivered += n
	case "PENDING":
		t.Pending += n
	case "UNKNOWN":
		t.Unknown += n
	default:
		t.Failed += n
	}
}

// checkAnalytics compares the report of the longest window with a count of all messages.
func checkAnalytics(ctx context.Context, s *Service, v *Verdict) error {
	counted := make(map[lane]tally)
	const query = "SELECT carrier_code, coalesce(region, ''), status, count(*) FROM sms_messages GROUP BY 1, 2, 3"
	err := s.Store.Query(ctx, query, func(rows *sql.Rows) error {
		var l lane
		var status string
		var n int64
		err := rows.Scan(&l.carrier, &l.region, &status, &n)
		t := counted[l]
		t.add(status, n)
		counted[l] = t
		return err
	})
	if err != nil {
		return err
	}
	var report struct {
		CarrierAnalytics []struct {
			Carrier, Region string
			tally
		}
	}
	if err := s.Get(ctx, "/analytics/delivery?window=90d", &report); err != nil {
		return err
	}
	reported := make(map[lane]tally)
	for _, row := range report.CarrierAnalytics { // one row for each currency
		t := reported[lane{row.Carrier, row.Region}]
		t.Delivered, t.Failed = t.Delivered+row.Delivered, t.Failed+row.Failed
		t.Pending, t.Unknown = t.Pending+row.Pending, t.Unknown+row.Unknown
		reported[lane{row.Carrier, row.Region}] = t
	}
	if maps.Equal(counted, reported) {
		return nil
	}
	for l := range counted {
		if counted[l] != reported[l] {
			v.wrong("analytics reports %+v of %s in %s, and there are %+v", reported[l], l.carrier, l.region, counted[l])
		}
	}
	for l := range reported {
		if _, ok := counted[l]; !ok {
			v.wrong("analytics reports %+v of %s in %s, and there is none", reported[l], l.carrier, l.region)
		}
	}
	return nil
}
