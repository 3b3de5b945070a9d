package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/answers"
	"github.com/cxbridge/cxbridge/internal/store"
)

func (c *Console) carriersPage() {
	c.add(&page{
		Name: "carriers", Path: "/carriers", Title: "Carriers", Menu: true, Need: access.Viewer,
		load: func(ctx context.Context, r *http.Request) (any, error) { return c.loadCarriers(ctx, r) },
		live: []string{"carriers-table", "carriers-charts"},
		calm: []string{"carriers-charts"}, loadCalm: drawCarriers,
	})
	c.mux.HandleFunc("GET /carriers.csv", func(w http.ResponseWriter, r *http.Request) {
		if c.allows(w, r, access.Viewer) {
			c.exportCarriers(w, r)
		}
	})
}

// drawCarriers adds the charts to the carriers.
func drawCarriers(_ context.Context, _ *http.Request, data any) (err error) {
	d := data.(*carriers)
	d.Charts, err = carrierCharts(d.Report)
	return err
}

// carriers is what the page shows.
type carriers struct {
	Window  window
	Carrier string // that is asked for; "" for all, as for Region
	Region  string
	Known   struct{ Carriers, Regions []string } // to choose from
	Report  *analytics.Report
	Rows    []carrierRow
	Slow    map[string]string // the text of the alarm about each slow carrier
	Sorted  sorting
	Export  string // URL of the CSV
	Policy  analytics.Policy
	Charts  []*drawing
}

// carrierRow is a row of the table.
type carrierRow struct {
	*analytics.Carrier
	Advice string
	Slow   string // the text of the alarm; "" for none
	First  bool   // of its carrier and region: the advice is about all currencies
	Shared bool   // there are rows of other currencies, and the interval is of all of them
}

func (c *Console) loadCarriers(ctx context.Context, r *http.Request) (*carriers, error) {
	w, question, err := carriersQuestion(r)
	if err != nil {
		return nil, err
	}
	data := &carriers{
		Window: w, Carrier: question.Filter.Carrier, Region: question.Filter.Region, Policy: c.Policy,
		Sorted: sortingOf(r), Export: "/carriers.csv?" + with(r.URL.Query(), "sort", ""),
	}
	var all *analytics.Report // for what there is to choose from
	var alarms []store.Alarm
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	for _, ask := range []func() error{
		func() (err error) { data.Report, err = c.Delivery.Recent(ctx, question); return err },
		func() (err error) {
			all, err = c.Delivery.Recent(ctx, answers.Question{Length: question.Length})
			return err
		},
		func() (err error) { alarms, err = c.Store.Alarms(ctx, maxAlarms); return err },
	} {
		if err := ask(); err != nil {
			return nil, err
		}
	}
	data.Slow = make(map[string]string)
	for _, a := range raised(alarms) {
		data.Slow[a.Subject] = capital(alarmText(a))
	}
	data.known(all)
	data.rows()
	return data, nil
}

// carriersQuestion reads what is asked for.
func carriersQuestion(r *http.Request) (window, answers.Question, error) {
	w, err := windowOf(r, "24h")
	if err != nil {
		return w, answers.Question{}, err
	}
	query := r.URL.Query()
	filter, err := analytics.NewFilter(query.Get("carrier"), query.Get("region"))
	if err != nil {
		err = &visitorError{http.StatusUnprocessableEntity, sentence(err.Error())}
	}
	return w, answers.Question{Length: w.length, Filter: filter}, err
}

// Elsewhere reports whether a region is asked for that has no messages.
func (d *carriers) Elsewhere() bool {
	return d.Region != "" && !slices.Contains(d.Known.Regions, d.Region)
}

// ConfidencePercent returns the confidence of the policy, in per cent.
func (d *carriers) ConfidencePercent() float64 { return 100 * d.Policy.Confidence }

// ThresholdPercent returns the failure threshold of the policy, in per cent.
func (d *carriers) ThresholdPercent() float64 { return 100 * d.Policy.FailureThreshold }

// known fills in the carriers and regions to choose from.
func (d *carriers) known(all *analytics.Report) {
	names, regions := make(map[string]bool), make(map[string]bool)
	for i := range all.Carriers {
		names[all.Carriers[i].Carrier] = true
		regions[all.Carriers[i].Region] = true
	}
	delete(regions, "")
	d.Known.Carriers, d.Known.Regions = slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(regions))
}

func (d *carriers) rows() {
	for _, r := range routesOf(d.Report) {
		for i, row := range r.rows {
			d.Rows = append(d.Rows, carrierRow{
				Carrier: row, Advice: directions.Replace(advice(r, d.Policy)), Slow: d.Slow[r.Carrier], First: i == 0, Shared: len(r.rows) > 1,
			})
		}
	}
	d.Sorted.sort(d.Rows)
}

func (c *Console) exportCarriers(w http.ResponseWriter, r *http.Request) {
	chosen, question, err := carriersQuestion(r)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loadTimeout)
	defer cancel()
	report, err := c.Delivery.Report(ctx, question)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "carriers-"+url.PathEscape(chosen.Text)+".csv"))
	_ = report.WriteCSV(w) // the reader may be gone
}

// columns are the columns with values to sort by, and how to get the value of a row.
var columns = map[string]func(*carrierRow) float64{
	"total":    func(r *carrierRow) float64 { return float64(r.Total) },
	"delivery": func(r *carrierRow) float64 { return orLowest(r.DeliveryRate) },
	"failure":  func(r *carrierRow) float64 { return orLowest(r.FailureRate) },
	"time": func(r *carrierRow) float64 {
		if r.DeliveryTime.Messages == 0 {
			return orLowest(nil)
		}
		return r.DeliveryTime.P95
	},
	"cost": func(r *carrierRow) float64 { return orLowest(r.TotalCost) },
	"each": func(r *carrierRow) float64 { return orLowest(r.CostPerDelivered) },
	"action": func(r *carrierRow) float64 {
		return float64(slices.Index([]analytics.Action{analytics.Keep, analytics.InsufficientData, analytics.Reroute}, r.Action))
	},
}

func orLowest(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

// sorting is the order of the table: by "carrier", "region" or one of the columns, descending with a minus in
// front. By default the worst comes first.
type sorting struct {
	by   string
	down bool
	path string
	from url.Values
}

func sortingOf(r *http.Request) sorting {
	s := sorting{path: r.URL.EscapedPath(), from: r.URL.Query()}
	s.by, s.down = strings.CutPrefix(cmp.Or(s.from.Get("sort"), "-action"), "-")
	return s
}

// column is the head of a column.
type column struct {
	Text, URL, Sort string // Sort is ascending, descending or ""
	Number          bool
}

// Column returns the head of the column of a name.
func (s sorting) Column(name, text string) column {
	_, isNumber := columns[name]
	head := column{Text: text, Number: isNumber && name != "action"}
	next := name // names are sorted ascending at first, numbers descending
	if isNumber {
		next = "-" + name
	}
	if name == s.by {
		head.Sort, next = "ascending", "-"+name
		if s.down {
			head.Sort, next = "descending", name
		}
	}
	head.URL = s.path + "?" + with(s.from, "sort", next)
	return head
}

func (s sorting) sort(rows []carrierRow) {
	slices.SortStableFunc(rows, func(a, b carrierRow) int {
		order := 0
		switch value, isNumber := columns[s.by]; {
		case isNumber:
			order = cmp.Compare(value(&a), value(&b))
		case s.by == "region":
			order = cmp.Compare(a.Region, b.Region)
		default:
			order = cmp.Compare(a.Carrier.Carrier, b.Carrier.Carrier)
		}
		if s.down {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(b.Total, a.Total))
	})
}
